"""The docs cover every route, field, variant and setting, and their links work."""

import json
import re
from pathlib import Path

import pytest

from lambdas.api import openai_format, routes
from lambdas.domain.content_variants import VARIANTS
from lambdas.intake.fields import EditFields, ExtendFields, Fields
from lambdas.intake.files import FILES
from lambdas.intake.other_names import KNOWN
from reelworks.cli import engines, ops

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "models").rglob("*.md")])
API = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
# OpenAI's own fields, described in its documentation.
OPENAI = {
    *("id", "object", "data", "first_id", "last_id", "created", "created_at", "completed_at", "expires_at"),
    *("owned_by", "error", "deleted", "model", "status", "progress"),
}


def prose(page: Path) -> str:
    return re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Return the headings' anchors as GitHub generates them."""
    headings = re.findall(r"^#+ (.*)$", prose(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_work(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_route_is_documented() -> None:
    modules = Path(routes.__path__[0]).glob("*.py")
    source = "".join(module.read_text(encoding="utf-8") for module in modules)
    paths = set(re.findall(r'@router\.\w+\("(/v1[^"]*)"', source))
    assert len(paths) > 10
    for route in paths:
        told = re.sub(r"<(?:video_|character_|upload_)?(\w+)>", r"{\1}", route)
        assert re.search(rf"`[A-Z]+ {re.escape(told)}[?`]", API), route


@pytest.mark.parametrize("form", [Fields, EditFields, ExtendFields])
def test_every_field_is_documented(form: type[Fields] | type[EditFields] | type[ExtendFields]) -> None:
    for field in (*form.model_fields, *FILES):
        assert f"`{field}`" in API, field


def test_every_name_of_other_servers_is_documented() -> None:
    for name in (*KNOWN, "image_reference"):
        assert f"`{name}`" in API, name


def test_every_variant_is_documented() -> None:
    assert "variant=" + r"\|".join(VARIANTS) in API


def test_every_response_field_is_documented() -> None:
    source = Path(openai_format.__file__).read_text(encoding="utf-8")
    for name in set(re.findall(r'^        "(\w+)":', source, flags=re.MULTILINE)) - OPENAI:
        assert re.search(rf"\b{name}\b", API), name


def test_every_deployment_setting_is_documented() -> None:
    page = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    settings = json.loads((ROOT / "cdk.json").read_text())["context"]["reelworks"]
    for name in settings:
        assert f"`{name}`" in page, name


def test_every_operator_s_command_is_documented() -> None:
    page = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    for group, app in (("ops", ops.ops_app), ("engines", engines.engines_app)):
        for command in app.registered_commands:
            assert command.callback is not None
            name = command.name or command.callback.__name__
            assert f"reel {group} {name}" in page, name
