"""The API's document and page are open to everyone, and nothing else is."""

from functools import partial

import httpx
import pytest

from tests.films.conftest import Cloud

# The first request starts a function's process.
get = partial(httpx.get, timeout=60)


@pytest.mark.parametrize(("path", "kind"), [("/openapi.json", "application/json"), ("/docs", "text/html")])
def test_the_document_needs_no_key(cloud: Cloud, path: str, kind: str) -> None:
    origin = cloud.status["base_url"].removesuffix("/v1")
    answer = get(origin + path)
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, kind)
    assert "x-request-id" in answer.headers
    for elsewhere in (f"{path}/more", f"{path}x"):
        assert get(origin + elsewhere).status_code in (403, 404)
    assert httpx.post(origin + path, content=b"{}").status_code in (401, 403, 404)
    assert get(origin + path, headers={"Origin": "http://elsewhere.test"}).status_code == 403


def test_the_document_names_where_the_api_is(cloud: Cloud) -> None:
    base_url = cloud.status["base_url"]
    document = get(base_url.removesuffix("/v1") + "/openapi.json").json()
    [server] = document["servers"]
    assert str(httpx.URL(base_url).join(server["url"])) == base_url
    assert get(base_url + "/videos").status_code == 401
