"""The cloud killed in the middle of a film, and a network that is lost."""

import os
import signal

import pytest
from playwright.sync_api import expect

from tests.films.conftest import Cloud
from tests.studio.browser import Window
from tests.studio.conftest import Films, OpenWindow
from tests.studio.test_new_film import MINUTES_MS, plays

AWAY = "The API can't be reached."


def test_a_killed_cloud_comes_back_and_the_film_is_finished(cloud: Cloud, window: Window) -> None:
    window.expect("ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|50[0-9]")
    client = cloud.client()
    video = client.submit("A river in spring", size="640x360", fps=12, seconds=13, model="animatic").id
    page = window.open(f"/films/{video}")
    expect(page.locator(".clip.done").first).to_be_visible(timeout=MINUTES_MS)
    os.kill(cloud.pid(), signal.SIGKILL)
    expect(page.get_by_text(AWAY).first).to_be_visible(timeout=MINUTES_MS)
    cloud.reel("up")
    assert plays(page) == pytest.approx(13, abs=0.2)  # the page was not touched
    expect(page.get_by_text(AWAY)).to_have_count(0)


def test_a_lost_network_is_said_and_nothing_is_lost(open_window: OpenWindow, films: Films) -> None:
    window = open_window(films.key)
    window.expect("ERR_INTERNET_DISCONNECTED")
    page = window.open(f"/films/{films.waiting}/storyboard")
    narration = page.get_by_label("Narration").first
    expect(narration).to_be_visible()
    before = narration.input_value()
    page.context.set_offline(True)
    narration.fill("Written on a train.")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text(AWAY).first).to_be_visible()
    expect(narration).to_have_value("Written on a train.")
    page.context.set_offline(False)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Saved.", exact=True).first).to_be_visible()
    expect(page.get_by_text(AWAY)).to_have_count(0)
    narration.fill(before)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Saved.", exact=True).first).to_be_visible()
