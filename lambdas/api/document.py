"""Write the API's OpenAPI document from what its operations declare and the types that parse and build.

The function imports this only when somebody asks for the document. A field's description in it is its
docstring, then what is allowed, in the words of the error that refuses anything else.
"""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from itertools import pairwise
from typing import Any, get_args

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue
from pydantic_core import core_schema

from lambdas.api.answers import ErrorAnswer, VideoObject
from lambdas.api.operations import PATH_PARAMETERS, QUOTA_HEADERS, Body, Header, Operation, Routes
from lambdas.domain import names
from lambdas.domain.errors import InvalidRequest, RequestError
from lambdas.intake.fields import Fields
from lambdas.intake.files import AS_TEXT, OTHER_FILE_NAMES, VIDEO
from lambdas.intake.other_names import KNOWN, OURS

VERSION = "v1"  # of the API; its paths begin with it
_REFS = "#/components/schemas/{model}"
_JSON, _FORM = "application/json", "multipart/form-data"

_ABOUT = """\
OpenAI's Videos API with additional fields: its clients work unchanged.

Send `Authorization: Bearer …` with an API key or a user's token. Each answer has an `x-request-id`. An error
names the field at fault in `param`, and says in `message` what is allowed.

Google's client works, too, below `/v1beta`. That API has another shape of errors; Google's documents describe
it.
"""

# What any operation may answer: the codes, and what they mean. Some come from API Gateway itself
# (cdk/api.py).
ANY: Mapping[HTTPStatus, tuple[Sequence[str], str]] = {
    HTTPStatus.UNAUTHORIZED: (["invalid_api_key"], "No valid API key or token was sent."),
    HTTPStatus.FORBIDDEN: (
        ["access_denied", "bad_request", "insufficient_scope"],
        "The caller, its key or its network may not do this.",
    ),
    HTTPStatus.TOO_MANY_REQUESTS: (
        ["rate_limit_exceeded", "quota_exceeded"],
        "Too many requests, or a quota of the tenant is used up, which `param` names; send it again after "
        "`Retry-After` seconds.",
    ),
    HTTPStatus.INTERNAL_SERVER_ERROR: (
        ["internal_error", "server_error"],
        "An error of the server; its log has the details under the answer's x-request-id.",
    ),
    HTTPStatus.SERVICE_UNAVAILABLE: (["service_unavailable"], "Send it again after `Retry-After` seconds."),
    HTTPStatus.GATEWAY_TIMEOUT: (["timeout"], "It took too long. If it has a file, make that smaller."),
}
# What only some requests are answered.
SOME: Mapping[HTTPStatus, tuple[Sequence[str], str]] = {
    HTTPStatus.METHOD_NOT_ALLOWED: (["method_not_allowed"], "The URL has other methods, named in `Allow`."),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: (
        ["request_too_large"],
        "A request may have at most 6 MB, including files as base64.",
    ),
}
MEANINGS: Mapping[HTTPStatus, str] = {
    HTTPStatus.BAD_REQUEST: "The request is invalid; `message` names the field and what is allowed.",
    HTTPStatus.NOT_FOUND: "There is no such thing, or it isn't yours.",
    HTTPStatus.CONFLICT: "Not possible now. OpenAI's clients don't repeat it: `x-should-retry` is false.",
    HTTPStatus.PRECONDITION_FAILED: "It has changed since you read it.",
    HTTPStatus.BAD_GATEWAY: "A model that this request needs did not answer; `message` says why.",
}
_REQUEST_ID = Header(names.REQUEST_ID_HEADER, "Names this request in the server's logs.", {"type": "string"})
_RETRY_AFTER = Header("Retry-After", "Seconds to wait.", {"type": "integer"})
_SHOULD_RETRY = Header("x-should-retry", "Tells OpenAI's clients not to repeat it.", {"const": "false"})
_LOCATION = Header("Location", "The link, valid for an hour.", {"type": "string", "format": "uri"})


_FILE_ID = {"type": "object", "properties": {"file_id": {"type": "string"}}, "required": ["file_id"]}
_CLIP = "A clip (MP4) or a picture of the character: a file in a form, or `{file_id}` of an upload."


