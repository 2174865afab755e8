"""Inputs of a clip besides words: the picture that it starts from, and footage."""

from fractions import Fraction

from lambdas.adapters.objects import Objects
from lambdas.domain import keys
from lambdas.domain.assembly import FITS
from lambdas.domain.errors import ArtifactMissing, ClipUnreadable
from lambdas.domain.film_plan import Clip, FilmPlan, Scene
from lambdas.media.cards import card_clip
from lambdas.media.clip_sound import with_sound
from lambdas.media.conform import FilmFormat, excerpt
from lambdas.media.frames import last_frame
from lambdas.media.probe import Source, as_source
from lambdas.production.film_fonts import film_fonts

_SEND_ANOTHER = (
    "Check that the uploaded video plays from start to end, convert it to another MP4, and use that one."
)
_SEND = "Download the source film, then upload it and edit or extend the uploaded file."


def first_picture(plan: FilmPlan, scene: Scene, inputs: Objects, outputs: Objects) -> bytes | None:
    """Return the picture that the scene starts from: the last frame of the clip that it continues, else the
    user's for this scene, else (for the first scene) the user's for the film, else its still, else the
    picture of the character it begins with, else None. Raises ArtifactMissing."""
    if (before := scene.clips[0].starts_from) is not None:
        return last_frame(outputs.get(keys.clip(plan.tenant, plan.clip(before)[1].key_hash)))
    if scene.starts_on is not None:
        return inputs.get(scene.starts_on.key)
    if plan.image is not None and scene.index == plan.first_rendered:
        return inputs.get(plan.image)
    if scene.still is not None:
        return outputs.get(scene.still)
    return inputs.get(scene.picture) if scene.picture is not None else None


def own_clip(plan: FilmPlan, clip: Clip, inputs: Objects, outputs: Objects) -> bytes | None:
    """Return the MP4 of a clip that no engine renders: a card, or as `footage`. Raises as that does."""
    card = clip.card
    if card is None:
        return footage(plan, clip, inputs, outputs)
    picture = inputs.get(card.picture.key) if card.picture else None
    fonts = film_fonts(card.lettered, card.language, inputs)
    return card_clip(card, picture, (plan.width, plan.height), plan.fps, clip.frames, clip.fit, fonts)


def footage(plan: FilmPlan, clip: Clip, inputs: Objects, outputs: Objects) -> bytes | None:
    """Return the MP4 that the clip is made from, with as many frames as are rendered, at the engine's rate.
    Footage that is the clip itself, or another clip of the film, has the film's size; an uploaded file the
    plan's `given_size`. If the film leaves out the first frames, they hold the first picture. Footage that is
    the clip itself keeps its sound. Return None for a clip made from words alone.

    Raises ArtifactMissing, ClipUnreadable.
    """
    found = clip.footage
    if found is None:
        return None
    try:
        clip_key = keys.clip(plan.tenant, str(found.clip))
        # An uploaded file has up to 500 MB: it is read by ranges.
        data: Source = inputs.source(found.file) if found.file else outputs.get(clip_key)
    except ArtifactMissing as error:
        # This film's plan does not say how they were made.
        raise ArtifactMissing(f"the footage of clip {clip.index} has expired", advice=_SEND) from error
    own = found.file is None or clip.is_footage
    rate = plan.fps if clip.is_footage else plan.rate
    size = (plan.width, plan.height) if own else plan.given_size
    try:
        pictures = excerpt(
            data,
            FilmFormat(*size, Fraction(rate)),
            FITS[clip.fit],
            start=found.start * rate // plan.fps,
            frames=clip.frames,
            lead=clip.skip_frames,
        )
        if not (clip.is_footage and clip.sound):
            return pictures
        begin, seconds = (Fraction(frames, rate) for frames in (found.start, clip.frames))
        return with_sound(pictures, as_source(data), begin, seconds)
    except ClipUnreadable as error:
        if found.file is None:
            raise
        # Rendering the clip again would read the same file.
        message = f"the uploaded video can't be used: {error.message}"
        raise ClipUnreadable(message, advice=_SEND_ANOTHER) from error
