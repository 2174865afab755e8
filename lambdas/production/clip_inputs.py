"""What a clip is made of besides words: the picture that it begins with, and footage."""

from fractions import Fraction

from lambdas.adapters.objects import Objects
from lambdas.domain import keys
from lambdas.domain.assembly import Fit
from lambdas.domain.errors import ArtifactMissing
from lambdas.domain.film_plan import Clip, FilmPlan, Scene
from lambdas.media.conform import FilmFormat, excerpt
from lambdas.media.frames import last_frame

_SEND = "Download the film that this one was to be made of, and edit or extend that, sent as a file."


def first_picture(plan: FilmPlan, scene: Scene, inputs: Objects, outputs: Objects) -> bytes | None:
    """What the scene begins with: the last frame of the clip that it goes on from, else the user's image at
    the film's start, else its still, if any. Raises ArtifactMissing."""
    if (before := scene.clips[0].starts_from) is not None:
        return last_frame(outputs.get(keys.clip(plan.tenant, plan.clip(before)[1].key_hash)))
    if plan.image is not None and scene.index == 0:
        return inputs.get(plan.image)
    return outputs.get(scene.still) if scene.still is not None else None


def footage(plan: FilmPlan, clip: Clip, inputs: Objects, outputs: Objects) -> bytes | None:
    """The MP4 that the clip is made of, of as many frames as are rendered and in the film's format: where
    the first ones are left out, they are the first picture, which waits. None: it is made of words alone.

    Raises ArtifactMissing, ClipUnreadable.
    """
    found = clip.footage
    if found is None:
        return None
    try:
        data = inputs.get(found.file) if found.file else outputs.get(keys.clip(plan.tenant, str(found.clip)))
    except ArtifactMissing as error:
        # Nothing of this film says how they were made.
        raise ArtifactMissing(
            f"the pictures that clip {clip.index} is made of have expired", advice=_SEND
        ) from error
    film = FilmFormat(plan.width, plan.height, Fraction(plan.fps))
    return excerpt(data, film, Fit.COVER, start=found.start, frames=clip.frames, lead=clip.skip_frames)
