"""From a prompt to the film that plays, on one screen; and a form that loses nothing."""

import re
from pathlib import Path
from uuid import uuid4

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.films.conftest import Cloud
from tests.films.looking import look_at
from tests.studio.browser import Window, until
from tests.studio.conftest import TAKES_LAST_FRAME

MINUTES_MS = 180_000  # for a film, while clouds of other tests share the cores


def make_it_small(page: Page) -> None:
    """Fill in what makes a film fast."""
    page.get_by_role("radio", name="Another size").check()
    page.locator("#film-size").fill("320x180")
    page.get_by_text("Advanced settings").click()
    page.get_by_label("Frames per second").fill("8")


def plays(page: Page) -> float:
    """Wait until the page has a film, and that it plays. Return its length in seconds."""
    player = page.locator("studio-player video")
    expect(player).to_be_visible(timeout=MINUTES_MS)
    player.evaluate("video => { video.muted = true; return video.play(); }")
    until(player, "video => video.readyState >= 2")
    seconds: float = player.evaluate("video => video.duration")
    return seconds


def test_from_a_prompt_to_a_download(cloud: Cloud, window: Window, tmp_path: Path) -> None:
    page = window.open("/new")
    page.get_by_label("Prompt", exact=True).fill("A lighthouse in the evening")
    page.get_by_role("button", name="Enhance the prompt").click()
    enhanced = page.get_by_label("Enhanced prompt")
    expect(enhanced).to_have_value(re.compile("lighthouse", re.IGNORECASE))
    text = f"{enhanced.input_value()} Its name is {uuid4()}."
    enhanced.fill(text)
    Image.new("RGB", (64, 36), "teal").save(tmp_path / "first.png")
    page.locator("#film-input_reference input[type=file]").set_input_files(tmp_path / "first.png")
    expect(page.get_by_role("button", name="Remove: First picture")).to_be_visible()
    page.get_by_role("radio", name=TAKES_LAST_FRAME).check()
    with page.expect_response(lambda answer: "last_frame" in (answer.request.post_data or "")) as estimate:
        page.locator("#film-last_frame input[type=file]").set_input_files(tmp_path / "first.png")
    assert estimate.value.ok
    page.get_by_role("radio", name="animatic").check()
    expect(page.get_by_text("animatic takes no last picture, so yours is left out.")).to_be_visible()
    make_it_small(page)
    page.get_by_label("Length in seconds").fill("2")
    page.get_by_role("checkbox", name="9:16").check()
    page.get_by_label("What the crop keeps in view").select_option("Left")
    price = page.get_by_label("What the film takes")
    expect(price).to_contain_text("1 clip · 2 s of film · 320x180, 8 fps")
    expect(price.locator("dd").first).to_have_text("Free")
    page.get_by_role("button", name="Make the film").dblclick()
    expect(page).to_have_url(re.compile("#/films/video_"))
    assert plays(page) == pytest.approx(2, abs=0.2)
    made = [video.id for video in cloud.client().list().data if video.prompt == text]
    assert made == [page.url.rpartition("/")[2]], "a double click makes one film"
    with page.expect_download() as download:
        page.get_by_role("button", name="Download", exact=True).click()
    download.value.save_as(tmp_path / "film.mp4")
    film = look_at(tmp_path / "film.mp4")
    assert (len(film.frames), film.duration) == (16, 2)
    with page.expect_download() as download:
        page.get_by_role("button", name=re.compile(r"^9:16 \(MP4\)")).click()
    download.value.save_as(tmp_path / "tall.mp4")
    tall = look_at(tmp_path / "tall.mp4")
    assert (len(tall.frames), tall.duration, tall.height > tall.width) == (16, 2, True)
    window.open("/new")
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("")  # what was sent is no draft


def test_a_refresh_keeps_the_form(window: Window) -> None:
    page = window.open("/new")
    page.get_by_role("radio", name="A topic").check()
    page.get_by_label("Topic", exact=True).fill("How kites fly")
    page.locator("#film-tone").fill("calm")
    page.locator("#film-tone").blur()
    window.reload()
    expect(page.get_by_label("Topic", exact=True)).to_have_value("How kites fly")
    expect(page.locator("#film-tone")).to_have_value("calm")
    page.get_by_role("button", name="Clear").click()
    window.reload()
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("")


def test_an_error_is_shown_at_its_field(window: Window) -> None:
    window.expect("400")
    page = window.open("/new")
    page.get_by_label("Prompt", exact=True).fill("A fox in the snow")
    seconds = page.get_by_label("Length in seconds")
    seconds.fill("0")
    page.get_by_role("button", name="Make the film").click()
    expect(page.locator("#film-seconds-fault")).to_contain_text("seconds")
    expect(seconds).to_be_focused()
    expect(seconds).to_have_attribute("aria-invalid", "true")
    expect(seconds).to_have_attribute("aria-describedby", re.compile("film-seconds-fault"))
    seconds.fill("4")
    expect(page.locator("#film-seconds-fault")).to_have_count(0)
    # A field that is folded away is shown.
    page.get_by_text("Advanced settings").click()
    page.get_by_label("Seed").fill("none")
    page.get_by_text("Advanced settings").click()
    page.get_by_role("button", name="Make the film").click()
    expect(page.get_by_label("Seed")).to_be_focused()


def test_too_long_a_text_is_counted_as_one_types(window: Window) -> None:
    window.expect("400")
    page = window.open("/new")
    page.get_by_label("Prompt", exact=True).fill("fox " * 510)
    expect(page.get_by_text(re.compile("2,039 / 2,000 characters, 39 too many"))).to_be_visible()
