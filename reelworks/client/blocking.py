"""The client that blocks."""

import inspect
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from functools import wraps
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar, get_args

import httpx

from reelworks.client.address import find_address
from reelworks.client.calls import Calls
from reelworks.client.models import Video
from reelworks.client.steps import Answer, Done, Flow, Open, Read, Send, Sleep, Tell, Update, advance
from reelworks.client.transport import TIMEOUT, body_of, lost

T = TypeVar("T")
P = ParamSpec("P")


def signature_of(call: Callable[..., Any]) -> inspect.Signature:
    """Return a call's signature as its user sees it."""
    written = inspect.signature(call)
    return written.replace(return_annotation=get_args(written.return_annotation)[2])


def _method(call: Callable[Concatenate[Calls, P], Flow[T]]) -> Callable[Concatenate["Client", P], T]:
    @wraps(call)
    def method(self: "Client", /, *args: P.args, **options: P.kwargs) -> T:
        return self._run(call(self._calls, *args, **options))

    method.__signature__ = signature_of(call)  # type: ignore[attr-defined]
    return method


class Client:
    """Calls a Reelworks API.

    Its address is given, or that of REELWORKS_BASE_URL and REELWORKS_API_KEY, or the PC's cloud's. A request
    that fails for a moment is sent again up to `retries` times, when the API says. Raises NoAddress.
    """

    def __init__(
        self,
        base_url: str | None = None,
        api_key: str | None = None,
        *,
        retries: int = 4,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._calls = Calls(find_address(base_url, api_key), retries)
        self.base_url = self._calls.base_url
        self._http = httpx.Client(timeout=TIMEOUT, transport=transport or httpx.HTTPTransport())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

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

    def follow(self, video_id: str) -> Generator[Video, None, None]:
        """Yield the video now and at each change, the last time when it has ended or waits for its user.

        Asks as often as the API says. Waits out a short outage of the API, for example a restart.
        """
        with closing(self._steps(self._calls.follow(video_id))) as steps:
            for value in steps:
                if not isinstance(value, Done):
                    yield value

    def _run(self, flow: Flow[T]) -> T:
        with closing(self._steps(flow)) as steps:
            for value in steps:
                if isinstance(value, Done):
                    result: T = value.result
                    return result
        raise AssertionError("a call ends with its result")

    def _steps(self, flow: Flow[T]) -> Generator[Any, None, None]:
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
                    result = self._carry_out(step, body)
                except httpx.HTTPError as error:
                    step = advance(flow, lost=lost(error))
                else:
                    step = advance(flow, result)
            yield step
        finally:
            body.close()
            flow.close()

    def _carry_out(self, step: Send | Open | Read | Sleep | Tell, body: "_Body") -> Any:
        match step:
            case Send():
                with body_of(step.content) as content:
                    answer = self._http.request(step.method, step.url, headers=dict(step.headers), **content)
                return Answer(answer.status_code, answer.headers, answer.content)
            case Open():
                request = self._http.build_request("GET", step.url, headers=dict(step.headers))
                opened = self._http.send(request, stream=True)
                body.open(opened)
                return Answer(opened.status_code, opened.headers)
            case Read():
                return next(body.chunks, b"")
            case Sleep():
                time.sleep(step.seconds)
            case Tell():
                step.function(step.argument)
        return None


class _Body:
    """What a call reads."""

    def __init__(self) -> None:
        self._response: httpx.Response | None = None
        self.chunks: Iterator[bytes] = iter(())

    def open(self, response: httpx.Response) -> None:
        self.close()
        self._response, self.chunks = response, response.iter_raw()

    def close(self) -> None:
        if self._response:
            self._response.close()
