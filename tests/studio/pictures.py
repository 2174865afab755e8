"""Make the pictures of docs/studio.md: python -m tests.studio.pictures

It starts a cloud of its own, makes films of pleasing topics with the draft engine, and stops the cloud. It
takes some minutes.
"""

import tempfile
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from tests.films.conftest import Cloud, running_cloud
from tests.films.requests import finish, wait_for
from tests.studio.browser import REPOSITORY, Window, launched, signed_in, studio_of, until

FOLDER = REPOSITORY / "docs" / "media" / "studio"
VIEWPORT = {"width": 1280, "height": 800}
WIDTH = 1280  # pixels of a picture
MINUTES_MS = 300_000

Scene = tuple[str, str, str]  # narration, picture, motion

BEES: list[Scene] = [
    (
        "A bee leaves the hive at dawn.",
        "A bee by its hive in a sunny meadow",
        "A bee flies from its hive at dawn",
    ),
    (
        "She follows the sun to the flowers.",
        "A bee over red flowers",
        "A bee flies over a field of red flowers",
    ),
    ("At home she dances the way.", "Bees in a golden hive", "A bee flies home in the evening sun"),
]
KITES: list[Scene] = [
    ("A kite leans on the wind.", "A red kite in a blue sky over hills", "A kite rises over green hills"),
    ("The string holds it back, so it climbs.", "A kite high over the beach", "A kite climbs over the sea"),
    (
        "When the wind sleeps, it comes home.",
        "A kite on the sand at sunset",
        "A kite sinks at sunset by the sea",
    ),
]
LIGHTHOUSES: list[Scene] = [
    (
        "A lighthouse turns its lamp all night.",
        "A lighthouse by night",
        "A lighthouse blinks over a dark sea",
    ),
    ("Each has a rhythm of its own.", "A lighthouse on a rock in a storm", "Waves roll past a lighthouse"),
]


def board(title: str, scenes: list[Scene]) -> dict[str, Any]:
    return {
        "title": title,
        "style": "Soft evening light.",
        "scenes": [
            {
                "narration": {"text": narration},
                "image": {"positive_prompt": picture},
                "video": {"positive_prompt": motion},
            }
            for narration, picture, motion in scenes
        ],
    }


def save(shown: Page | Locator, name: str) -> None:
    """Save what is shown as docs/media/studio/NAME.webp."""
    picture = Image.open(BytesIO(shown.screenshot(animations="disabled")))
    height = round(picture.height * WIDTH / picture.width)
    if picture.width > WIDTH:
        picture = picture.resize((WIDTH, height), Image.Resampling.LANCZOS)
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{name}.webp"
    picture.convert("RGB").save(path, quality=82, method=6)
    print(f"{path.relative_to(REPOSITORY)}: {path.stat().st_size // 1000} kB")


def settled(page: Page) -> None:
    """Wait until all pictures in view are there."""
    page.wait_for_timeout(1_500)  # clips and stills ask for their links
    until(
        page.locator("html"),
        """() => [...document.images].every(
          (one) => one.complete || one.getBoundingClientRect().top > innerHeight)""",
    )
    page.wait_for_timeout(500)


def take(cloud: Cloud, browser: Browser) -> None:
    client = cloud.client()

    def submit(**fields: Any) -> str:
        return client.submit(**{"size": "640x360", "fps": 12, "model": "animatic", **fields}).id

    film = submit(storyboard=board("How a bee finds its way home", BEES), stills="standard", captions=True)
    others = [
        submit(storyboard=board("Why lighthouses blink", LIGHTHOUSES), stills="standard"),
        submit(prompt="A fox in the snow, at dusk", seconds=4, enhance=False),
        submit(prompt="A sailing boat on a calm sea", seconds=4, enhance=False, size="360x640"),
        submit(prompt="A balloon over the mountains in the morning", seconds=4, enhance=False),
        submit(prompt="An owl in the moonlight", seconds=4, enhance=False),
    ]
    for id_ in (film, *others):
        finish(client, id_, seconds=600)
    hurried = board("A heron in a hurry", BEES[:1])
    hurried["scenes"][0]["seconds"] = 0.5
    failed = submit(storyboard=hurried, narration_fit="refuse")
    wait_for(client, failed, lambda video: video["status"] == "failed")
    waiting = submit(
        storyboard=board("How kites fly", KITES), stills="standard", review=["storyboard", "previews"]
    )
    wait_for(client, waiting, lambda video: video["review"]["gate"] == "storyboard")
    client.approve(waiting)
    wait_for(client, waiting, lambda video: video["review"]["gate"] == "previews", seconds=600)

    key = cloud.status["api_key"]
    window = Window(signed_in(browser, key, viewport=VIEWPORT, color_scheme="light"), studio_of(cloud))
    page = window.page

    # Under way: long enough to be seen at work.
    open_ = submit(
        storyboard=board("A day by the sea", [*KITES, *LIGHTHOUSES, *BEES]),
        stills="standard",
        fps=24,
        size="1280x720",
    )
    window.open(f"/films/{open_}")
    expect(page.locator(".clip.done").nth(1)).to_be_visible(timeout=MINUTES_MS)
    settled(page)
    save(page, "progress")
    window.open()
    expect(page.locator("a.film.open")).to_be_visible()
    window.size(1280, 1240)
    settled(page)
    save(page, "gallery")
    window.size(**VIEWPORT)
    finish(client, open_, seconds=600)

    window.open(f"/films/{waiting}/storyboard")
    expect(page.get_by_label("Narration")).to_have_count(len(KITES))
    settled(page)
    save(page, "storyboard")
    page.get_by_role("button", name="Approve the previews …").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("Free")).to_be_visible()
    save(dialog, "approve")

    window.open(f"/films/{film}")
    player = page.locator("studio-player video")
    expect(player).to_be_visible()
    player.evaluate("video => { video.currentTime = 4; }")
    expect(page.get_by_text("What it took")).to_be_visible()
    settled(page)
    save(page, "film")

    client.edit_scene(
        film,
        1,
        image="A bee over a field of sunflowers",
        video="A bee flies over a field of sunflowers at noon",
    )
    client.approve(film)
    finish(client, film, seconds=600)
    window.reload()
    page.get_by_text("Compare with an earlier film").click()
    expect(page.get_by_role("table", name="What differs in the storyboards")).to_be_visible()
    for player in page.locator(".pair video").all():
        until(player, "video => video.readyState >= 3")
    page.get_by_label("Moment of both films").fill("5")
    settled(page)
    save(page.locator("details", has=page.locator("studio-compare")), "compare")

    window.open("/new")
    page.get_by_role("radio", name="A topic").check()
    page.get_by_label("Topic", exact=True).fill("How tides work")
    page.locator("#film-tone").fill("calm and curious")
    page.get_by_label("Stills", exact=True).select_option("Standard")
    expect(page.get_by_label("What the film takes")).to_contain_text("Free")
    page.evaluate("scrollTo(0, 0)")
    save(page, "new-film")

    phone = {"width": 390, "height": 800}
    dark = Window(signed_in(browser, key, viewport=phone, color_scheme="dark"), studio_of(cloud))
    dark.open()
    expect(dark.page.locator("a.film").first).to_be_visible()
    settled(dark.page)
    save(dark.page, "phone")


def main() -> None:
    with tempfile.TemporaryDirectory() as home, running_cloud(Path(home)) as cloud, launched() as browser:
        take(cloud, browser)


if __name__ == "__main__":
    main()
