"""Derive a film from another one: what it reuses, and what is planned again."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any

from lambdas.domain.characters import CastMember, appearing, opening, with_looks
from lambdas.domain.documents import fingerprint
from lambdas.domain.engines import Engine
from lambdas.domain.film_plan import Clip, FilmPlan, Footage, Scene
from lambdas.domain.planning import Shot, clip_lengths
from lambdas.domain.prompts import clip_prompts, with_change
from lambdas.domain.storyboard import Scene as StoryboardScene
from lambdas.domain.storyboard import Storyboard
from lambdas.domain.video import Video
from lambdas.domain.video_request import Origin, OriginKind, VideoRequest

_BETWEEN = "\n\n"  # separates paragraphs, each of them one line


def unwritten(request: VideoRequest, budget: int) -> list[str]:
    """Return one text for each newly planned scene of a film of prompts, as used without a text model.
    `budget`: the number of tokens that the engine reads."""
    origin = request.origin
    if origin is None:
        return [request.prompt]
    if origin.kind is OriginKind.EXTEND or origin.video is None:
        return [origin.prompt]
    return [with_change(paragraph, origin.prompt, budget) for paragraph in origin.paragraphs]


@dataclass(frozen=True)
class Idea:
    """The input from which a text model writes a paragraph: see `user_message`. `plain`: the text to use if
    its answer is unusable."""

    plain: str
    prompt: str
    before: str = ""
    change: str = ""


def ideas_of(request: VideoRequest, budget: int, source: FilmPlan | None) -> list[Idea]:
    """Return one idea for each text of `unwritten`."""
    origin, plain = request.origin, unwritten(request, budget)
    if origin is None or source is None:
        return [Idea(plain[0], plain[0])]
    if origin.kind is OriginKind.EXTEND:
        return [Idea(plain[0], plain[0], before=origin.paragraphs[-1] if origin.paragraphs else "")]
    scenes = [scene for scene in source.scenes if not scene.clips[0].is_own]
    return [
        Idea(text, scene.text, before=paragraph, change=origin.prompt)
        for text, scene, paragraph in zip(plain, scenes, origin.paragraphs, strict=True)
    ]


def written(texts: Sequence[str]) -> str:
    """Join the texts as `Enhancement.prompt` stores them: a paragraph per scene, with empty lines between."""
    return texts[0] if len(texts) == 1 else _BETWEEN.join(" ".join(text.split()) for text in texts)


def paragraphs(video: Video, budget: int) -> list[str]:
    """Return one paragraph for each newly planned scene of a film of prompts."""
    plain = unwritten(video.request, budget)
    if video.enhancement is None:
        return plain
    return [video.enhancement.prompt] if len(plain) == 1 else video.enhancement.prompt.split(_BETWEEN)


def all_paragraphs(video: Video, budget: int) -> tuple[str, ...]:
    """Return `paragraphs`, preceded by those of the source film if the video extends it."""
    origin = video.request.origin
    before = origin.paragraphs if origin and origin.kind is OriginKind.EXTEND else ()
    return (*before, *paragraphs(video, budget))


def prompt_shots(video: Video, engine: Engine, source: FilmPlan | None) -> list[Shot | Scene]:
    """Return the scenes of a film of prompts. `source`: the source video's plan, if there is one."""
    request, origin = video.request, video.request.origin
    texts = paragraphs(video, engine.prompt_tokens)
    if origin is None:
        members = _played(video, request.prompt, texts[0])
        shot = _shot(request.prompt, texts[0], request.frames, request, engine, members)
        needed = engine.image == "required"
        return [replace(shot, opens_with=opening(members, request.prompt, needed=needed))]
    if origin.kind is OriginKind.EXTEND:
        frames = (origin.seconds or 0) * request.fps
        members = _played(video, origin.prompt, texts[0])
        going_on = _shot(origin.prompt, texts[0], frames, request, engine, members)
        going_on = replace(going_on, continues=True)
        if source is None:
            return [_file_scene(request, origin), going_on]
        end = len(source.scenes) - (request.has_outro and source.scenes[-1].clips[0].is_own)
        return [*source.scenes[:end], going_on, *source.scenes[end:]]
    if source is None:
        members = _played(video, request.prompt, texts[0])
        return [_file_shot(request, origin, texts[0], engine, members)]
    shots: list[Shot | Scene] = []
    anew = iter(texts)
    for scene, frames in zip(source.scenes, _scene_frames(source), strict=True):
        if scene.clips[0].is_own:  # not made from a prompt
            shots.append(scene)
            continue
        text = f"{scene.text.rstrip('.')}. {origin.prompt}"
        paragraph = next(anew)
        members = _played(video, text, paragraph)
        shot = _shot(text, paragraph, frames, request, engine, members)
        shots.append(
            replace(
                shot,
                negative_prompt=scene.negative_prompt,
                continues=scene.continues,
                opens_with=opening(members, scene.text),
                of=_pictures(scene, origin, engine),
                sound_of=_sounds(scene, origin, engine),
                strength=origin.strength,
            )
        )
    return shots


