"""Have a text model that sees their pictures describe a film's characters."""

from lambdas.adapters.characters import Characters
from lambdas.adapters.objects import Objects
from lambdas.adapters.text_model import TextModel
from lambdas.adapters.videos import Videos
from lambdas.domain.character_questions import ANSWER_TOKENS, SYSTEM, accept_description, message
from lambdas.domain.characters import CastMember, Description
from lambdas.domain.errors import ArtifactMissing, TextModelFailed, TextModelUnavailable, VideoClosed
from lambdas.domain.video import TEXT_MODEL, Video
from lambdas.telemetry import logger

_TEMPERATURE = 0.2


def described(video: Video, videos: Videos, inputs: Objects, model: TextModel) -> Video:
    """Return the video with a description of each character whose user gave none.

    A description is kept with the character, so it is the same in all films. Where the text model can't see,
    or fails, the film is made with the name alone, and the record says so; the next attempt asks again.

    Raises VideoClosed if the record has changed meanwhile.
    """
    if all(one.looks for one in video.cast):
        return video
    video = videos.amend(video, waits_for=TEXT_MODEL) or video
    cast = tuple(one if one.looks else _described(video.tenant, one, inputs, model) for one in video.cast)
    if cast == video.cast:
        return video
    changed = videos.amend(video, cast=cast)
    if changed is None:
        raise VideoClosed(f"video {video.id} changed while its characters were being described")
    return changed


def _described(tenant: str, member: CastMember, inputs: Objects, model: TextModel) -> CastMember:
    def write() -> Description:
        try:
            answer = model.ask(
                system=SYSTEM,
                message=message(member.name),
                picture=inputs.get(member.image.key),
                max_tokens=ANSWER_TOKENS,
                temperature=_TEMPERATURE,
            )
        except (TextModelFailed, TextModelUnavailable, ArtifactMissing) as error:
            return Description(text="", note=_note(member, error.message))
        text, problem = accept_description(answer.text, answer.stop_reason, member.name)
        note = _note(member, problem) if problem else None
        return Description(text=text, by=answer.by, note=note, cost=answer.cost)

    description = Characters(inputs).describe(tenant, member, write)
    logger.info("character described", extra={"character": member.id, "by": description.by})
    return member.model_copy(update={"described": description})


def _note(member: CastMember, why: str) -> str:
    return (
        f"{member.name} could not be described, so prompts have the name alone: {why}. Send a description "
        "with the character, or choose a text model that takes images."
    )