def document(groups: Sequence[Routes]) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the groups' operations.

    Its server is relative to where the document is served, so that it holds on a PC, at a stage of API
    Gateway and at a domain. What is beside the API, as the document itself, is left out.
    """
    prefix = f"/{VERSION}/"
    operations = [one for group in groups for one in group.operations if one.path.startswith(prefix)]
    schemas = Schemas(operations)
    paths: dict[str, Any] = {}
    for operation in operations:
        path = paths.setdefault(template(operation.path).removeprefix(f"/{VERSION}"), {})
        for method in operation.methods:
            path[method.lower()] = _operation(operation, method, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Reelworks", "version": VERSION, "description": _ABOUT},
        "servers": [{"url": f"./{VERSION}"}],
        "security": [{"key": []}],
        "tags": [
            {"name": group.name, "description": group.about}
            for group in groups
            if any(operation in operations for operation in group.operations)
        ],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API key (`reel keys create TENANT`), or a token of the user pool.",
                }
            },
            "schemas": schemas.components,
            "responses": {
                status.name: _refusal(codes, says, status) for status, (codes, says) in ANY.items()
            },
            "links": _links(operations),
        },
    }


def template(path: str) -> str:
    """/v1/videos/<video_id> → /v1/videos/{video_id}"""
    return path.replace("<", "{").replace(">", "}")


def path_parameters(path: str) -> list[str]:
    return re.findall(r"<(\w+)>", path)


# --- operations


def _operation(operation: Operation, method: str, schemas: "Schemas") -> dict[str, Any]:
    head = method == "HEAD"
    written: dict[str, Any] = {
        "operationId": f"{operation.id}_head" if head else operation.id,
        "tags": [operation.group],
        "summary": operation.summary,
        "description": inspect.cleandoc(operation.description),
        "parameters": [
            *(_path_parameter(name) for name in path_parameters(operation.path)),
            *schemas.query_parameters(operation),
            *(_header_parameter(header) for header in operation.headers),
        ],
        "responses": _responses(operation, schemas, head=head),
    }
    if operation.body:
        written["requestBody"] = {"required": True, "content": schemas.contents(operation)}
    if operation.public:
        written["security"] = []
    return {name: value for name, value in written.items() if value != "" and (value or name == "security")}


def _path_parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, **PATH_PARAMETERS[name]}


def _header_parameter(header: Header) -> dict[str, Any]:
    return {"name": header.name, "in": "header", "description": header.description, "schema": header.schema}


def _responses(operation: Operation, schemas: "Schemas", *, head: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if operation.redirects:
        gives = ", ".join(operation.redirects)
        found["302"] = {
            "description": f"A link to the file: {gives}.",
            "headers": _headers((_LOCATION, *operation.sends)),
        }
    if operation.answer is not None or not operation.redirects:
        found["200"] = {
            "description": "Success.",
            "headers": _headers(operation.sends),
            "content": {operation.media_type: {"schema": schemas.answer(operation)}},
        }
        if VideoObject in (operation.answer, *get_args(operation.answer)) and not path_parameters(
            operation.path
        ):
            found["200"]["links"] = {id_: {"$ref": f"#/components/links/{id_}"} for id_ in schemas.linked}
    for status, classes in _errors_by_status(operation).items():
        codes = list(dict.fromkeys(error.code for error in classes))
        found[str(status.value)] = _refusal(codes, MEANINGS[status], status)
    if operation.body:
        too_large = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        found["413"] = _refusal(*SOME[too_large], too_large)
    for status in ANY:
        if not (operation.public and status is HTTPStatus.UNAUTHORIZED):
            found[str(status.value)] = {"$ref": f"#/components/responses/{status.name}"}
    if head:  # an answer to HEAD has no body
        bodiless = {code: {"description": HTTPStatus(int(code)).phrase} for code in found if code != "302"}
        found |= bodiless
    return dict(sorted(found.items()))


def _errors_by_status(operation: Operation) -> dict[HTTPStatus, list[type[RequestError]]]:
    errors = list(operation.errors)
    if operation.body or operation.query or operation.headers:
        errors.insert(0, InvalidRequest)
    return {
        status: [error for error in errors if error.status is status]
        for status in dict.fromkeys(error.status for error in errors)
    }


def _refusal(codes: Sequence[str], says: str, status: HTTPStatus) -> dict[str, Any]:
    sends = {
        HTTPStatus.SERVICE_UNAVAILABLE: [_RETRY_AFTER],
        HTTPStatus.TOO_MANY_REQUESTS: [_RETRY_AFTER, _SHOULD_RETRY, *QUOTA_HEADERS],
        HTTPStatus.CONFLICT: [_SHOULD_RETRY],
    }.get(status, [])
    code = {"properties": {"error": {"properties": {"code": {"enum": list(codes)}}}}}
    return {
        "description": f"{says} Codes: {', '.join(f'`{one}`' for one in codes)}.",
        "headers": _headers(sends),
        "content": {_JSON: {"schema": {"allOf": [{"$ref": _REFS.format(model="ErrorAnswer")}, code]}}},
    }


def _headers(sends: Iterable[Header]) -> dict[str, Any]:
    return {
        header.name: {"description": header.description, "schema": header.schema}
        for header in (_REQUEST_ID, *sends)
    }


def _links(operations: Sequence[Operation]) -> dict[str, Any]:
    return {
        operation.id: {
            "operationId": operation.id,
            "parameters": {"video_id": "$response.body#/id"},
            "description": operation.summary + ".",
        }
        for operation in _linked(operations)
    }


def _linked(operations: Sequence[Operation]) -> list[Operation]:
    return [operation for operation in operations if path_parameters(operation.path) == ["video_id"]]


# --- schemas


class Schemas:
    """The schemas of all operations: `components` by name, and what refers to them."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        self.linked = [operation.id for operation in _linked(operations)]
        bodies = [operation.body.model for operation in operations if operation.body]
        parsed = {*bodies, *(operation.query for operation in operations if operation.query)}
        answers = {operation.answer for operation in operations if operation.answer is not None}
        modes: dict[Any, JsonSchemaMode] = {ErrorAnswer: "serialization", Fields: "validation"}
        modes |= {answer: _mode_of(answer) for answer in answers}
        modes |= dict.fromkeys(parsed, "validation")
        inputs = [(of, mode, TypeAdapter(of)) for of, mode in modes.items()]
        by_type, definitions = TypeAdapter.json_schemas(
            inputs, ref_template=_REFS, schema_generator=_Generator
        )
        self._by_type = {of: schema for (of, _), schema in by_type.items()}
        self.components: dict[str, Any] = dict(definitions.get("$defs", {}))
        self._parameters = {
            operation.id: self._query(operation.query) for operation in operations if operation.query
        }
        written = [self._bodies(operation, operation.body) for operation in operations if operation.body]
        for of in parsed - answers:  # the bodies and parameters have what is in them
            del self.components[self._name(of)]
        for schemas in written:
            self.components |= schemas

    def answer(self, operation: Operation) -> Any:
        return self._by_type[operation.answer] if operation.answer is not None else {}

    def query_parameters(self, operation: Operation) -> list[dict[str, Any]]:
        return self._parameters.get(operation.id, [])

    def contents(self, operation: Operation) -> dict[str, Any]:
        """Return the body by media type."""
        assert operation.body is not None  # noqa: S101 - the caller's condition
        examples = {says: {"value": dict(value)} for says, value in operation.body.examples.items()}
        content = {
            _JSON: {"schema": {"$ref": _REFS.format(model=_body_name(operation))}, "examples": examples}
        }
        if operation.body.form:
            form = {"schema": {"$ref": _REFS.format(model=_body_name(operation) + "Form")}}
            content[_FORM] = form | ({} if operation.body.files else {"examples": examples})
        return content

    def _name(self, of: type[Any]) -> str:
        return str(self._by_type[of]["$ref"]).rpartition("/")[2]

    def _query(self, of: type[BaseModel]) -> list[dict[str, Any]]:
        found = []
        for name, schema in self.components[self._name(of)]["properties"].items():
            inner = {key: value for key, value in schema.items() if key not in ("description", "title")}
            found.append({"name": name, "in": "query", "description": schema["description"], "schema": inner})
        return found

    def _bodies(self, operation: Operation, body: Body) -> dict[str, Any]:
        model = self.components[self._name(body.model)]
        model = {key: value for key, value in model.items() if key != "title"}
        properties = dict(model["properties"])
        files = {name: AS_TEXT[name] for name in body.files if name in AS_TEXT}
        for name, file in files.items():
            properties[name] = {
                "description": f"{file.use} Must be {file.what}: a file in a form, a data URL, or the "
                "`file_id` of an upload.",
                "anyOf": [
                    {
                        "type": "object",
                        "properties": {file.url: {"type": "string", "pattern": "^data:"}},
                        "required": [file.url],
                    },
                    {"type": "string", "pattern": "^data:"},
                    _FILE_ID,
                ],
            }
        if VIDEO in body.files and VIDEO not in properties:
            properties[VIDEO] = {"description": _CLIP, **_FILE_ID}
        elif VIDEO in body.files:
            told = properties[VIDEO]
            properties[VIDEO] = {"description": told["description"], "anyOf": [told, _FILE_ID]}
        if body.other_names:
            for name, meaning in KNOWN.items():
                ours = properties.get(OURS.get(name, ""), {}) if name != "lora" else {}
                properties[name] = {**ours, "description": meaning, "x-other-server": True}
            for name, ours in OTHER_FILE_NAMES.items():
                properties[name] = {
                    **properties[ours],
                    "description": f"Another name of `{ours}`.",
                    "x-other-server": True,
                }
        found = {_body_name(operation): {**model, "properties": properties}}
        if body.form:
            every = self.components[self._name(Fields)]["properties"]
            form = {name: self._in_form(schema) for name, schema in properties.items()}
            form |= {name: self._in_form(every[name]) for name in body.with_file}
            for name in body.files:
                said = properties[name]["description"]
                form[name] = {"type": "string", "format": "binary", "description": said}
                if name in properties and name not in files:
                    form[name] = {
                        "description": properties[name]["description"],
                        "anyOf": [{"type": "string", "format": "binary"}, {"type": "string"}],
                    }
            found[_body_name(operation) + "Form"] = {**model, "properties": form}
        return found

    def _in_form(self, schema: JsonSchemaValue) -> JsonSchemaValue:
        """Return the schema of a form's field: an object or a list is its JSON text."""
        if not self._is_nested(schema):
            return schema
        return {
            "type": "string",
            "contentMediaType": _JSON,
            **{key: value for key, value in schema.items() if key in ("description", "x-other-server")},
        }

    def _is_nested(self, schema: JsonSchemaValue) -> bool:
        if "$ref" in schema:
            return self._is_nested(self.components[schema["$ref"].rpartition("/")[2]])
        if any(self._is_nested(option) for option in schema.get("anyOf", ())):
            return True
        return schema.get("type") in ("object", "array")


