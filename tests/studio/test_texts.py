"""Texts of any kind are shown as text, on every screen."""

import re
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.films.conftest import Cloud
from tests.studio.browser import Window
from tests.studio.conftest import SMALL

HOSTILE = {
    "html": "<img src=x onerror=alert(1)><script>alert(2)</script><b>bold</b> &amp; {{7*7}} ${7*7}",
    "rtl": "\u202eمرحبا بالعالم\u202c שלום fox \u2067kite\u2069",
    "long": "unbreakable" * 181,  # 1,991 characters
    "emoji": "👩‍👩‍👧‍👦 🏳️‍🌈 🦊🪁 " * 20,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_text_is_shown_as_it_was_written(cloud: Cloud, window: Window, kind: str) -> None:
    text = HOSTILE[kind].strip()
    client = cloud.client()
    shot = {"positive_prompt": text, "negative_prompt": text}
    storyboard = {
        "title": text[:200].strip(),
        "style": text,
        "scenes": [{"narration": {"text": f"Hello. {text}"[:2000].strip()}, "image": shot, "video": shot}],
    }
    video = client.submit(storyboard=storyboard, review=["storyboard"], **SMALL).id
    window.size(360, 800)
    page = window.open(f"/films/{video}/storyboard")
    expect(page.get_by_label("Title")).to_have_value(storyboard["title"])
    expect(page.get_by_label("Narration")).to_have_value(storyboard["scenes"][0]["narration"]["text"])
    assert window.misplaced() == []
    page = window.open(f"/films/{video}")
    expect(page.locator("h1")).to_have_text(storyboard["title"])
    expect(page.locator(".said")).to_contain_text(text[:100].strip())
    assert window.misplaced() == []
    page = window.open()
    expect(page.locator(f"a.film[href*='{video}'] h3")).to_contain_text(text[:100].strip())
    assert window.misplaced() == []
    page = window.open("/new")
    page.get_by_label("Prompt", exact=True).fill(text)
    page.get_by_label("Prompt", exact=True).blur()
    window.reload()
    expect(page.get_by_label("Prompt", exact=True)).to_have_value(text)
    expect(page.get_by_label("What the film takes")).to_contain_text("1 clip")
    assert window.misplaced() == []
    assert page.locator("main script, main b, main img[src=x]").count() == 0
    client.cancel(video)


def test_a_character_has_the_name_it_was_given(window: Window, tmp_path: Path) -> None:
    name = "<img src=x onerror=alert(1)> مرحبا Mossy 🦊"
    Image.new("RGB", (300, 300), "olive").save(tmp_path / "mossy.png")
    window.size(360, 800)
    page = window.open("/new")
    page.get_by_role("button", name="New character").click()
    dialog = page.get_by_role("dialog", name="New character")
    dialog.get_by_label("Name").fill(name)
    dialog.locator("input[type=file]").set_input_files(tmp_path / "mossy.png")
    expect(dialog.get_by_role("button", name=re.compile("^Remove"))).to_be_visible()
    dialog.get_by_label("How it looks").fill(HOSTILE["html"])
    dialog.get_by_role("button", name="Create").click()
    expect(dialog).to_be_hidden()
    expect(page.locator(".chip", has_text="Mossy").locator(".written").first).to_have_text(name)
    assert page.locator("main script, main b, main img[src=x]").count() == 0
    assert window.misplaced() == []
