"""A storyboard: reviewed at both gates, edited in each way, and by two people at once."""

import hashlib
import re

from playwright.sync_api import Page, expect

from tests.cloud.deployment import png
from tests.cloud.servers import wait_until
from tests.films.conftest import Cloud
from tests.films.requests import board
from tests.studio.browser import Window, until
from tests.studio.conftest import SMALL, TAKES_LAST_FRAME, OpenWindow
from tests.studio.test_new_film import MINUTES_MS, make_it_small, plays


def narrations(page: Page) -> list[str]:
    fields = page.get_by_label("Narration")
    return [field.input_value() for field in fields.all()]


def approve(page: Page, name: str) -> None:
    page.get_by_role("button", name=f"{name} …").click()
    dialog = page.get_by_role("dialog", name=name)
    expect(dialog.get_by_text("Free")).to_be_visible()
    dialog.get_by_role("button", name=name).click()
    expect(dialog).to_be_hidden()


def test_a_topic_is_reviewed_at_both_gates(window: Window) -> None:
    page = window.open("/new")
    page.get_by_role("radio", name="A topic").check()
    page.get_by_label("Topic", exact=True).fill("How bees find home")
    page.get_by_label("Scenes", exact=True).fill("2")
    page.get_by_label("Stills", exact=True).select_option("Standard")
    make_it_small(page)
    page.get_by_role("button", name="Make the film").click()
    page.get_by_role("link", name="Review").click(timeout=MINUTES_MS)

    expect(page.get_by_label("Narration")).to_have_count(2)
    expect(page.get_by_text("a text model would write real narration. To get one:")).to_be_visible()
    first, second = narrations(page)
    page.get_by_label("Narration").first.fill("A bee goes home.")
    page.get_by_role("button", name="Duplicate scene 1").click()
    page.get_by_role("button", name="Add a scene").click()
    added = page.get_by_label("Narration").last
    expect(added).to_be_focused()
    added.fill("The end.")
    page.get_by_label("Picture", exact=True).last.fill("A hive at dusk")
    page.get_by_label("Motion", exact=True).last.fill("A hive at dusk, gently lit")
    page.get_by_role("button", name="Move up scene 4").press("Enter")
    expect(page.get_by_role("button", name="Move up scene 3")).to_be_focused()  # it goes along
    page.keyboard.press("Enter")
    assert narrations(page) == ["A bee goes home.", "The end.", "A bee goes home.", second]
    page.get_by_role("button", name="Remove scene 4").click()
    page.get_by_role("button", name="Remove scene 3").click()
    assert len(narrations(page)) == 2
    page.get_by_role("button", name="Undo").click()
    assert len(narrations(page)) == 3
    page.get_by_role("button", name="Redo").click()
    assert narrations(page) == ["A bee goes home.", "The end."]
    window.reload()  # before it is saved
    expect(page.get_by_text("Your unsaved changes are back.")).to_be_visible()
    assert narrations(page) == ["A bee goes home.", "The end."]
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Saved.", exact=True).first).to_be_visible()
    assert first != "A bee goes home."
    approve(page, "Approve the storyboard")

    page.get_by_role("link", name="Review").click(timeout=MINUTES_MS)
    still = page.get_by_role("img", name="Still of scene 1")
    expect(still).to_be_visible()
    until(still, "image => image.naturalWidth > 0")
    page.get_by_role("button", name="Hear scene 2").click()
    until(page.locator("studio-voice audio"), "audio => audio.currentTime > 0")
    approve(page, "Approve the previews")
    assert plays(page) > 2
    expect(page.locator(".chapter")).to_have_text([re.compile("A bee goes home."), re.compile("The end.")])


def test_two_people_edit_the_same(cloud: Cloud, open_window: OpenWindow, key: str) -> None:
    client = cloud.client()
    asked = SMALL | {
        "size": "512x288",
        "model": TAKES_LAST_FRAME,
        "stills": "standard",
        "review": ["storyboard"],
    }
    video = client.submit(storyboard=board("kite", "heron", "wren"), **asked).id
    wait_until(lambda: client.status(video).storyboard is not None, "the storyboard is not written")
    one, other = open_window(key), open_window(key)
    other.expect("412")
    for window in (one, other):
        window.open(f"/films/{video}/storyboard")
        expect(window.page.get_by_role("heading", name="Scene 3")).to_be_visible(timeout=MINUTES_MS)
    narration = [window.page.get_by_label("Narration") for window in (one, other)]
    narration[0].first.fill("Theirs.")
    narration[0].last.fill("Their end.")
    one.page.get_by_role("button", name="Save", exact=True).click()
    expect(one.page.get_by_text("Saved.", exact=True).first).to_be_visible()

    narration[1].first.fill("Mine.")
    narration[1].nth(1).fill("My middle.")
    other.page.locator("details").nth(1).evaluate("folded => { folded.open = true; }")
    other.page.get_by_label("Ends on the first picture of the next scene").nth(1).check()
    other.page.get_by_role("button", name="Save", exact=True).click()
    dialog = other.page.get_by_role("dialog", name="Somebody else changed this storyboard")
    expect(dialog).to_be_visible()
    expect(dialog.get_by_text("Theirs.")).to_be_visible()
    save = dialog.get_by_role("button", name="Save what I chose")
    expect(save).to_be_disabled()  # until a person chose where both differ
    dialog.get_by_role("group", name=re.compile("^Scene 1")).get_by_role(
        "radio", name=re.compile("^Mine")
    ).check()
    save.click()
    expect(other.page.get_by_text("Saved.", exact=True).first).to_be_visible()
    scenes = client.storyboard(video)[0].to_dict()["scenes"]
    assert [scene["narration"]["text"] for scene in scenes] == ["Mine.", "My middle.", "Their end."]
    assert [scene.get("meets_next", False) for scene in scenes] == [False, True, False]

    # A scene may have pictures of its own.
    other.page.locator("details").nth(2).evaluate("folded => { folded.open = true; }")
    for name in ("first_frame", "last_frame"):
        field = other.page.locator(f"studio-file-drop[id$={name}]").nth(-1)
        field.locator("input[type=file]").set_input_files(
            {"name": f"{name}.png", "mimeType": "image/png", "buffer": png(4)}
        )
        expect(field.get_by_role("button", name="Change")).to_be_visible()
    save = other.page.get_by_role("button", name="Save", exact=True)
    save.click()
    expect(save).to_be_disabled()
    expect(other.page.get_by_role("button", name=re.compile("^Approve"))).to_be_enabled()
    expect(other.page.get_by_text("Starts from your picture")).to_be_visible()
    given = {"sha256": hashlib.sha256(png(4)).hexdigest(), "media_type": "image/png"}

    def stored() -> bool:
        last = client.storyboard(video)[0].to_dict()["scenes"][2]
        return [last.get(name) for name in ("first_frame", "last_frame")] == [given, given]

    wait_until(stored, "the scene's pictures are not stored")

    # A title card's words are edited like others, and its scene stays one.
    document = client.storyboard(video)[0].to_dict()
    client.put_storyboard(
        video, {**document, "scenes": [{"title": {"text": "Birds"}}, *document["scenes"][1:]]}
    )
    other.page.reload()
    card = other.page.get_by_label("Title card")
    expect(card).to_have_value("Birds", timeout=MINUTES_MS)
    card.fill("Our birds")
    other.page.get_by_role("button", name="Save", exact=True).click()
    wait_until(
        lambda: (
            client.storyboard(video)[0].to_dict()["scenes"][0].get("title", {}).get("text") == "Our birds"
        ),
        "the title card is not stored",
    )
    client.cancel(video)
