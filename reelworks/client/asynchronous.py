"""The client that doesn't block."""

import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import aclosing
from functools import wraps
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import httpx

from reelworks.client.address import find_address
from reelworks.client.blocking import signature_of
from reelworks.client.calls import Calls
from reelworks.client.models import Video
from reelworks.client.steps import Answer, Done, Flow, Open, Read, Send, Sleep, Tell, Update, advance
from reelworks.client.transport import TIMEOUT, body_of, lost

T = TypeVar("T")
P = ParamSpec("P")


def _method(
    call: Callable[Concatenate[Calls, P], Flow[T]],
) -> Callable[Concatenate["AsyncClient", P], Coroutine[Any, Any, T]]:
    @wraps(call)
    async def method(self: "AsyncClient", /, *args: P.args, **options: P.kwargs) -> T:
        return await self._run(call(self._calls, *args, **options))

    method.__signature__ = signature_of(call)  # type: ignore[attr-defined]
    return method


class AsyncClient:
    """Calls a Reelworks API like `Client`, without blocking the event loop: each of its methods is awaited.

    `on_update` may be a coroutine function; `on_progress` is a plain function.
    """

    def __init__(
        self,
        base_url: str | None = None,
        api_key: str | None = None,
        *,
        retries: int = 4,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._calls = Calls(find_address(base_url, api_key), retries)
        self.base_url = self._calls.base_url
        self._http = httpx.AsyncClient(timeout=TIMEOUT, transport=transport or httpx.AsyncHTTPTransport())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    submit = _method(Calls.submit)
    estimate = _method(Calls.estimate)
    subscribe = _method(Calls.subscribe)
    remix = _method(Calls.remix)
    edit = _method(Calls.edit)
    extend = _method(Calls.extend)
    status = _method(Calls.status)
    result = _method(Calls.result)
    events = _method(Calls.events)
    films = _method(Calls.films)
    list = _method(Calls.list)
    cancel = _method(Calls.cancel)
    delete = _method(Calls.delete)
    storyboard = _method(Calls.storyboard)
    put_storyboard = _method(Calls.put_storyboard)
    edit_scene = _method(Calls.edit_scene)
    approve = _method(Calls.approve)
    retry = _method(Calls.retry)
    add_shapes = _method(Calls.add_shapes)
    regenerate = _method(Calls.regenerate)
    upload = _method(Calls.upload)
    download = _method(Calls.download)
    preview = _method(Calls.preview)
    download_clip = _method(Calls.download_clip)
    download_music = _method(Calls.download_music)
    hear = _method(Calls.hear)
    models = _method(Calls.models)
    voices = _method(Calls.voices)
    request = _method(Calls.request)

    async def follow(self, video_id: str) -> AsyncGenerator[Video, None]:
        """Yield the video now and at each change, the last time when it has ended or waits for its user.

        Asks as often as the API says. Waits out a short outage of the API, for example a restart.
        """
        async with aclosing(self._steps(self._calls.follow(video_id))) as steps:
            async for value in steps:
                if not isinstance(value, Done):
                    yield value

    async def _run(self, flow: Flow[T]) -> T:
        async with aclosing(self._steps(flow)) as steps:
            async for value in steps:
                if isinstance(value, Done):
                    result: T = value.result
                    return result
        raise AssertionError("a call ends with its result")

    async def _steps(self, flow: Flow[T]) -> AsyncGenerator[Any, None]:
        """Carry out a call's steps. Yields its updates, and last its result."""
        body = _Body()
        try:
            step = advance(flow)
            while not isinstance(step, Done):
                if isinstance(step, Update):
                    yield step.value
                    step = advance(flow)
                    continue
                try:
                    result = await self._carry_out(step, body)
                except httpx.HTTPError as error:
                    step = advance(flow, lost=lost(error))
                else:
                    step = advance(flow, result)
            yield step
        finally:
            flow.close()
            await body.close()

    async def _carry_out(self, step: Send | Open | Read | Sleep | Tell, body: "_Body") -> Any:
        match step:
            case Send():
                with body_of(step.content) as content:
                    answer = await self._http.request(
                        step.method, step.url, headers=dict(step.headers), **content
                    )
                return Answer(answer.status_code, answer.headers, answer.content)
            case Open():
                request = self._http.build_request("GET", step.url, headers=dict(step.headers))
                opened = await self._http.send(request, stream=True)
                await body.open(opened)
                return Answer(opened.status_code, opened.headers)
            case Read():
                return await anext(body.chunks, b"")
            case Sleep():
                import anyio  # here, because the blocking client does without

                await anyio.sleep(step.seconds)
            case Tell():
                told = step.function(step.argument)
                if inspect.isawaitable(told):
                    await told
        return None


class _Body:
    """What a call reads."""

    def __init__(self) -> None:
        self._response: httpx.Response | None = None
        self.chunks: AsyncIterator[bytes] = _nothing()

    async def open(self, response: httpx.Response) -> None:
        await self.close()
        self._response, self.chunks = response, response.aiter_raw()

    async def close(self) -> None:
        if self._response:
            await self._response.aclose()


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield
