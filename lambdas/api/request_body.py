"""Parse a request body into fields and files: JSON or, to create a video, also multipart/form-data.

OpenAI's clients (Python 3.57, npm 7.59) send every create as multipart, with numbers as strings, a missing
value as "", and objects and lists under bracketed names (`input_reference[image_url]`, `review[]`,
`characters[][id]`); Python 2.2 sends JSON. A more deeply nested value, for example a storyboard, is sent as
its JSON text.
"""

import base64
import json
import re
from collections.abc import Collection
from typing import Any

from lambdas.domain.errors import InvalidRequest
from lambdas.intake.files import FILES, File, take_files

_OF_OBJECTS = re.compile(r"\[\]\[([^\[\]]+)\]")


def parse_body(
    event: dict[str, Any], content_type: str | None, files: Collection[str] = tuple(FILES)
) -> tuple[dict[str, Any], dict[str, File]]:
    """Return (fields, files by field name) of an API Gateway event.

    Raises InvalidRequest naming what is malformed.
    """
    body, media_type = _decoded(event), _media_type(content_type)
    if media_type == "application/json":
        fields = _json_object(body)
        return fields, take_files(fields, files)
    if media_type == "multipart/form-data":
        return _parse_form(body, content_type or "", files)
    raise InvalidRequest(
        f"Content-Type must be application/json or multipart/form-data; got {media_type[:100]!r}.",
        param="content-type",
    )


def parse_json(event: dict[str, Any], content_type: str | None) -> dict[str, Any]:
    """Return the JSON object of an API Gateway event. Raises InvalidRequest naming what is malformed."""
    media_type = _media_type(content_type)
    if media_type != "application/json":
        raise InvalidRequest(
            f"Content-Type must be application/json; got {media_type[:100]!r}.", param="content-type"
        )
    return _json_object(_decoded(event))


def _media_type(content_type: str | None) -> str:
    return (content_type or "application/json").partition(";")[0].strip().lower()


def _decoded(event: dict[str, Any]) -> bytes:
    body = event.get("body") or ""
    try:
        return base64.b64decode(body, validate=True) if event.get("isBase64Encoded") else body.encode()
    except ValueError as error:
        raise InvalidRequest("The body has an invalid encoding.") from error


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"The body is not valid JSON: {error}.") from error
    except (ValueError, RecursionError) as error:  # Python's own limits
        raise InvalidRequest(
            "The body's JSON contains a number that is too long, or is nested too deeply."
        ) from error
    if not isinstance(value, dict):
        raise InvalidRequest("The body must be a JSON object.")
    return value


def _parse_form(
    body: bytes, content_type: str, allowed: Collection[str]
) -> tuple[dict[str, Any], dict[str, File]]:
    # Imported here: most requests are no forms, and the import slows the function's start.
    from python_multipart.exceptions import FormParserError
    from python_multipart.multipart import Field, FormParser, parse_options_header
    from python_multipart.multipart import File as Part

    fields: dict[str, Any] = {}
    files: dict[str, File] = {}
    ended = False

    def on_field(field: Field) -> None:
        _place(fields, (field.field_name or b"").decode(), (field.value or b"").decode())

    def on_file(file: Part) -> None:
        file.file_object.seek(0)
        name = (file.field_name or b"").decode().removesuffix("[]")  # a list of one file
        if name in files:
            raise _given_twice(name)
        files[name] = file.file_object.read()

    def on_end() -> None:
        nonlocal ended
        ended = True

    try:
        _, options = parse_options_header(content_type)
        if not options.get(b"boundary"):
            raise InvalidRequest(
                "Content-Type multipart/form-data requires a boundary parameter.", param="content-type"
            )
        parser = FormParser(
            "multipart/form-data",
            on_field,
            on_file,
            on_end,
            boundary=options[b"boundary"],
            # Write no temporary files and ignore nothing silently.
            config={"MAX_MEMORY_FILE_SIZE": len(body) + 1, "UPLOAD_ERROR_ON_BAD_CTE": True},
        )
        parser.write(body)
        parser.finalize()
    except (FormParserError, ValueError) as error:
        raise InvalidRequest(f"The multipart body is malformed: {str(error)[:200]}.") from error
    if not ended:
        raise InvalidRequest("The multipart body is malformed: it ends before its closing boundary.")

    for name in files:
        if name not in allowed:
            raise InvalidRequest(
                f"{name[:100]!r} can't be a file; fields that take a file: {', '.join(allowed)}.",
                param=name[:100],
            )
        if name in fields:
            raise _given_twice(name)
    as_text = take_files(fields, allowed)
    for name in files.keys() & as_text.keys():
        raise _given_twice(name)
    return fields, files | as_text


def _place(fields: dict[str, Any], name: str, value: str) -> None:
    """Add a form entry to `fields`: `a` is a field, `a[b]` an entry of the object in field `a`, `a[]` one of
    the list in field `a`, `a[][b]` an object with the one entry b in that list.

    Ignore empty text: OpenAI's client sends None as "", and so does a browser's form with a blank input.
    """
    if value == "":
        return
    outer, bracket, inner = name.partition("[")
    of_objects = _OF_OBJECTS.fullmatch(f"[{inner}")
    if "[" in inner and of_objects is None:
        raise _too_deep(name)
    if bracket and (inner == "]" or of_objects):
        entries = fields.setdefault(outer, [])
        if not isinstance(entries, list):
            raise _given_twice(name)
        entry = {of_objects[1]: value} if of_objects else value
        if any(_names_in(one) != _names_in(entry) for one in entries):
            # Entries of several names don't say which of them belong to the same object.
            raise _too_deep(name)
        entries.append(entry)
        return
    target, key = (fields.setdefault(outer, {}), inner.rstrip("]")) if bracket else (fields, outer)
    if not isinstance(target, dict) or key in target:
        raise _given_twice(name)
    target[key] = value


def _names_in(entry: object) -> set[str]:
    return set(entry) if isinstance(entry, dict) else set()


def _too_deep(name: str) -> InvalidRequest:
    outer = name.partition("[")[0][:100]
    return InvalidRequest(
        f"{name[:100]!r} is nested too deeply for a form; send {outer} as JSON text.", param=outer
    )


def _given_twice(name: str) -> InvalidRequest:
    return InvalidRequest(f"{name[:100]!r} is given more than once.", param=name[:100])
