"""The models of the client, written from the API's document."""

import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from lambdas.intake.other_names import KNOWN
from tests.api_document import api_document

_HEAD = '''\
"""The API's documents. Written from its OpenAPI document by tests/client_models.py:

    UPDATE_SNAPSHOTS=1 python -m pytest -n 0 tests/unit/test_client_models.py

A value that is one of several may be another one if the API is newer than the client.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias, TypedDict

from reelworks.client.document import ALWAYS, Document
'''
_REQUESTS = {"CreateVideo": "CreateFields", "RegenerateScene": "RegenerateFields"}
# Of a create: what is the client's own parameters, and how each is given.
_PARAMETERS = {"prompt", "input_reference", "last_frame", "music", "caption_font_file"}


def written() -> str:
    """Return the module."""
    schemas = api_document()["components"]["schemas"]
    answers = _reached(schemas, _of_answers())
    asked = {name: schemas[name] for name in _REQUESTS}
    enums = sorted(
        name
        for name, schema in schemas.items()
        if "enum" in schema and name in _reached(schemas, [*answers, *asked])
    )
    models = sorted(name for name in answers if name not in enums)
    parts = [
        _HEAD.rstrip(),
        *(f"{_name(name)}: TypeAlias = {_type(schemas[name])}" for name in enums),
        *(_model(_name(name), schemas[name]) for name in models),
        *(_fields(_REQUESTS[name], schema) for name, schema in asked.items()),
    ]
    return _formatted("\n\n".join(parts))


def _of_answers() -> Iterator[str]:
    for methods in api_document()["paths"].values():
        for operation in methods.values():
            yield from _refs(operation["responses"].get("200", {}).get("content"))


def _reached(schemas: Mapping[str, Any], names: Any) -> set[str]:
    found: set[str] = set()
    left = list(names)
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += _refs(schemas[name])
    return found


def _refs(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if "$ref" in schema:
            yield schema["$ref"].rpartition("/")[2]
        for value in schema.values():
            yield from _refs(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _refs(value)


def _name(component: str) -> str:
    """VideoObject → Video; Lora-Output → Lora"""
    return re.sub("-.*", "", component).removesuffix("Object") or component


def _model(name: str, schema: Mapping[str, Any]) -> str:
    lines = [f"class {name}(Document):", *_docs(schema.get("description"))]
    for field, one in schema["properties"].items():
        type_ = _type(one)
        if field not in schema.get("required", ()) and not type_.endswith("| None"):
            type_ += " | None"
        default = " = None" if type_.endswith("| None") else " = ALWAYS"
        if type_.startswith("list["):
            default = " = []"
        lines += [f"    {field}: {type_}{'' if field == 'id' else default}", *_docs(one.get("description"))]
    return "\n".join(lines)


def _fields(name: str, schema: Mapping[str, Any]) -> str:
    lines = [f"class {name}(TypedDict, total=False):"]
    for field, one in schema["properties"].items():
        if field in _PARAMETERS or field in KNOWN or "x-other-server" in one or field == "part":
            continue
        type_ = _type(one, sent=True).removesuffix(" | None")
        lines += [f"    {field}: {type_} | None", *_docs(one.get("description"))]
    return "\n".join(lines)


def _type(schema: Mapping[str, Any], *, sent: bool = False) -> str:
    match schema:
        case {"$ref": str(ref)}:
            name = ref.rpartition("/")[2]
            is_object = api_document()["components"]["schemas"][name].get("type") == "object"
            return "Mapping[str, Any]" if sent and is_object else _name(name)
        case {"anyOf": list(options)}:
            types = dict.fromkeys(_type(one, sent=sent) for one in options)
            several = sorted(types, key=lambda one: one == "None")
            return " | ".join(several)
        case {"const": str()}:
            return "str"
        case {"enum": list(values)} if isinstance(values[0], str):
            return f"Literal[{', '.join(map(repr, values))}] | str"
        case {"type": [str(first), "string"]}:  # a number, or its text
            return _type({"type": first})
        case {"type": "array", "items": dict(items)}:
            return f"{'Sequence' if sent else 'list'}[{_type(items, sent=sent)}]"
        case {"type": "object", "additionalProperties": dict(values)}:
            return f"dict[str, {_type(values, sent=sent)}]"
        case {"type": str(type_)}:
            return {
                "string": "str",
                "integer": "int",
                "number": "float",
                "boolean": "bool",
                "null": "None",
                "object": "dict[str, Any]",
                "array": "list[Any]",
            }[type_]
    return "Any"


def _docs(said: str | None) -> list[str]:
    if not said:
        return []
    text = " ".join(said.split()).replace("\\", "\\\\")
    return textwrap.wrap(f'"""{text}"""', 106, initial_indent="    ", subsequent_indent="    ")


def _formatted(module: str) -> str:
    command = [sys.executable, "-m", "ruff", "format", "--stdin-filename", "reelworks/client/models.py", "-"]
    return subprocess.run(command, input=module, capture_output=True, text=True, check=True).stdout
