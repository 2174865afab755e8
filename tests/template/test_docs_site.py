"""The docs as a site: built without a warning, whole without a network."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(folder)],
        cwd=REPOSITORY,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


def test_it_asks_nothing_of_other_servers(site: Path) -> None:
    for page in site.rglob("*.html"):
        html = page.read_text(encoding="utf-8")
        loaded = re.findall(r"<(?:script|img|link|iframe)\b[^>]*?\b(?:src|href)=\"?(https?:[^\s\">]+)", html)
        assert loaded == [], page


def test_lists_and_links_are_as_on_github(site: Path) -> None:
    record = (site / "decisions" / "0078-what-a-warning-does.html").read_text(encoding="utf-8")
    assert re.search(r"<li>\s*(<p>)?<strong>Never a third try", record)
    page = (site / "api.html").read_text(encoding="utf-8")
    assert 'href="repository/reelworks/client/errors.py.html"' in page
    shown = (site / "repository" / "reelworks" / "client" / "errors.py.html").read_text(encoding="utf-8")
    assert "ApiError" in shown


def test_the_search_knows_the_pages(site: Path) -> None:
    index = (site / "search" / "search_index.js").read_text(encoding="utf-8")
    assert "films.html#" in index
    assert "repository/reelworks" not in index, "it finds pages, not code"
