import asyncio
from typing import Any

import pytest

from containers.serving.callers import TOKEN, OwnCallerOnly


async def _inside(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})


def ask(app: OwnCallerOnly, *authorizations: str, kind: str = "http") -> int:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"authorization", one.encode()) for one in authorizations]
    asyncio.run(app({"type": kind, "path": "/invocations", "headers": headers}, None, send))  # type: ignore[arg-type]
    return int(sent[0]["status"])


@pytest.mark.parametrize(
    ("authorizations", "status"),
    [
        (["Bearer secret"], 200),
        ([], 403),
        ([""], 403),
        (["secret"], 403),
        (["Bearer secret2"], 403),
        (["Bearer "], 403),
        (["Bearer secret", "Bearer secret"], 403),
        (["Bearer schlüssel"], 403),
    ],
)
def test_only_the_program_that_started_a_server_may_call_it(
    authorizations: list[str], status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TOKEN, "secret")
    assert ask(OwnCallerOnly(_inside), *authorizations) == status


def test_a_container_without_a_token_answers_sagemaker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TOKEN, raising=False)
    assert ask(OwnCallerOnly(_inside)) == 200
