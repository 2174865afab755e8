"""The tables of docs/api.md, written from the API's document, and of docs/quality.md."""

import re
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any

from lambdas.api.document import ANY, MEANINGS, SOME, VERSION
from lambdas.api.reference_page import type_of
from lambdas.domain.content_variants import VARIANTS
from lambdas.domain.errors import RequestError
from lambdas.domain.quality import LIMITS
from lambdas.intake.film_kind import OF_SCENES
from lambdas.intake.other_names import KNOWN
from tests.api_document import api_document

_MARKED = re.compile(r"(<!-- table: (\w+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def with_tables(page: str) -> str:
    """Return a page with each marked table written anew."""
    return _MARKED.sub(lambda found: f"{found[1]}\n{_TABLES[found[2]]()}\n\n{found[4]}", page)


def _routes() -> str:
    rows = []
    for path, methods in api_document()["paths"].items():
        for method, operation in methods.items():
            if method != "head":
                said = " ".join([operation["summary"] + ".", *operation.get("description", "").split("\n\n")])
                rows.append((f"`{method.upper()} /{VERSION}{path}`", said))
    return _table(("route", "what it does"), rows)


def _fields(chosen: Callable[[str, Mapping[str, Any]], bool]) -> str:
    fields = _schema("CreateVideo")["properties"]
    rows = [
        (f"`{name}`", schema["description"], _default(schema))
        for name, schema in fields.items()
        if chosen(name, schema) and name not in KNOWN and "x-other-server" not in schema
    ]
    return _table(("field", "what it is", "default"), rows)


def _other_names() -> str:
    fields = _schema("CreateVideo")["properties"].items()
    return _table(
        ("name", "means"),
        [(f"`{name}`", one["description"]) for name, one in fields if "x-other-server" in one],
    )


def _answer(name: str) -> str:
    fields = _schema(name)["properties"].items()
    return _table(
        ("field", "type", "what it is"),
        [(f"`{field}`", type_of(one), one.get("description", "")) for field, one in fields],
    )


def _variants() -> str:
    return _table(
        ("variant", "media type"), [(f"`{name}`", one.media_type) for name, one in VARIANTS.items()]
    )


def _checks() -> str:
    return _table(
        ("check", "passes with", "source of the limit", "can't see"),
        [(f"`{name}`", one.allows, one.source, one.blind) for name, one in LIMITS.items()],
    )


def _errors() -> str:
    kinds: dict[int, set[str]] = {}
    for kind in _below(RequestError):
        kinds.setdefault(kind.status.value, set()).add(kind.code)
    kinds[404].add("unknown_url")
    also = {**ANY, **SOME}
    rows = []
    for status in sorted({*kinds, *also}):
        codes, says = also.get(HTTPStatus(status), ((), MEANINGS.get(HTTPStatus(status), "")))
        named = sorted({*codes, *kinds.get(status, ())})
        rows.append((f"{status:d}", ", ".join(f"`{code}`" for code in named), says))
    return _table(("status", "code", "meaning"), rows)


def _below(kind: type[RequestError]) -> Iterable[type[RequestError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _below(below)


def _schema(name: str) -> Mapping[str, Any]:
    schema: Mapping[str, Any] = api_document()["components"]["schemas"][name]
    return schema


def _default(schema: Mapping[str, Any]) -> str:
    default = schema.get("default")
    return (
        ""
        if default in (None, "", [], ())
        else str(default).lower()
        if isinstance(default, bool)
        else str(default)
    )


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    cells = ([cell.replace("\n", " ").replace("|", "\\|") for cell in line] for line in lines)
    return "\n".join("| " + " | ".join(line) + " |" for line in cells)


_TABLES: Mapping[str, Callable[[], str]] = {
    "routes": _routes,
    "create": lambda: _fields(lambda name, _: name not in (*OF_SCENES, "topic", "storyboard")),
    "scenes": lambda: _fields(lambda name, _: name in (*OF_SCENES, "topic", "storyboard")),
    "names": _other_names,
    "video": lambda: _answer("VideoObject"),
    "estimate": lambda: _answer("VideoEstimate"),
    "model": lambda: _answer("ModelObject"),
    "variants": _variants,
    "errors": _errors,
    "checks": _checks,
}
