"""Decide the film's size in pixels from a request's fields."""

from collections.abc import Sequence

from lambdas.domain.engines import Engine
from lambdas.domain.errors import InvalidRequest
from lambdas.domain.film_format import Size, parse_shape, same_shape
from lambdas.domain.shapes import Shape
from lambdas.intake.fields import Fields


def film_size(fields: Fields, engine: Engine) -> Size:
    """Return the size asked for, the size of the aspect asked for, or the engine's default.

    Raises InvalidRequest if `aspect` is no film's shape or contradicts `size`.
    """
    size = _parsed(fields.size) if fields.size else None
    if fields.aspect is None:
        return size or engine.sizes.default
    shape = parse_shape(fields.aspect)
    if size is None:
        return engine.size_of_shape(shape)
    if not same_shape(size, shape):
        width, height = engine.size_of_shape(shape)
        raise InvalidRequest(
            f"aspect must be omitted when size is set, or be its shape; got {fields.aspect} and "
            f"{fields.size}. For {fields.aspect}, send aspect alone, which gives {width}x{height}.",
            param="aspect",
        )
    return size


def check_shapes(shapes: Sequence[Shape], film: Size) -> None:
    """Raise InvalidRequest if one of a film's further shapes is the film's own."""
    for shape in shapes:
        if same_shape(film, parse_shape(shape.aspect)):
            raise InvalidRequest(
                f"shapes must not have {shape.aspect}: the film itself is {film[0]}x{film[1]}. Omit it.",
                param="shapes",
            )


def _parsed(size: str) -> Size:
    width, height = map(int, size.split("x"))
    return width, height
