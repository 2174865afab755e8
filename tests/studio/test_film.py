"""A film and what is made of it: an edit compared, remix, extension; and what a reviewer may do."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.cloud.deployment import plain_png
from tests.films.conftest import Cloud
from tests.studio.browser import until
from tests.studio.conftest import TITLES, Films, OpenWindow
from tests.studio.test_new_film import MINUTES_MS


def test_an_edited_film_is_compared_with_the_one_before(open_window: OpenWindow, films: Films) -> None:
    window = open_window(films.key)
    page = window.open(f"/films/{films.completed}")
    page.get_by_role("link", name="Edit scenes").click()
    motion = page.get_by_label("Motion", exact=True).last
    before = motion.input_value()
    motion.fill("An owl flies over a dark wood")
    page.get_by_role("button", name="Make the changes …").click()
    dialog = page.get_by_role("dialog", name="Make the changes")
    dialog.get_by_role("button", name="Make the changes").click()
    expect(page).to_have_url(f"{window.studio}#/films/{films.completed}")
    page.get_by_text("Compare with an earlier film").click(timeout=MINUTES_MS)

    compared = page.get_by_role("table", name="What differs in the storyboards")
    expect(compared.get_by_role("rowheader")).to_have_text(["Scene 2", "Motion"])
    expect(compared.get_by_role("cell")).to_have_text([before, "An owl flies over a dark wood"])
    players = [page.get_by_label(f"Film of attempt {attempt}") for attempt in (1, 2)]
    for player in players:
        until(player, "video => video.readyState >= 3")
    assert players[0].get_attribute("src") != players[1].get_attribute("src")
    assert [player.evaluate("video => video.muted") for player in players] == [True, False]
    page.get_by_role("button", name="Play both").click()
    for player in players:
        until(player, "video => video.currentTime > 0.5")
    apart = page.evaluate(
        """() => {
          const [one, other] = document.querySelectorAll(".pair video");
          return one.currentTime - other.currentTime;
        }"""
    )
    assert abs(apart) < 0.4
    page.get_by_role("button", name="Pause both").click()
    page.get_by_label("Moment of both films").fill("1")
    for player in players:
        until(player, "video => video.paused && Math.abs(video.currentTime - 1) < 0.01")
    assert window.violations() == []
    assert window.misplaced() == []
    page.get_by_label("Left film", exact=True).select_option("2")
    expect(page.get_by_text("Their storyboards are the same.")).to_be_visible()


DERIVED = {
    "Remix": ("What should change?", "Make it a night scene"),
    "Extend": ("What comes next?", "They fall asleep"),
    "Edit the pictures": ("What should change?", "In watercolour"),
}


@pytest.mark.parametrize("kind", DERIVED)
def test_a_film_is_made_from_a_film_and_cancelled(open_window: OpenWindow, films: Films, kind: str) -> None:
    window = open_window(films.key)
    page = window.open(f"/films/{films.completed}")
    page.get_by_role("button", name=kind).click()
    label, text = DERIVED[kind]
    page.get_by_label(label).fill(text)
    page.reload()  # what was typed is kept
    page.get_by_role("button", name=kind).click()
    expect(page.get_by_label(label)).to_have_value(text)
    page.get_by_role("button", name="Make the film").click()
    expect(page).not_to_have_url(f"{window.studio}#/films/{films.completed}")
    expect(page).to_have_url(re.compile("#/films/video_"))
    page.get_by_role("button", name="Cancel", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel the film").click()
    expect(page.get_by_role("heading", name="It was cancelled")).to_be_visible()
    page.get_by_role("button", name="Delete the film").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete the film").click()
    expect(page).to_have_url(f"{window.studio}#/")


@pytest.fixture(scope="module")
def reviewer(cloud: Cloud, films: Films) -> str:
    """A key of the films' tenant that may read."""
    return str(cloud.json("keys", "create", "gallery", "--scope", "read")["api_key"])


def controls(page: Page) -> list[str]:
    """What one can press, but for what folds."""
    page.wait_for_load_state("networkidle")
    return [one.inner_text().split("\n")[0] for one in page.locator("main button, main a.button").all()]


def test_a_reviewer_is_offered_only_what_works(open_window: OpenWindow, films: Films, reviewer: str) -> None:
    window = open_window(reviewer)
    page = window.open()
    expect(page.locator("a.film h3", has_text=TITLES["completed"])).to_be_visible()
    assert controls(page) == []
    expect(page.get_by_role("navigation", name="Studio").get_by_role("link")).to_have_text(["Films"])
    page = window.open(f"/films/{films.completed}")
    expect(page.get_by_text("What it took")).to_be_visible()
    changing = re.compile(
        "Remix|Extend|Edit|Delete|Retry|Cancel|Approve|Save|Regenerate|Make|Add|Remove|Undo"
    )
    assert not [name for name in controls(page) if changing.search(name)]
    page.get_by_role("link", name="See the storyboard").click()
    expect(page.get_by_text("Your key lets you read the storyboard, and not change it.")).to_be_visible()
    page = window.open(f"/films/{films.waiting}")
    page.get_by_role("link", name="Review").click()
    expect(page.get_by_label("Narration")).to_have_count(2)
    for field in page.locator("main").locator("input, textarea, select").all():
        assert field.evaluate("one => one.readOnly || one.disabled"), field.evaluate("one => one.outerHTML")
    assert not [name for name in controls(page) if changing.search(name)]
    page = window.open(f"/films/{films.failed}")
    expect(page.get_by_role("heading", name=re.compile("^It failed"))).to_be_visible()
    assert not [name for name in controls(page) if changing.search(name)]
    page = window.open("/new")
    expect(page.get_by_role("button", name="Make the film")).to_be_disabled()


def test_what_the_api_refuses_is_explained(open_window: OpenWindow, films: Films, reviewer: str) -> None:
    window = open_window(reviewer)
    window.expect("403|503")
    page = window.page
    page.route("**/v1/caller", lambda route: route.fulfill(status=503, json={}))  # so that all is offered
    window.open(f"/films/{films.completed}")
    page.get_by_role("button", name="Remix").click()
    page.get_by_label("What should change?").fill("Make it a night scene")
    page.get_by_role("button", name="Make the film").click()
    expect(page.get_by_role("dialog").get_by_role("alert").filter(has_text="scope")).to_be_visible()
    expect(page.get_by_label("What should change?")).to_have_value("Make it a night scene")


def test_a_film_that_warns_is_watched_and_then_delivered(
    open_window: OpenWindow, cloud: Cloud, films: Films, tmp_path: Path
) -> None:
    black = tmp_path / "black.png"
    black.write_bytes(plain_png())
    client = cloud.client(films.key)
    film = client.submit("A bee", image=black, on_warning="review", size="96x64", fps=8, seconds=1).id
    window = open_window(films.key)
    page = window.open(f"/films/{film}")
    page.get_by_role("heading", name="Watch the film: its quality report warns").wait_for(timeout=MINUTES_MS)
    until(page.locator("studio-player video"), "video => video.readyState >= 3")
    expect(page.get_by_text("nothing moves for")).to_be_visible()
    page.get_by_role("button", name="Deliver it").click()
    expect(page.get_by_role("button", name="Download", exact=True)).to_be_visible(timeout=MINUTES_MS)
    client.delete(film)  # other tests expect the gallery without it
    assert window.violations() == []
