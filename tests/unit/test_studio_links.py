"""One-time links into the studio."""

import asyncio
import json
from typing import Any

import pytest

from reelworks.cloud.server import studio_links
from reelworks.cloud.server.studio_links import LINK_SECONDS, MOST_LINKS, StudioLinks

BASE = "http://127.0.0.1:4566"
KEY = "rk-secret"


class Page:
    """The middleware and a clock, called as uvicorn calls it."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.links = StudioLinks(self._beyond, lambda: KEY, BASE, lambda: self.now)
        self.passed: list[str] = []

    async def _beyond(self, scope: Any, receive: Any, send: Any) -> None:
        self.passed.append(scope["path"])
        await send({"type": "http.response.start", "status": 299, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    def ask(
        self, method: str, path: str, body: bytes = b"", *, host: str = "127.0.0.1:4566", **headers: str
    ) -> tuple[int, Any, dict[str, str]]:
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        pairs = [(name.encode(), value.encode()) for name, value in {"host": host, **headers}.items()]
        scope = {"type": "http", "method": method, "path": path, "headers": pairs, "query_string": b""}
        asyncio.run(self.links(scope, receive, send))
        start, *bodies = sent
        answer = b"".join(message["body"] for message in bodies)
        told = {name.decode(): value.decode() for name, value in start["headers"]}
        return start["status"], json.loads(answer or b"null"), told

    def link(self, key: str = KEY) -> tuple[int, Any, dict[str, str]]:
        return self.ask("POST", "/studio/link", authorization=f"Bearer {key}")

    def code(self) -> str:
        status, made, _ = self.link()
        assert (status, made["expires_in"]) == (200, 60)
        page, code = made["url"].split("#code=")
        assert page == f"{BASE}/studio/"
        return str(code)

    def session(self, code: object) -> tuple[int, Any, dict[str, str]]:
        return self.ask("POST", "/studio/session", json.dumps({"code": code}).encode())


@pytest.fixture
def page() -> Page:
    return Page()


def test_a_link_gives_the_key_once(page: Page) -> None:
    code = page.code()
    status, found, headers = page.session(code)
    assert (status, found) == (200, {"api_key": KEY, "tenant": "local"})
    assert headers["cache-control"] == "no-store"
    status, refused, _ = page.session(code)
    assert (status, refused["error"]["code"]) == (401, "invalid_code")
    assert "reel studio" in refused["error"]["message"]
    assert set(refused["error"]) == {"message", "type", "param", "code"}


def test_a_link_ends_after_a_minute(page: Page) -> None:
    late, in_time = page.code(), page.code()
    page.now += LINK_SECONDS - 0.1
    assert page.session(in_time)[0] == 200
    page.now += 0.1
    status, refused, _ = page.session(late)
    assert (status, refused["error"]["code"]) == (401, "expired_code")
    assert "reel studio" in refused["error"]["message"]
    assert page.session(late)[1]["error"]["code"] == "invalid_code"


def test_codes_are_long_random_and_not_kept(page: Page) -> None:
    codes = {page.code() for _ in range(20)}
    assert len(codes) == 20
    assert all(len(code) == 43 for code in codes)  # 256 bits in base64
    assert not any(code in repr(vars(page.links)) for code in codes)


def test_only_a_few_links_can_be_used(page: Page) -> None:
    codes = [page.code() for _ in range(MOST_LINKS + 1)]
    assert page.session(codes[0])[0] == 401
    assert [page.session(code)[0] for code in codes[1:]] == [200] * MOST_LINKS


@pytest.mark.parametrize("key", ["", "rk-other", KEY + "x", KEY[:-1], "rk-ü"])
def test_only_who_has_the_key_gets_a_link(page: Page, key: str) -> None:
    status, refused, _ = page.ask("POST", "/studio/link", authorization=f"Bearer {key}")
    assert (status, refused["error"]["code"]) == (401, "invalid_api_key")
    assert page.ask("POST", "/studio/link")[0] == 401
    assert page.ask("POST", "/studio/link", authorization=KEY)[0] == 401


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff",
        b'{"code": 1}',
        b'{"code": null}',
        b'{"code": "\\ud800"}',
        b"[" * 4000,
    ],
)
def test_a_body_of_any_kind_is_an_unknown_code(page: Page, body: bytes) -> None:
    page.code()
    assert page.ask("POST", "/studio/session", body)[0] == 401


def test_a_long_body_is_refused(page: Page) -> None:
    assert page.ask("POST", "/studio/session", b" " * 5000)[0] == 413


def test_wrong_tries_are_limited(page: Page) -> None:
    code = page.code()
    for _ in range(15):
        assert page.link("rk-other")[0] == page.session("wrong")[0] == 401
    for status, refused, headers in (page.link(), page.session(code)):
        assert (status, refused["error"]["code"]) == (429, "rate_limit_exceeded")
        assert headers["retry-after"] == "60"
    page.now += 60
    assert page.link()[0] == 200
    assert page.session(code)[0] == 401  # it ended meanwhile


def test_right_tries_are_not_limited(page: Page) -> None:
    for _ in range(100):
        assert page.session(page.code())[0] == 200


def test_each_known_code_is_compared_in_constant_time(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    codes = [page.code() for _ in range(3)]
    compared: list[int] = []

    def compare(known: bytes, sent: bytes) -> bool:
        compared.append(len(known))
        return known == sent

    monkeypatch.setattr(studio_links, "compare_digest", compare)
    assert page.session(codes[0])[0] == 200
    assert compared == [32, 32, 32]  # hashes, all of them, although the first fits


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/studio/link"), ("GET", "/studio/session"), ("POST", "/studio/"), ("POST", "/studio/session/")],
)
def test_all_else_goes_on(page: Page, method: str, path: str) -> None:
    assert page.ask(method, path)[0] == 299
    assert page.passed == [path]


@pytest.mark.parametrize("path", ["/studio", "/studio/"])
def test_the_page_is_at_one_address(page: Page, path: str) -> None:
    status, _, headers = page.ask("GET", path, host="localhost:4566")
    assert (status, headers["location"]) == (307, f"{BASE}/studio/")
    assert page.ask("GET", path)[0] == 299
