"""Screenshots of the studio's screens, compared as coarse grids of colours.

A reference is a small PNG in the folder `looks`, with one pixel for each square of CELL pixels of the screen:
its mean colour. All text is in one font, whatever the machine has, so that its lines break alike.
"""

import base64
import os
import time
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageChops, ImageFilter, ImageFont
from playwright.sync_api import Page

LOOKS = Path(__file__).parent / "looks"
CELL = 40  # pixels
TOLERANCE = 8  # of 255, in each of red, green and blue
SHARE = 0.03  # of the cells may differ
SETTLED_MS = 3_000  # until each picture is there, for a reference

Cell = tuple[int, int]  # column, row


# A font of bytes, and an adopted style sheet, are what the page's policy lets a test add.
_ONE_FONT = """async (encoded) => {
  const bytes = Uint8Array.from(atob(encoded), (one) => one.charCodeAt(0));
  document.fonts.add(await new FontFace("Pillow's", bytes.buffer).load());
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`* { font-family: "Pillow's" !important; }`);
  document.adoptedStyleSheets = [sheet];
}"""


def in_one_font(page: Page) -> None:
    """Show all text in the font that comes with Pillow."""
    font = ImageFont.load_default(16)
    assert isinstance(font, ImageFont.FreeTypeFont), "Pillow has no FreeType"
    page.evaluate(_ONE_FONT, base64.b64encode(font.font_bytes).decode())


def grid(screenshot: bytes) -> Image.Image:
    """Return the mean colour of each cell."""
    return Image.open(BytesIO(screenshot)).convert("RGB").reduce(CELL)


def differing(one: Image.Image, other: Image.Image) -> list[Cell]:
    """Return the cells of either grid whose colour is not in the range of the other's cell and its
    neighbours.

    The neighbours are there because one more line of text moves what is below it, by less than a cell.
    """
    assert one.size == other.size, f"grids of {one.size} and {other.size} cells"
    distance = ImageChops.lighter(_beyond(one, other), _beyond(other, one))
    red, green, blue = distance.split()
    worst = ImageChops.lighter(ImageChops.lighter(red, green), blue).tobytes()
    return [(place % one.width, place // one.width) for place, by in enumerate(worst) if by > TOLERANCE]


def _beyond(one: Image.Image, other: Image.Image) -> Image.Image:
    """Return how far each colour is from the range of colours around its place in `other`."""
    below = ImageChops.subtract(other.filter(ImageFilter.MinFilter(3)), one)
    above = ImageChops.subtract(one, other.filter(ImageFilter.MaxFilter(3)))
    return ImageChops.lighter(below, above)


def share_unlike(page: Page, name: str) -> float:
    """Return the share of cells in which the page, as it is now, differs from the reference `name`."""
    expected = Image.open(_reference(name)).convert("RGB")
    return len(differing(grid(page.screenshot()), expected)) / (expected.width * expected.height)


def unlike(page: Page, name: str, *, deadline: float) -> str | None:
    """Wait until the page looks as its reference `name`, until `deadline` (of `time.monotonic`) at most.
    Return what differs then; None if nothing does. UPDATE_SNAPSHOTS=1 first writes the reference anew."""
    path = _reference(name)
    if os.environ.get("UPDATE_SNAPSHOTS"):
        page.wait_for_timeout(SETTLED_MS)
        path.parent.mkdir(exist_ok=True)
        grid(page.screenshot(animations="disabled")).save(path, optimize=True)
    expected = Image.open(path).convert("RGB")
    failed = path.with_suffix(".failed.png")
    failed.unlink(missing_ok=True)
    while True:
        screenshot = page.screenshot(animations="disabled")
        found = grid(screenshot)
        cells = differing(found, expected)
        if len(cells) <= SHARE * expected.width * expected.height:
            return None
        if time.monotonic() > deadline:
            break
        page.wait_for_timeout(100)
    failed.write_bytes(screenshot)
    shown = "; ".join(
        f"column {x}, row {y} is {_hex(found, x, y)}, not about {_hex(expected, x, y)}" for x, y in cells[:8]
    )
    more = "; …" if len(cells) > 8 else ""
    count = expected.width * expected.height
    return f"{name}: {len(cells)} of {count} cells differ ({shown}{more}). See {failed}."


def _reference(name: str) -> Path:
    return LOOKS / f"{name}.png"


def _hex(picture: Image.Image, x: int, y: int) -> str:
    return "#{:02x}{:02x}{:02x}".format(*picture.getpixel((x, y)))  # type: ignore[misc]
