"""Turn pydantic's errors in a nested document into messages with the field's path and allowed values.

A field's description says what is allowed, worded to follow "must be".
"""

from typing import Any, NamedTuple, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from lambdas.domain.control_characters import visible

_LONGEST_SHOWN = 80  # characters of a wrong value


class WrongField(NamedTuple):
    path: str  # for example `scenes[2].video.positive_prompt`; empty for the document itself
    message: str  # begins with the path


def wrong_fields(document: type[BaseModel], error: ValidationError, name: str) -> list[WrongField]:
    """Return every invalid field in order; `name` is what to call the document itself."""
    found = []
    for problem in error.errors(include_url=False, include_context=False):
        location = problem["loc"]
        path = path_of(location)
        if problem["type"] == "extra_forbidden":
            siblings = _model_at(document, location[:-1])
            said = f"is not a field; allowed: {', '.join(siblings.model_fields) if siblings else 'none'}."
        elif problem["type"] == "missing":
            said = f"is required: {_allowed(document, location)}."
        else:
            said = f"must be {_allowed(document, location)}; got {_shown(problem['input'])}."
        found.append(WrongField(path, f"{path or name} {said}"))
    return found


def path_of(location: tuple[str | int, ...]) -> str:
    """Return `("scenes", 2, "video")` as `scenes[2].video`."""
    path = ""
    for part in location:
        step = visible(str(part))[:100]
        path += f"[{step}]" if isinstance(part, int) else f".{step}" if path else step
    return path


def _allowed(document: type[BaseModel], location: tuple[str | int, ...]) -> str:
    if location and isinstance(location[-1], str):
        parent = _model_at(document, location[:-1])
        if parent and (said := _description(parent.model_fields[location[-1]])):
            return said
    if len(location) > 1 and isinstance(location[-1], int) and isinstance(location[-2], str):
        parent = _model_at(document, location[:-2])
        if parent and (said := _shared_description(parent.model_fields[location[-2]])):
            return said
    model = _model_at(document, location)
    return f"an object with the fields {', '.join(model.model_fields)}" if model else "another value"


def _model_at(document: type[BaseModel], location: tuple[str | int, ...]) -> type[BaseModel] | None:
    model: type[BaseModel] | None = document
    for part in location:
        if isinstance(part, str) and model:
            model = _model_in(model.model_fields[part].annotation)
    return model


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the document type of a field or of its list's items, even if it may also be None."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for part in get_args(annotation) if (model := _model_in(part))), None)


def _description(field: FieldInfo) -> str | None:
    """Return the field's own description, or that of a shared type (`Text | None`)."""
    return field.description or _shared_description(field)


def _shared_description(field: FieldInfo) -> str | None:
    """Return the description of a type in the field's, such as that of its list's items."""
    notes = [note for part in get_args(field.annotation) for note in getattr(part, "__metadata__", ())]
    return next((note.description for note in notes if isinstance(note, FieldInfo)), None)


def _shown(value: Any) -> str:
    text = repr(value)
    if len(text) <= _LONGEST_SHOWN:
        return text
    return f"text of {len(value):,} characters" if isinstance(value, str) else f"{text[:_LONGEST_SHOWN]}…"
