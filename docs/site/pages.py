"""The site's pages that are not files of docs/, and the links to them: a hook of MkDocs (decision 80).

README is the home page. A link to a file of the repository leads to a page that shows the file.
"""

import ast
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from markdown_it import MarkdownIt
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
HOME = ROOT / "README.md"
DECISIONS = DOCS / "decisions"
_REPOSITORY = "repository/"
_NOT_SEARCHED = "---\nsearch:\n  exclude: true\n---\n\n"
_FENCE = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?P<path>[^)\s:#]+)(?P<anchor>#[^)\s]*)?\)")
_ITEM = re.compile(r" *([-*]|\d+\.) +")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the home page, the list of decisions, and what the pages link to outside docs/."""

    def add(path: Path, content: str) -> None:
        files.append(File.generated(config, place(path), content=content))

    add(HOME, HOME.read_text(encoding="utf-8"))
    add(DECISIONS, decisions())
    unread = [HOME, *DOCS.rglob("*.md")]
    shown = set(unread)
    while unread:
        for linked in linked_from(unread.pop()):
            if linked not in shown and not linked.is_relative_to(DOCS):
                shown.add(linked)
                add(linked, shown_as_page(linked))
                unread += [linked] if linked.suffix == ".md" else []
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Return the page as Python-Markdown reads it, with links to where the site has their targets."""
    uri = page.file.src_uri
    folder = source(uri).parent

    def moved(link: re.Match[str]) -> str:
        target = place(Path(os.path.normpath(folder / link["path"])))
        return f"]({os.path.relpath(target, os.path.dirname(uri) or '.')}{link['anchor'] or ''})"

    return outside_fences(indented_by_four(markdown), lambda text: _LINK.sub(moved, text))


def place(path: Path) -> str:
    """Return where the site has a file or folder of the repository, as a path in docs/."""
    if path == HOME:
        return "index.md"
    if path == DECISIONS:
        return "decisions/index.md"
    if path.is_relative_to(DOCS):
        return path.relative_to(DOCS).as_posix()
    uri = _REPOSITORY + path.relative_to(ROOT).as_posix()
    return uri if path.suffix == ".md" else f"{uri}.md"


def source(uri: str) -> Path:
    """Return the file that a page shows. The page's links are relative to its folder."""
    if uri == "index.md":
        return HOME
    return ROOT / uri.removeprefix(_REPOSITORY) if uri.startswith(_REPOSITORY) else DOCS / uri


def linked_from(page: Path) -> Iterator[Path]:
    for link in _LINK.finditer(_FENCE.sub("", page.read_text(encoding="utf-8"))):
        yield Path(os.path.normpath(page.parent / link["path"]))


def shown_as_page(path: Path) -> str:
    """Return the page for a file or folder of the repository."""
    title = f"{_NOT_SEARCHED}# {path.relative_to(ROOT).as_posix()}\n\n"
    if path.is_dir():
        return title + "\n".join(f"- `{file.name}`: {first_line(file)}" for file in sorted(path.glob("*.py")))
    text = path.read_text(encoding="utf-8")
    return text if path.suffix == ".md" else f"{title}````{path.suffix[1:]}\n{text}\n````\n"


def first_line(module: Path) -> str:
    docstring = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0]


def decisions() -> str:
    """Return the list of decision records."""
    records = ((file, file.read_text(encoding="utf-8").partition("\n")[0]) for file in DECISIONS.glob("*.md"))
    links = "\n".join(f"- [{title.removeprefix('# ')}]({file.name})" for file, title in sorted(records))
    about = "Why it is built this way: one page for each choice that a newcomer would question."
    return f"# Decisions\n\n{about}\n\n{links}\n"


def outside_fences(markdown: str, change: Callable[[str], str]) -> str:
    parts, end = [], 0
    for fence in _FENCE.finditer(markdown):
        parts += [change(markdown[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*parts, change(markdown[end:])])


def indented_by_four(markdown: str) -> str:
    """Return the text with four spaces for each level of a list, and an empty line before each list.

    GitHub needs neither. Python-Markdown, which MkDocs uses, doesn't see the lists without them.
    """
    lines = markdown.split("\n")
    levels, columns, starts = [0] * len(lines), [0] * len(lines), set()
    level = 0
    for token in MarkdownIt().enable("table").parse(markdown):
        if token.map and token.type.endswith("_list_open") and not level:
            starts.add(token.map[0])
        if token.map and token.type == "list_item_open":
            level += 1
            first, end = token.map
            marker = _ITEM.match(lines[first])
            for number in range(first + 1, end):
                levels[number], columns[number] = level, len(marker[0]) if marker else 0
        if token.type == "list_item_close":
            level -= 1
    written: list[str] = []
    for number, line in enumerate(lines):
        if number in starts and number and lines[number - 1].strip():
            written.append("")
        indentation = len(line) - len(line.lstrip())
        written.append("    " * levels[number] + line[min(indentation, columns[number]) :])
    return "\n".join(written)