def _mode_of(answer: Any) -> JsonSchemaMode:
    """Documents leave out what is None, so only what must be sent is always there."""
    return "validation" if isinstance(answer, type) and issubclass(answer, BaseModel) else "serialization"


def _body_name(operation: Operation) -> str:
    return "".join(word.title() for word in operation.id.split("_"))


class _Generator(GenerateJsonSchema):
    """Pydantic's schemas with the fields' docs. Numbers and booleans may be text where they are parsed so."""

    def int_schema(self, schema: core_schema.IntSchema) -> JsonSchemaValue:
        return self._or_text(super().int_schema(schema), schema, "^[+-]?[0-9]+$")

    def float_schema(self, schema: core_schema.FloatSchema) -> JsonSchemaValue:
        return self._or_text(
            super().float_schema(schema), schema, r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
        )

    def bool_schema(self, schema: core_schema.BoolSchema) -> JsonSchemaValue:
        return self._or_text(super().bool_schema(schema), schema, "^(?:true|false|1|0)$")

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        written = _documented(super().model_schema(schema), schema["cls"])
        if self.mode == "serialization":
            written.pop("additionalProperties", None)  # a later version may have more
        return written

    def typed_dict_schema(self, schema: core_schema.TypedDictSchema) -> JsonSchemaValue:
        return _documented(super().typed_dict_schema(schema), schema["cls"])

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def _or_text(self, written: JsonSchemaValue, schema: Any, pattern: str) -> JsonSchemaValue:
        if self.mode == "serialization" or schema.get("strict"):
            return written
        return {**written, "type": [written["type"], "string"], "pattern": pattern}


