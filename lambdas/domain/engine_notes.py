"""Notes to the user on how an engine renders a film that has another size or rate than its own."""

from collections.abc import Sequence

from lambdas.domain.engines import CATALOGUE, Engine, deployed
from lambdas.domain.film_format import FpsMode, Framing, Size, cropped, orientation
from lambdas.domain.shapes import Shape
from lambdas.domain.video_request import VideoRequest

# A smaller cut, such as 1360x768 for 16:9, is not worth a note; the record has its share anyway.
_NOTED = 0.05
_NOTED_IN_SHAPES = 0.25  # whoever asks for another shape expects some


def notes_of(request: VideoRequest, offered: frozenset[str], workflow: str) -> tuple[str, ...]:
    """Return sentences on what is cut, what is added and how frames are made; empty if nothing is.

    `offered` names the engines of this deployment, `workflow` is its parameter of that name.
    """
    name = request.draft_for or request.engine
    film, rendered = (request.width, request.height), request.rendered_size
    notes = []
    if shape := _shape(name, film, rendered, request.fit):
        notes.append(" ".join([shape, *_other(name, film, offered, workflow)]))
    rate = request.rendered_fps
    if rate not in (None, request.fps):
        repeated = "left out" if request.fps < (rate or 0) else "repeated"
        how = repeated if request.fps_mode is FpsMode.REPEAT else "blended"
        notes.append(
            f"Engine {request.engine} renders {rate} frames per second; "
            f"frames are {how} to make {request.fps}."
        )
    return tuple(notes)


def shape_notes(shapes: Sequence[Shape], request: VideoRequest) -> tuple[str, ...]:
    """Return sentences on the further shapes of a film that leave much of its picture out."""
    film = request.width, request.height
    return tuple(
        f"{shape_note_start(shape)}shows {1 - cut:.0%} of the film's picture. Say with focal_point what it "
        "keeps in view, or send fit=blur or fit=contain to keep all of it."
        for shape in shapes
        if (cut := shape.cropped(film)) >= _NOTED_IN_SHAPES
    )


def shape_note_start(shape: Shape) -> str:
    """Return how a note on a shape begins."""
    return f"Shape {shape.aspect} "


def _shape(name: str, film: Size, rendered: Size, fit: Framing) -> str | None:
    """Return the note on a film of another shape than the rendered picture's, or None."""
    cut = cropped(rendered, film, Framing.COVER)
    turned = orientation(film) != orientation(rendered)
    if cut < _NOTED and not turned:
        return None
    renders = f"Engine {name} renders {orientation(rendered)} ({rendered[0]}x{rendered[1]})"
    asked = f"this {orientation(film)} film ({film[0]}x{film[1]})"
    match fit:
        case Framing.COVER:
            return (
                f"{renders}: {asked} shows the middle of its picture, and {cut:.0%} is cut. To keep all of "
                "it, send fit=contain or fit=blur."
            )
        case Framing.CONTAIN:
            return f"{renders}: {asked} shows all of it, with black bars."
        case Framing.BLUR:
            return f"{renders}: {asked} shows all of it, over a blurred copy."


def _other(name: str, film: Size, offered: frozenset[str], workflow: str) -> list[str]:
    """Return a sentence that names the engines offered here that render a film's orientation, if this one
    does not; drafts aside."""
    wanted = orientation(film)
    if orientation(CATALOGUE[name].rendered_size(film)) == wanted:
        return []
    engines = [deployed(other, workflow) for other in CATALOGUE if other in offered and other != name]
    able = [
        _described(engine)
        for engine in engines
        if not engine.draft and orientation(engine.rendered_size(film)) == wanted
    ]
    return [f"Renders {wanted} here: {', '.join(able)}."] if able else []


def _described(engine: Engine) -> str:
    return f"{engine.name} (starts from an image)" if engine.image == "required" else engine.name
