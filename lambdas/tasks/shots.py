"""What the scenes of a storyboard are planned from: their words, and what was spoken and drawn of them."""

from collections.abc import Sequence
from functools import partial

from lambdas.adapters.objects import Objects
from lambdas.domain.direction import SCENE_SECONDS
from lambdas.domain.direction_answers import scene_prompt
from lambdas.domain.engines import Engine
from lambdas.domain.english import sentences
from lambdas.domain.errors import NarrationTooLong
from lambdas.domain.film_plan import Shot
from lambdas.domain.narration import Spoken
from lambdas.domain.prompts import clip_prompts
from lambdas.domain.storyboard import Scene, Storyboard
from lambdas.domain.video import PartProgress, Video


def shots(video: Video, engine: Engine, storyboard: Storyboard, outputs: Objects) -> list[Shot]:
    """One per scene, in order. Raises ArtifactMissing; NarrationTooLong naming a scene and by how much."""
    planned: list[Shot] = []
    ends = 0.0  # counted in seconds, so that rounding to frames does not add up
    for index, scene in enumerate(storyboard.scenes):
        narration = _artifact(video.narrations, index)
        spoken = Spoken.model_validate_json(outputs.get(narration)) if narration else None
        begins, ends = ends, ends + _seconds(index, scene, spoken)
        prompt = scene_prompt(storyboard, scene.video, engine.prompt_tokens)
        avoided = (scene.video.negative_prompt, video.request.negative_prompt)
        planned.append(
            Shot(
                text=sentences(scene.video.positive_prompt)[0],
                negative_prompt=", ".join(text for text in avoided if text),
                frames=round(ends * video.request.fps) - round(begins * video.request.fps),
                prompts=partial(clip_prompts, prompt, budget=engine.prompt_tokens),
                still=_hash(_artifact(video.stills, index)),
                narration=spoken.sentences if spoken else (),
            )
        )
    return planned


def _artifact(parts: Sequence[PartProgress], scene: int) -> str | None:
    return parts[scene].artifact if parts else None


def _hash(artifact: str | None) -> str | None:
    """What it is named by."""
    return artifact.rpartition("/")[2].partition(".")[0] if artifact else None


def _seconds(index: int, scene: Scene, spoken: Spoken | None) -> float:
    """As the storyboard has it; else as the narration takes."""
    takes = spoken.seconds if spoken else None
    if scene.seconds is None:
        return takes or SCENE_SECONDS
    if takes is not None and takes > scene.seconds + 0.02:
        raise NarrationTooLong(
            f"scenes[{index}].narration takes {takes:.1f} s with its pauses, "
            f"{takes - scene.seconds:.1f} s longer than its scene of {scene.seconds:g} s"
        )
    return scene.seconds
