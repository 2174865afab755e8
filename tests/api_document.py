"""Check the API's answers against its OpenAPI document, which must name all that an answer may have."""

import copy
import json
import re
from functools import cache
from typing import Any

from jsonschema_rs import Draft202012Validator

from lambdas.api.app import GROUPS
from lambdas.api.document import VERSION, document
from lambdas.api.operations import Operation
from lambdas.domain.names import PUBLIC_PATHS

_PREFIX = f"/{VERSION}"


@cache
def api_document() -> dict[str, Any]:
    return document(GROUPS)


def operations() -> list[Operation]:
    return [operation for group in GROUPS for operation in group.operations]


def check_answer(method: str, path: str, status: int, headers: dict[str, str], body: str) -> None:
    """Fail if an answer isn't documented: its status, its headers, or anything in its body."""
    template = _template(path)
    answers = _answers(template, method) if template else None
    if path in PUBLIC_PATHS and method == "GET":
        return
    if answers is None:  # no such operation
        assert status in (404, 405), (method, path, status)
        answers = {str(status): {"content": {"application/json": {}}}}
    assert str(status) in answers, f"{method} {template} answers {status}, which is not documented"
    answer = answers[str(status)]
    if method == "HEAD":
        return  # the gateway leaves the body out
    content = answer.get("content")
    if content is None:
        assert body == "", (method, template, status, body[:200])
        return
    assert headers["content-type"] in content
    _validator(template, method, status).validate(json.loads(body))
    known = {"content-type", *(name.lower() for name in answer.get("headers", ()))}
    assert set(headers) - {"allow", "cache-control"} <= known | {"x-request-id"}, (method, template, headers)


def _template(path: str) -> str | None:
    """Return the document's path for a called one; one without parameters comes first."""
    for template in sorted(api_document()["paths"], key=lambda path: path.count("{")):
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(_PREFIX + template))
        if re.fullmatch(pattern, path):
            return str(template)
    return None


def _answers(template: str, method: str) -> dict[str, Any] | None:
    operation = api_document()["paths"][template].get(method.lower())
    return None if operation is None else {code: _found(one) for code, one in operation["responses"].items()}


def _found(answer: dict[str, Any]) -> dict[str, Any]:
    name = answer.get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = api_document()["components"]["responses"][name] if name else answer
    return found


@cache
def _validator(template: str | None, method: str, status: int) -> Draft202012Validator:
    answers = _answers(template, method) if template else None
    schema: dict[str, Any] = {"$ref": "#/components/schemas/ErrorAnswer"}
    if answers is not None:
        schema = answers[str(status)]["content"]["application/json"]["schema"]
    return Draft202012Validator({**schema, "components": {"schemas": _closed_schemas()}})


@cache
def _closed_schemas() -> dict[str, Any]:
    """Return the schemas such that what they don't name is an error."""
    schemas = copy.deepcopy(api_document()["components"]["schemas"])
    for schema in schemas.values():
        if schema.get("type") == "object" and "properties" in schema:
            schema.setdefault("additionalProperties", False)
    return dict(schemas)
