"""The studio's page names what its first screen needs, so that the browser asks for all of it at once."""

import re
from pathlib import Path

STUDIO = Path(__file__).parents[2] / "studio"


def imported(module: Path, seen: dict[Path, None]) -> dict[Path, None]:
    """Return the module and all that it imports at its start."""
    if module not in seen:
        seen[module] = None
        for name in re.findall(r'(?:from|import) *"(\.[^"]+)"', module.read_text("utf-8")):
            imported((module.parent / name).resolve(), seen)
    return seen


def test_the_page_preloads_the_modules_of_its_first_screen() -> None:
    needed = imported(STUDIO / "gallery.js", imported(STUDIO / "app.js", {}))
    page = (STUDIO / "index.html").read_text("utf-8")
    preloaded = re.findall(r'<link rel="modulepreload" href="([^"]+)">', page)
    assert sorted([*preloaded, "app.js"]) == sorted(str(one.relative_to(STUDIO)) for one in needed)
