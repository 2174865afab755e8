"""docs/scale.md: its tables stand between marks, and are the command's own."""

import re
from collections.abc import Mapping
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "scale.md"
_BLOCK = re.compile(r"(<!-- table: (?P<name>[^>]+) -->\n)(?P<text>.*?)(<!-- end -->)", re.DOTALL)


def read(page: Path = PAGE) -> dict[str, str]:
    """Return the tables of the page by their names."""
    text = page.read_text(encoding="utf-8")
    return {found["name"]: found["text"].strip() for found in _BLOCK.finditer(text)}


def write(blocks: Mapping[str, str], page: Path = PAGE) -> None:
    """Put the tables in their places. Raises KeyError if the page has a place for another one."""
    text = page.read_text(encoding="utf-8")
    filled = _BLOCK.sub(lambda found: f"{found[1]}\n{blocks[found['name']]}\n\n{found[4]}", text)
    page.write_text(filled, encoding="utf-8")