# Pydantic's names for limits that it can't write as JSON Schema's, beside a validator of ours.
_LIMITS = {"ge": "minimum", "le": "maximum", "gt": "exclusiveMinimum", "lt": "exclusiveMaximum"}


def _documented(schema: JsonSchemaValue, of: type[Any]) -> JsonSchemaValue:
    """Put the fields' docstrings before what their descriptions say is allowed."""
    docs = _field_docs(of)
    for name, written in schema.get("properties", {}).items():
        if "default" in written and written["default"] is None:
            del written["default"]
        for option in (written, *written.get("anyOf", ())):
            for ours, theirs in _LIMITS.items():
                if ours in option:
                    option[theirs] = option.pop(ours)
        allowed = written.get("description")
        said = [docs.get(name), allowed and f"Must be {allowed}."]
        if any(said):
            written["description"] = " ".join(filter(None, said))
    return schema


def _field_docs(of: type[Any]) -> dict[str, str]:
    """Return the docstrings under the fields of a model or typed dictionary and of its bases."""
    docs: dict[str, str] = {}
    bases = getattr(of, "__orig_bases__", of.__bases__)
    for base in bases:
        if isinstance(base, type) and base.__module__.startswith("lambdas."):
            docs |= _field_docs(base)
    [tree] = ast.parse(textwrap.dedent(inspect.getsource(of))).body
    assert isinstance(tree, ast.ClassDef)  # noqa: S101 - for the type checker
    for statement, after in pairwise(tree.body):
        match statement, after:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(said))),
            ):
                docs[name] = " ".join(said.split())
    return docs
