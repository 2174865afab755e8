"""The gallery: what is there, what waits, what failed; searching, paging, and the keyboard."""

import re
import time
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from lambdas.adapters.objects import Objects
from lambdas.adapters.videos import Videos
from lambdas.domain.failures import Failure
from lambdas.domain.video import Stage, video_id
from tests.factories import a_request, a_video
from tests.films.conftest import Cloud
from tests.studio.browser import until
from tests.studio.conftest import TITLES, Films, OpenWindow

MANY = 140


def test_it_shows_each_film_as_it_stands(open_window: OpenWindow, films: Films) -> None:
    window = open_window(films.key)
    page = window.open()
    completed = page.locator(f"a.film[href='#/films/{films.completed}']")
    expect(completed.get_by_role("heading", name=TITLES["completed"])).to_be_visible()
    until(completed.locator("img"), "image => image.complete && image.naturalWidth > 0")
    waiting = page.locator("a.film.waits")
    expect(page.get_by_role("heading", name=re.compile("^Waits for you"))).to_be_visible()
    expect(waiting).to_contain_text(["The storyboard waits for you"])
    expect(page.locator("a.film.failed")).to_contain_text([re.compile("Failed: .*narration")])
    waiting.click()
    expect(page).to_have_url(f"{window.studio}#/films/{films.waiting}/storyboard")
    expect(page.get_by_role("heading", name="Scene 2")).to_be_visible()
    page.go_back()
    completed.click()
    expect(page.locator("video")).to_be_visible()


def test_it_is_searched_and_narrowed(open_window: OpenWindow, films: Films) -> None:
    window = open_window(films.key)
    page = window.open()
    expect(page.locator("a.film").first).to_be_visible()
    page.keyboard.press("/")  # no shortcut of a single key: people who speak to their browser would press it
    expect(page.get_by_label("Search films")).not_to_be_focused()
    page.keyboard.press("Control+k")
    expect(page.get_by_label("Search films")).to_be_focused()
    page.keyboard.type("OWL fox")
    expect(page.locator("a.film h3")).to_have_text([TITLES["completed"]])
    page.keyboard.type(" elephant")
    expect(page.get_by_text("No film matches.")).to_be_visible()
    page.get_by_label("Search films").fill("")
    page.get_by_label("Failed").check()
    expect(page.locator("a.film h3")).to_have_text([TITLES["failed"]])
    page.locator("a.film").click()
    expect(page.get_by_role("button", name="Retry")).to_be_visible()
    page.go_back()
    expect(page.get_by_label("Failed")).to_be_checked()  # kept for the way back
    expect(page.locator("a.film")).to_have_count(1)


def test_the_keyboard_alone_opens_a_film(open_window: OpenWindow, films: Films) -> None:
    window = open_window(films.key)
    page = window.open()
    expect(page.locator("a.film").first).to_be_visible()
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.locator("a.film:focus").count():
            break
    first = page.locator("a.film:focus").get_attribute("href")
    assert first == f"#/films/{films.waiting}/storyboard", "what waits comes first"
    page.keyboard.press("ArrowDown")
    second = page.locator("a.film:focus").get_attribute("href")
    assert second
    assert second != first
    page.keyboard.press("Enter")
    expect(page).to_have_url(window.studio + second)
    expect(page.locator("main")).to_be_focused()


@pytest.fixture(scope="module")
def many(cloud: Cloud) -> str:
    """The key of a tenant with MANY films."""
    videos = Videos(
        cloud.aws("dynamodb"),
        cloud.outputs["VideosTable"],
        Objects(cloud.aws("s3"), cloud.outputs["OutputBucket"]),
    )
    now = int(time.time() * 1000)
    failure = Failure(step="RenderClip", code="EngineFailed", reason="The engine failed", advice="Retry it.")
    for number in range(MANY):
        video = a_video(
            id=video_id("many", str(number)),
            tenant="many",
            request=a_request(prompt=f"Film number {number + 1}"),
            stage=Stage.FAILED,
            failure=failure,
            created_ms=now - 60_000 * number,
            updated_ms=now,
            expires_ms=now + 86_400_000,
        )
        videos.create(video)
    return str(cloud.json("keys", "create", "many")["api_key"])


def test_only_one_page_of_films_is_asked_for_until_more_are_looked_at(
    many: str, open_window: OpenWindow
) -> None:
    window = open_window(many, viewport={"width": 360, "height": 800})
    page = window.open()
    expect(page.locator("a.film")).to_have_count(30)

    def asked() -> list[dict[str, list[str]]]:
        found = (urlsplit(url) for url in window.requested)
        return [parse_qs(url.query) for url in found if url.path.endswith("/v1/videos")]

    page.wait_for_load_state("networkidle")
    assert asked() == [{"limit": ["30"]}]
    page.locator("a.film").last.scroll_into_view_if_needed()
    expect(page.locator("a.film")).to_have_count(130)
    page.locator("a.film").last.scroll_into_view_if_needed()
    expect(page.locator("a.film")).to_have_count(MANY)
    assert [set(query) for query in asked()[1:]] == [{"limit", "after"}, {"limit", "after"}]
    expect(page.get_by_text("Loading more films")).to_have_count(0)
    # A search finds what is on no page yet.
    page = window.reload()
    page.get_by_label("Search films").fill(f"number {MANY}")
    expect(page.locator("a.film h3")).to_have_text([f"Film number {MANY}"])


def test_the_first_page_is_small(many: str, open_window: OpenWindow) -> None:
    window = open_window(many, viewport={"width": 360, "height": 800})
    sent: list[float] = []
    devtools = window.page.context.new_cdp_session(window.page)
    devtools.send("Network.enable")
    devtools.on("Network.loadingFinished", lambda event: sent.append(event["encodedDataLength"]))
    page = window.open()
    expect(page.locator("a.film")).to_have_count(30)
    page.wait_for_load_state("networkidle")
    assert len(sent) > 10
    assert sum(sent) < 70_000  # which leaves room for the posters of a large screen below 150 kB
