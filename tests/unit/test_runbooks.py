"""Every runbook has the same parts and is found from the index."""

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "docs" / "runbooks"
INDEX = FOLDER / "index.md"
PAGES = sorted(set(FOLDER.glob("*.md")) - {INDEX})
PARTS = ["Symptom", "What users see", "What to look at", "What to do", "How to know it is over"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_has_the_five_parts_none_empty(page: Path) -> None:
    _, *parts = re.split(r"^## ", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    titles, texts = zip(*(part.split("\n", 1) for part in parts), strict=True)
    assert list(titles) == PARTS
    assert all(text.strip() for text in texts)


def test_the_index_lists_every_page_under_its_title() -> None:
    listed = INDEX.read_text(encoding="utf-8").partition("## All pages")[2]
    for page in PAGES:
        title = page.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
        assert f"| [{title}]({page.name}) |" in listed


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_use_only_the_names_that_the_index_sets(page: Path) -> None:
    known = set(re.findall(r"export (?:AWS_PROFILE=… )?(\w+)=", INDEX.read_text(encoding="utf-8")))
    text = page.read_text(encoding="utf-8")
    used = {name for pair in re.findall(r"\$(\w+)|\$\{(\w+)", text) for name in pair if name}
    assert used <= known | set(re.findall(r"^\s*export (\w+)=", text, flags=re.MULTILINE))
    if used:
        assert "index.md#what-you-need" in text
