"""Shots that a storyboard's scenes are planned from: their words, narration and stills."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from math import ceil, floor

from lambdas.adapters.objects import Objects
from lambdas.adapters.storyboards import Storyboards
from lambdas.domain.assembly import ClipSound
from lambdas.domain.brief import SCENE_SECONDS
from lambdas.domain.characters import appearing, opening
from lambdas.domain.engines import Engine
from lambdas.domain.errors import ArtifactMissing, NarrationTooLong
from lambdas.domain.film_plan import Card, Footage, Picture, Scene
from lambdas.domain.narration import Spoken
from lambdas.domain.origin import storyboard_shots
from lambdas.domain.planning import Own, Shot
from lambdas.domain.prompts import clip_prompts
from lambdas.domain.sentences import sentences
from lambdas.domain.storyboard import CARD_SECONDS, Frame, Storyboard, seed_of
from lambdas.domain.storyboard import Scene as StoryboardScene
from lambdas.domain.storyboard_answers import scene_prompt
from lambdas.domain.video import Video
from lambdas.domain.video_parts import PartProgress, part_of
from lambdas.domain.video_request import NarrationFit
from lambdas.production.plans import source_plan


def shots(video: Video, engine: Engine, storyboard: Storyboard, outputs: Objects) -> list[Shot | Scene]:
    """Return one shot per scene, in order. Scenes taken over from the source video are returned unchanged.

    Raises ArtifactMissing; NarrationTooLong naming the scene and by how much.
    """
    planned = _planned(video, engine, storyboard, outputs)
    origin, source = video.request.origin, source_plan(outputs, video)
    if source is None or origin is None or origin.storyboard is None:
        return [*planned]
    before = Storyboards(outputs).of(video, origin.storyboard)
    return storyboard_shots(planned, storyboard, engine, origin=origin, source=source, before=before)


def _planned(video: Video, engine: Engine, storyboard: Storyboard, outputs: Objects) -> list[Shot]:
    planned: list[Shot] = []
    prompts = [scene.video for scene in storyboard.scenes]
    played = appearing(video.cast, storyboard.scene_texts)
    fps = video.request.fps
    ends = Fraction(0)
    for index, scene in enumerate(storyboard.scenes):
        spoken = _spoken(video, index, outputs) if scene.is_spoken else None
        if scene.seconds is None:
            # Independent of other scenes, so that changing one scene's words changes no other's clips.
            silent = CARD_SECONDS if scene.own else SCENE_SECONDS
            frames = _frame(spoken.seconds if spoken else silent, fps)
        else:
            # Cumulative, so that rounding errors do not add up.
            begins, ends = ends, ends + _seconds(index, scene.seconds, spoken, video.request.narration_fit)
            frames = _frame(ends, fps) - _frame(begins, fps)
        if scene.own is not None:
            planned.append(_own_shot(video, scene, frames, spoken))
            continue
        members = played[index]
        prompt = scene_prompt(storyboard, scene.video, engine.prompt_tokens, members)
        avoided = (scene.video.negative_prompt, video.request.negative_prompt)
        planned.append(
            Shot(
                text=sentences(scene.video.positive_prompt)[0],
                negative_prompt=", ".join(text for text in avoided if text),
                frames=frames,
                prompts=partial(clip_prompts, prompt, budget=engine.prompt_tokens),
                still=_hash(_artifact(video.stills, index)) if scene.first_frame is None else None,
                starts_on=_given(video, scene.first_frame),
                ends_on=_given(video, scene.last_frame),
                narration=spoken.sentences if spoken else (),
                recording=_recording(video, scene),
                least=ceil(Fraction(str(spoken.seconds)) * fps - Fraction(1, 2)) if spoken else 0,
                seed=seed_of(prompts, index, video.seed),
                continues=scene.continues,
                characters=members,
                opens_with=opening(members, scene.video.positive_prompt),
                focal_point=scene.focal_point,
                lower_third=scene.lower_third,
            )
        )
    return [
        replace(shot, ends_on=_first_picture(video, index + 1, planned)) if scene.meets_next else shot
        for index, (shot, scene) in enumerate(zip(planned, storyboard.scenes, strict=True))
    ]


def _first_picture(video: Video, index: int, planned: Sequence[Shot]) -> Picture | None:
    """Return the picture that a scene other than the first starts from: the user's own for it, else its
    still, else that of the character it begins with."""
    shot, still = planned[index], _artifact(video.stills, index)
    if shot.starts_on is not None:
        return shot.starts_on
    if still is not None and shot.still is not None:
        return Picture(key=still, sha256=shot.still)
    if (opener := shot.opens_with) is not None:
        return Picture(key=opener.image.key, sha256=opener.image.sha256, uploaded=True)
    return None


def _given(video: Video, frame: Frame | None) -> Picture | None:
    if frame is None:
        return None
    return Picture(key=frame.key(video.tenant), sha256=frame.sha256, uploaded=True)


def between_ends(video: Video, shots: Sequence[Shot | Scene]) -> list[Shot | Scene]:
    """Return the scenes of a film of one prompt between its brand's intro and outro, which only a film that
    is made from no other lacks."""
    brand = video.request.brand
    if brand is None or video.request.origin is not None:
        return [*shots]
    before, after = (
        [] if end is None else [_own_shot(video, end, _frame(end.seconds or CARD_SECONDS, video.request.fps))]
        for end in (brand.intro, brand.outro)
    )
    return [*before, *shots, *after]


def _own_shot(video: Video, scene: StoryboardScene, frames: int, spoken: Spoken | None = None) -> Shot:
    return Shot(
        text=scene.title.text if scene.title else sentences(scene.video.positive_prompt)[0],
        negative_prompt="",
        frames=frames,
        prompts=lambda count: [""] * count,
        narration=spoken.sentences if spoken else (),
        recording=_recording(video, scene),
        own=_own(video, scene),
        lower_third=scene.lower_third,
    )


def _own(video: Video, scene: StoryboardScene) -> Own:
    """Return what a scene shows that no engine renders."""
    if scene.clip is not None:
        start = _frame(scene.clip_start or 0, video.request.fps)
        sound = scene.clip.sound and video.request.clip_sound is not ClipSound.DROP
        return Own(footage=Footage(file=scene.clip.key(video.tenant), start=start), sound=sound)
    title = scene.title
    return Own(
        card=Card(
            picture=_given(video, scene.picture),
            zoom=scene.zoom,
            title=title.text if title else "",
            subtitle=title.subtitle if title else "",
            colours=video.request.colours,
            lettered=video.lettered,
            language=video.request.language,
        )
    )


def _spoken(video: Video, scene: int, outputs: Objects) -> Spoken:
    artifact = _artifact(video.narrations, scene)
    if artifact is None:
        raise ArtifactMissing(f"the narration of scene {scene} is missing")
    return Spoken.model_validate_json(outputs.get(artifact))


def _recording(video: Video, scene: StoryboardScene) -> str | None:
    recording = scene.narration.recording if scene.narration else None
    return recording.key(video.tenant) if recording else None


def _artifact(parts: Sequence[PartProgress], scene: int) -> str | None:
    part = part_of(parts, scene)
    return part.artifact if part else None


def _hash(artifact: str | None) -> str | None:
    """Return the hash in an artifact's key."""
    return artifact.rpartition("/")[2].partition(".")[0] if artifact else None


def _frame(seconds: float | Fraction, fps: int) -> int:
    """Return the nearest frame. Halves round up, so that whole seconds have the same number of frames
    wherever they start."""
    return floor(seconds * fps + Fraction(1, 2))


def _seconds(index: int, seconds: float, spoken: Spoken | None, fit: NarrationFit) -> Fraction:
    """Return how long a scene of a given length lasts with its narration. Raises NarrationTooLong."""
    if spoken is None or spoken.fits(seconds):
        return Fraction(str(seconds))
    if fit is NarrationFit.REFUSE:
        raise NarrationTooLong(
            f"scenes[{index}].narration takes {spoken.seconds:.1f} s including pauses, "
            f"{spoken.seconds - seconds:.1f} s longer than its {seconds:g} s scene"
        )
    return Fraction(str(spoken.seconds))
