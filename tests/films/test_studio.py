"""The PC's cloud serves the studio and signs its page in."""

import re
from functools import partial

import httpx
import pytest

from tests.films.conftest import Cloud

# The first request starts a function's process.
get = partial(httpx.get, timeout=60)


@pytest.fixture
def studio(cloud: Cloud) -> httpx.URL:
    """Where the studio's page is."""
    return httpx.URL(cloud.status["base_url"].removesuffix("v1") + "studio/")


def test_the_page_and_its_files_are_served(studio: httpx.URL) -> None:
    page = get(studio)
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "connect-src 'self';" in page.headers["content-security-policy"]
    [script] = re.findall(r'<script type="module" src="([^"]+)"', page.text)
    module = get(studio.join(script), headers={"Accept-Encoding": "gzip"})
    assert (module.status_code, module.headers["content-type"]) == (200, "text/javascript; charset=utf-8")
    assert module.headers["cache-control"].endswith("immutable")
    assert module.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in get(studio.join(script), headers={"Accept-Encoding": ""}).headers
    head = httpx.head(studio)
    assert (head.status_code, head.headers["etag"], head.content) == (200, page.headers["etag"], b"")
    assert get(studio, headers={"If-None-Match": page.headers["etag"]}).status_code == 304
    moved = get(str(studio).rstrip("/"))
    assert studio.join(moved.headers["location"].removeprefix("studio/")) == studio


def test_another_path_is_not_found(studio: httpx.URL) -> None:
    for path in ("app.js", "nothing/here", "%2e%2e/v1/models", "link", "session"):
        answer = get(f"{studio}{path}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found"), path
    assert httpx.post(f"{studio}x", content=b"{}").status_code == 401
    elsewhere = get(studio, headers={"Origin": "http://elsewhere.test"})
    assert elsewhere.status_code == 403


def test_a_link_signs_in_once_and_only_the_studio_s_own_page(cloud: Cloud, studio: httpx.URL) -> None:
    assert get(studio.join("config.json")).json()["sign_in"] == {"cognito": None, "link": True}
    link = httpx.URL(cloud.json("studio", "--no-open")["url"])
    assert str(link).partition("#")[0] == str(studio)
    [code] = re.findall(r"^code=([\w-]{43})$", link.fragment)
    origin = f"http://{studio.netloc.decode()}"

    def sign_in(origin: str) -> httpx.Response:
        return httpx.post(studio.join("session"), json={"code": code}, headers={"Origin": origin})

    for wrong in ("http://elsewhere.test", "null", origin.replace("127.0.0.1", "localhost")):
        assert sign_in(wrong).status_code == 403
    assert sign_in(origin).json() == {"api_key": cloud.status["api_key"], "tenant": "local"}
    again = sign_in(origin)
    assert (again.status_code, again.json()["error"]["code"]) == (401, "invalid_code")
    log = (cloud.home / "cloud.log").read_text(encoding="utf-8")
    assert code not in log
    assert cloud.status["api_key"] not in log
