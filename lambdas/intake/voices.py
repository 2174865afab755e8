"""Refuse, where a request names it, a voice that the speech service doesn't have or can't use."""

from collections.abc import Mapping, Sequence
from functools import cache

from lambdas.adapters.clients import client
from lambdas.adapters.voices import Voices
from lambdas.domain.characters import Role, voice_of
from lambdas.domain.errors import InvalidRequest
from lambdas.domain.narration import OfferedVoice, usual_engine
from lambdas.domain.storyboard import PartialScene, PartialStoryboard, Scene, Storyboard
from lambdas.domain.video_request import Voice
from lambdas.settings import IntakeSettings

_MOST_NAMED = 10


@cache
def voices() -> Voices:
    return Voices(client("polly"))


def check_voices(
    storyboard: Storyboard | PartialStoryboard | None,
    film: Voice,
    cast: Sequence[Role],
    settings: IntakeSettings,
) -> None:
    """Check the voices that a film asks for. Raises InvalidRequest, which names the field or path;
    ServiceUnavailable."""
    asked = {"voice": film.name} if film.name else {}
    scenes: Sequence[Scene | PartialScene] = storyboard.scenes if storyboard else ()
    for index, scene in enumerate(scenes):
        if scene.narration and (name := voice_of(scene.narration, cast)):
            asked[f"scenes[{index}].narration.{'voice' if scene.narration.voice else 'speaker'}"] = name
    for path, voice in check_names(asked).items():
        usual = usual_engine(voice.name, voice=settings.voice, engine=settings.voice_engine)
        engine = film.engine or usual
        if engine not in voice.engines:
            raise InvalidRequest(
                f"{path}: the voice {voice.name} has no engine {engine}. Send another voice, or voice_engine="
                f"{' or '.join(voice.engines)} with the film.",
                param=path,
            )


def check_names(asked: Mapping[str, str]) -> dict[str, OfferedVoice]:
    """Return the voice of each name, by field or path. Raises InvalidRequest for an unknown name;
    ServiceUnavailable."""
    if not asked:
        return {}
    known = {voice.name: voice for voice in voices().all()}
    for path, name in asked.items():
        if name not in known:
            some = f": {', '.join(known)}" if len(known) <= _MOST_NAMED else ""
            raise InvalidRequest(
                f"{path} must be one of the voices that GET /v1/voices lists{some}; got {name[:100]!r}.",
                param=path,
            )
    return {path: known[name] for path, name in asked.items()}