def storyboard_shots(
    shots: Sequence[Shot],
    storyboard: Storyboard,
    engine: Engine,
    *,
    origin: Origin,
    source: FilmPlan,
    before: Storyboard,
) -> list[Shot | Scene]:
    """Return the scenes of a storyboard derived from another one, `before`, whose film is `source`.

    A scene that is unchanged and at the same position is reused with its clips; at another position it is
    planned like any other scene. If scenes were added or removed, a changed scene is made from its text
    alone, because it is unknown which pictures were its own.
    """
    result: list[Shot | Scene] = []
    for index, (shot, scene) in enumerate(zip(shots, storyboard.scenes, strict=True)):
        old = source.scenes[index] if index < len(before.scenes) else None
        same = (
            old is not None
            and (storyboard.style, _made_of(scene)) == (before.style, _made_of(before.scenes[index]))
            and (not scene.continues or (bool(result) and isinstance(result[-1], Scene)))
            # The last scene gives no frames to a transition, so its clips differ from any other scene's.
            and _gives(storyboard, index) == _gives(before, index)
            and (not scene.meets_next or old.ends_on == shot.ends_on)
            and old.characters == tuple(one.appearance for one in shot.characters)
            and [said.sound for said in old.narration] == [said.sound for said in shot.narration]
        )
        if old is not None and same:
            over = {"focal_point": shot.focal_point, "lower_third": shot.lower_third}
            result.append(old.model_copy(update=over))
            continue
        known = old is not None and len(storyboard.scenes) == len(before.scenes)
        if old is not None and known:
            shot = replace(shot, of=_pictures(old, origin, engine), sound_of=_sounds(old, origin, engine))
        result.append(replace(shot, strength=origin.strength))
    return result


def _made_of(scene: StoryboardScene) -> StoryboardScene:
    """Return what a scene's clips are made of: not where a further shape crops them, nor what lies over
    them."""
    return scene.model_copy(update={"focal_point": None, "lower_third": None})


def _gives(storyboard: Storyboard, index: int) -> bool:
    """Return whether a transition to the next scene, if any, shows some of this scene's frames twice."""
    after = storyboard.scenes[index + 1 : index + 2]
    return bool(after) and not after[0].continues


def _played(video: Video, text: str, paragraph: str) -> list[CastMember]:
    """Return the characters of a scene: from the user's words or, if the text model added to them, its."""
    return appearing(video.cast, [f"{text}\n{paragraph}"])[0]


def _shot(
    text: str,
    paragraph: str,
    frames: int,
    request: VideoRequest,
    engine: Engine,
    members: Sequence[CastMember],
) -> Shot:
    prompt = with_looks(paragraph, members, engine.prompt_tokens)
    return Shot(
        text=text,
        negative_prompt=request.negative_prompt,
        frames=frames,
        prompts=partial(clip_prompts, prompt, budget=engine.prompt_tokens),
        characters=members,
    )


def _scene_frames(plan: FilmPlan) -> list[int]:
    """Return the number of frames from the start of each scene to the start of the next one."""
    clips, first = plan.starts, plan.clips[0].index
    starts = [clips[scene.clips[0].index - first] for scene in plan.scenes]
    return [end - start for start, end in pairwise([*starts, plan.frames])]


def _pictures(scene: Scene, origin: Origin, engine: Engine) -> list[Footage]:
    """Return the footage from which the clips of an edited scene are made."""
    if origin.kind is not OriginKind.EDIT or engine.video == "none":
        return []
    return [Footage(clip=clip.key_hash) for clip in scene.clips]


def _sounds(scene: Scene, origin: Origin, engine: Engine) -> list[Footage | None]:
    """Return what the clips of an edited scene sound like if the engine gives them no sound."""
    return [
        clip.sound_of or (footage if clip.sound else None)
        for clip, footage in zip(scene.clips, _pictures(scene, origin, engine), strict=False)
    ]


def _file_scene(request: VideoRequest, origin: Origin) -> Scene:
    """Return a file as a film's first scene: one clip that no engine renders."""
    shown: dict[str, Any] = {"file": origin.file, "size": [request.width, request.height], "fps": request.fps}
    clip = Clip(
        index=0,
        prompt="",
        frames=origin.frames or 0,
        skip_frames=0,
        seed=0,
        key_hash=fingerprint(shown | ({"sound": True} if origin.sound else {})),
        footage=Footage(file=origin.file),
        sound=origin.sound,
    )
    return Scene(index=0, text=origin.prompt, negative_prompt="", clips=[clip], chained=False)


def _file_shot(
    request: VideoRequest, origin: Origin, paragraph: str, engine: Engine, members: Sequence[CastMember]
) -> Shot:
    """Return a shot that re-renders a file, clip by clip."""
    frames = origin.frames or 0
    starts = [0]
    for length in clip_lengths(request, engine, frames):
        starts.append(starts[-1] + length)
    footage = [Footage(file=origin.file, start=start) for start in starts[:-1]]
    return replace(
        _shot(request.prompt, paragraph, frames, request, engine, members),
        of=footage,
        sound_of=footage if origin.sound else (),
        strength=origin.strength,
    )
