"""Decide the film's size in pixels from a request's fields."""

from lambdas.domain.engines import Engine
from lambdas.domain.errors import InvalidRequest
from lambdas.domain.film_format import Size, parse_shape, same_shape
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


def _parsed(size: str) -> Size:
    width, height = map(int, size.split("x"))
    return width, height
