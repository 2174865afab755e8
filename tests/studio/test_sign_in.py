"""Who gets in, and where the key is kept."""

import re
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import expect

from tests.films.conftest import Cloud
from tests.studio.browser import Window
from tests.studio.conftest import OpenWindow


def link_of(cloud: Cloud) -> str:
    return str(cloud.json("studio", "--no-open")["url"])


def kept(window: Window) -> str:
    """Everything that outlives this window."""
    stored: str = window.page.evaluate("JSON.stringify(localStorage) + document.cookie")
    return stored


def test_a_link_signs_in_once_and_leaves_nothing_in_the_address(
    cloud: Cloud, open_window: OpenWindow, key: str
) -> None:
    link = link_of(cloud)
    window = open_window()
    page = window.page
    page.goto(link)
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    assert page.url == window.studio
    assert page.evaluate("history.length") <= 2  # the empty page and this one
    page.reload()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    assert key not in kept(window)
    assert not any(key in url for url in window.requested)
    assert not any(key in text for text in window.said)
    code = urlsplit(link).fragment.removeprefix("code=")
    assert not any(code in url for url in [*window.requested, page.url])

    second = open_window()
    second.expect("401")
    second.page.goto(link)
    expect(second.page.get_by_text("This link is unknown or was used already.")).to_be_visible()
    assert "code" not in second.page.url
    expect(second.page.get_by_text("reel studio", exact=True)).to_be_visible()

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("API key")).to_be_visible()
    assert key not in str(page.evaluate("JSON.stringify(sessionStorage)"))


def test_a_key_signs_in_and_a_wrong_one_is_refused(open_window: OpenWindow, key: str) -> None:
    window = open_window()
    window.expect("401")
    page = window.open("/new")
    field = page.get_by_label("API key")
    field.fill("rk-wrong")
    field.press("Enter")
    expect(page.get_by_text("The API doesn't know this key.")).to_be_visible()
    expect(field).to_be_focused()
    field.fill("two words")
    field.press("Enter")
    expect(page.get_by_text("without spaces")).to_be_visible()
    field.fill(key)
    page.get_by_role("button", name="Use this key").click()
    expect(page.get_by_role("heading", name="New film")).to_be_visible()  # where the address pointed to
    assert key not in kept(window)


def test_a_key_that_ends_leads_to_signing_in_and_back(open_window: OpenWindow, key: str) -> None:
    window = open_window()
    window.expect("401")
    page = window.open("/new")
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Use this key").click()
    prompt = page.get_by_label("Prompt", exact=True)
    prompt.fill("A fox that waits at the door")
    expect(page.get_by_text("1 clip")).to_be_visible()
    # The API keeps its answer about a revoked key for five minutes, so this sends another one.
    ended = {"authorization": "Bearer rk-ended"}
    page.route("**/v1/**", lambda route: route.continue_(headers={**route.request.headers, **ended}))
    prompt.fill("A fox that waits at the door for long")
    expect(page.get_by_text("Your session has ended. Sign in again.")).to_be_visible()
    page.unroute_all()
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Use this key").click()
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("A fox that waits at the door for long")


def test_pages_of_other_origins_get_nothing(open_window: OpenWindow, studio: str, key: str) -> None:
    window = open_window()
    window.expect("CORS|403|ERR_FAILED|Cross-Origin")
    page = window.page
    page.route(
        "http://elsewhere.test/",
        lambda route: route.fulfill(body="<p>Elsewhere</p>", content_type="text/html"),
    )
    page.goto("http://elsewhere.test/")
    for method, path in (("GET", "../v1/videos"), ("POST", "session"), ("POST", "link"), ("GET", "")):
        for mode in ("cors", "no-cors"):
            read = page.evaluate(
                """([url, method, mode, key]) => fetch(url, {
                     method, mode, body: method === "GET" ? undefined : "{}",
                     headers: mode === "cors" ? {authorization: `Bearer ${key}`} : {},
                   }).then((answer) => answer.text(), () => "")""",
                [str(httpx.URL(studio).join(path)), method, mode, key],
            )
            assert read == "", (method, path, mode)
    page.set_content(f'<iframe src="{studio}"></iframe>')
    page.wait_for_timeout(500)
    assert not any(frame.locator("studio-app").count() for frame in page.frames)


@pytest.mark.parametrize("path", ["/nothing", "/films/video_00000000000000000000000000000000"])
def test_an_address_of_nothing_says_so(window: Window, path: str) -> None:
    window.expect("404")
    page = window.open(path)
    expect(page.get_by_role("heading", name=re.compile("There is no such (page|film)"))).to_be_visible()
    page.get_by_role("link", name="See your films").click()
    expect(page).to_have_url(f"{window.studio}#/")
