"""Plan a film: its scenes, and the clips they are cut into."""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from lambdas.domain import keys
from lambdas.domain.assembly import TransitionKind
from lambdas.domain.brief import SCENE_SECONDS
from lambdas.domain.characters import CastMember, Image
from lambdas.domain.documents import LONGEST_FILM, fingerprint
from lambdas.domain.engines import Engine
from lambdas.domain.errors import InvalidRequest
from lambdas.domain.film_format import engine_frames
from lambdas.domain.film_plan import (
    Assembly,
    Card,
    Clip,
    FilmPlan,
    Footage,
    Heard,
    Picture,
    PlacedLogo,
    Scene,
)
from lambdas.domain.narration import Sentence
from lambdas.domain.storyboard import FIRST, LAST, LEAD, LowerThird, PartialScene, frames_of, own_of
from lambdas.domain.storyboard import Scene as StoryboardScene
from lambdas.domain.video import Video
from lambdas.domain.video_request import CaptionStyle, Music, VideoRequest

# Of a film. Its execution's history has at most 25,000 events (docs/decisions/0041-a-film-of-1000-clips.md).
MOST_CLIPS = 1_000


@dataclass(frozen=True)
class Own:
    """What a scene shows that no engine renders: the user's `footage`, with `sound` or without, or a card."""

    footage: Footage | None = None
    sound: bool = False
    card: Card | None = None


@dataclass(frozen=True)
class Shot:
    """The input for planning a scene. `frames`: from the start of the scene to the start of the next one."""

    text: str
    negative_prompt: str
    frames: int
    prompts: Callable[[int], list[str]]  # the prompts for that many clips
    still: str | None = None  # SHA-256 in its artifact's name
    narration: Sequence[Sentence] = ()
    recording: str | None = None  # key in the input bucket of the user's own narration
    least: int = 0  # frames that its narration needs
    seed: int | None = None  # None: derived from the film's seed
    continues: bool = False  # see Scene
    of: Sequence[Footage] = ()  # source footage of its clips, in order
    sound_of: Sequence[Footage | None] = ()  # what its clips sound like if they have no sound of their own
    strength: float | None = None
    characters: Sequence[CastMember] = ()
    starts_on: Picture | None = None  # the user's own for this scene
    ends_on: Picture | None = None  # likewise, or the next scene's first picture, which it meets
    opens_with: CastMember | None = None  # whose picture it starts from if it has no other
    focal_point: str | None = None  # see Scene
    own: Own | None = None  # None: an engine renders it
    lower_third: LowerThird | None = None


def cut(frames: int, longest: int, overlap: int = 0) -> list[int]:
    """Split a scene of `frames` into the fewest parts of at most `longest` frames, as even as possible, where
    each part shares its last `overlap` frames with the next."""
    count = max(1, -(-(frames - overlap) // (longest - overlap)))
    rendered = frames + (count - 1) * overlap
    return [rendered // count + (1 if i < rendered % count else 0) for i in range(count)]


def clip_lengths(request: VideoRequest, engine: Engine, frames: int | None = None) -> list[int]:
    """Return the number of frames of each clip of a scene of `frames` (None: the whole film). They add up to
    the scene's frames plus those that a transition shows twice.

    Raises InvalidRequest if a transition is too long for the engine's clips or the film needs too many clips.
    """
    frames = request.frames if frames is None else frames
    longest = engine.longest_clip * request.fps
    if request.transition is TransitionKind.NONE:
        return _within_limit(cut(frames, longest), engine)
    transition = _transition_frames(request)
    # So that the shortest clip has room for two transitions, however the scene is cut.
    if not engine.chained and 3 * transition > longest:
        raise InvalidRequest(
            f"transition_seconds must be at most {longest // 3 / request.fps:g} with engine {engine.name}, "
            f"whose clips last {engine.longest_clip} s; got {request.transition_seconds:g}.",
            param="transition_seconds",
        )
    overlap = transition if request.transition.overlaps and not engine.chained else 0
    return _within_limit(cut(frames, longest, overlap), engine)


def _within_limit(lengths: list[int], engine: Engine) -> list[int]:
    if len(lengths) > MOST_CLIPS:
        raise InvalidRequest(
            f"seconds is too high for engine {engine.name}: the film would need {len(lengths):,} clips of "
            f"{engine.longest_clip} s, and the limit is {MOST_CLIPS:,}; shorten the film.",
            param="seconds",
        )
    return lengths


def _transition_frames(request: VideoRequest) -> int:
    return max(1, round(request.transition_seconds * request.fps))


def overlap_of(request: VideoRequest) -> int:
    """Return how many frames two scenes share in the film's transition."""
    return _transition_frames(request) if request.transition.overlaps else 0


def make_plan(
    video: Video, engine: Engine, title: str, shots: Sequence[Shot | Scene], inputs: str = ""
) -> FilmPlan:
    """Return the plan of a film of these scenes; a `Scene` of another film is reused with its clips. Each
    scene but the last also supplies the frames that a transition to the next shows twice.

    Raises InvalidRequest as `clip_lengths` does, and if a scene is too short.
    """
    request = video.request
    overlap = overlap_of(request)
    scenes: list[Scene] = []
    first = 0
    rendered = [index for index, shot in enumerate(shots) if not _is_own(shot)]
    opening, closing = (rendered[0], rendered[-1]) if rendered else (None, None)
    for index, (shot, following) in enumerate(zip(shots, [*shots[1:], None], strict=True)):
        if isinstance(shot, Scene):
            scenes.append(_taken_over(shot, index, first))
        else:
            _check_room(request, index, shot.frames)
            frames = shot.frames + (overlap if following and not following.continues else 0)
            if shot.own is not None:
                scenes.append(_own_scene(request, shot, shot.own, index, first, frames))
                first += 1
                continue
            lengths = clip_lengths(request, engine, frames)
            _check_one_clip(request, engine, index, shot.frames, frames)
            before = scenes[-1].clips[-1] if scenes and shot.continues else None
            if index == closing and request.last_image is not None and shot.ends_on is None:
                shot = replace(shot, ends_on=_uploaded(request.last_image))
            image = request.image if index == opening else None
            if shot.seed is None:
                # An intro changes no other scene's clips.
                drawn = sum(isinstance(one, Shot) and one.own is not None for one in shots[:index])
                shot = replace(shot, seed=video.seed + (index - drawn) * _SEEDS_PER_SCENE)
            scenes.append(_scene(video, engine, shot, index, first, lengths, before, image))
        first += len(scenes[-1].clips)
    _within_limit([clip.frames for scene in scenes for clip in scene.clips], engine)
    return FilmPlan(
        video_id=video.id,
        tenant=video.tenant,
        inputs=inputs,
        engine=engine.name,
        revision=engine.revision,
        renderer=engine.renderer,
        width=request.width,
        height=request.height,
        fps=request.fps,
        fit=request.fit,
        fps_mode=request.fps_mode,
        rendered_width=request.rendered_width,
        rendered_height=request.rendered_height,
        rendered_fps=request.rendered_fps,
        draft_for=request.draft_for,
        steps=request.steps or engine.steps,
        guidance=request.guidance,
        image=request.image.key if request.image else None,
        speed=request.speed,
        loras=request.loras,
        title=title,
        scenes=scenes,
        assembly=Assembly(
            transition=request.transition,
            transition_frames=_transition_frames(request),
            even_out=request.even_out,
            fragmented=request.fragmented,
        ),
        captions=request.captions,
        burn_captions=request.burn_captions,
        caption_style=_caption_style(request, scenes),
        caption_look=request.caption_look,
        language=request.language,
        music=_music(video),
        clip_sound=request.clip_sound,
        stems=request.stems,
        focal_point=request.focal_point,
        colours=request.colours,
        lettered=video.lettered,
        logo=_logo(video),
    )


def _music(video: Video) -> Music | None:
    """Return the request's music; that of a mood is another one for each film."""
    music = video.request.music
    return music if music is None or music.mood is None else music.model_copy(update={"seed": video.seed})


def _caption_style(request: VideoRequest, scenes: Sequence[Scene]) -> CaptionStyle:
    """Return the requested style, if every sentence has the times of its words: all captions look alike."""
    timed = all(sentence.words for scene in scenes for sentence in scene.said)
    return request.caption_style if timed else CaptionStyle.PLAIN


def check_length(request: VideoRequest, engine: Engine) -> None:
    """Check that a film of one prompt can be planned. Raises InvalidRequest if it can't."""
    least = least_frames(request)
    if request.frames < least:
        raise InvalidRequest(
            f"num_frames must be at least {least}, the length of the film's transition; "
            f"got {request.frames}.",
            param="num_frames",
        )
    clip_lengths(request, engine)
    _check_one_clip(request, engine, None, request.frames, request.frames)


def _check_one_clip(
    request: VideoRequest, engine: Engine, scene: int | None, frames: int, rendered: int
) -> None:
    """Check that a film, or a scene of `frames` and those that a transition shows twice, is one clip if the
    engine needs a last frame for each: of several, only the last one has it."""
    longest = engine.longest_clip * request.fps
    if engine.last_image != "required" or rendered <= longest:
        return
    most = longest - (rendered - frames)
    if scene is None and request.num_frames is not None:
        path, said = "num_frames", f"{most}"
    else:
        path, said = "seconds" if scene is None else f"scenes[{scene}].seconds", f"{most / request.fps:g}"
    raise InvalidRequest(
        f"{path} must be at most {said}, one clip: engine {engine.name} moves from a first to a last frame, "
        "and a longer one has no picture between them. Give the film more scenes.",
        param=path,
    )


def check_scenes(
    lengths: Sequence[float | None],
    request: VideoRequest,
    engine: Engine,
    own: Collection[int] = (),
) -> None:
    """Check that scenes of these seconds can be planned; None: as long as its narration, not known yet. No
    engine renders those that are the user's `own`.

    Raises InvalidRequest if they can't.
    """
    known = [SCENE_SECONDS if length is None else length for length in lengths]
    seconds = math.ceil(sum(known))
    if seconds > LONGEST_FILM:
        raise InvalidRequest(
            f"scenes must last at most {LONGEST_FILM:,} seconds in total; got {seconds:,}.",
            param="scenes",
        )
    clips = 0
    overlap = overlap_of(request)
    for index, length in enumerate(known):
        frames = math.floor(Fraction(str(length)) * request.fps)
        _check_room(request, index, frames)
        if index in own:
            clips += 1
            continue
        clips += len(clip_lengths(request, engine, frames))
        if lengths[index] is not None:
            shared = overlap if index + 1 < len(known) else 0
            _check_one_clip(request, engine, index, frames, frames + shared)
    if clips > MOST_CLIPS:
        raise InvalidRequest(
            f"scenes are too long for engine {engine.name}: the film would need {clips:,} clips of "
            f"{engine.longest_clip} s, and the limit is {MOST_CLIPS:,}; shorten the scenes.",
            param="scenes",
        )


def check_pictures(
    scenes: Sequence[PartialScene | StoryboardScene],
    engine: Engine,
    *,
    stills: bool,
    last_image: bool = False,
    offered: frozenset[str] = frozenset(),
    workflow: str = "",
) -> None:
    """Check that the engine takes the pictures that scenes start from and end on, and that there is one for
    each scene that needs it. `stills`: first pictures are drawn; `last_image`: the film has one; the others
    as in `Engine.check`. Raises InvalidRequest that names the scene."""
    rendered = [index for index, scene in enumerate(scenes) if own_of(scene) is None]
    for index in rendered:
        scene = scenes[index]
        ends = scene.last_frame or scene.meets_next or (last_image and index == rendered[-1])
        if engine.last_image == "required" and not ends:
            path = f"scenes[{index}].{LAST}"
            raise InvalidRequest(
                f"{path} is required: engine {engine.name} moves each scene from a first to a last frame. "
                "Give the scene one, or let it meet the next one (meets_next).",
                param=path,
            )
    for path, _ in frames_of(scenes):
        engine.check_frame(path, last=path.endswith(LAST), offered=offered, workflow=workflow)
    for index, scene in enumerate(scenes):
        if not scene.meets_next:
            continue
        path = f"scenes[{index}].meets_next"
        engine.check_frame(path, last=True, offered=offered, workflow=workflow)
        following = scenes[index + 1] if index + 1 < len(scenes) else None
        if not stills and not (following and following.first_frame):
            raise InvalidRequest(
                f"{path} requires stills, because the scene ends on the next one's; send stills=standard or "
                f"premium, give the next scene a {FIRST}, or omit {path}.",
                param=path,
            )


def _check_room(request: VideoRequest, index: int, frames: int) -> None:
    """Check that a scene has room for its transitions and is at least one frame long."""
    least = least_frames(request)
    if frames < least:
        raise InvalidRequest(
            f"scenes[{index}].seconds must be at least {least / request.fps:g}, the length of one frame or "
            f"of the film's transition; the scene would have {frames} frames at {request.fps} fps.",
            param=f"scenes[{index}].seconds",
        )


def least_frames(request: VideoRequest) -> int:
    """Return how many frames a scene has at least."""
    return 1 if request.transition is TransitionKind.NONE else _transition_frames(request)


# The distance between two scenes' seeds, so that adding a clip to one scene changes no other scene's seeds.
_SEEDS_PER_SCENE = 1_000


def _taken_over(scene: Scene, index: int, first: int) -> Scene:
    """Return a scene of another film, moved to its place in this one; `first` is its first clip's index."""
    moved = first - scene.clips[0].index
    clips = [
        clip.model_copy(
            update={
                "index": clip.index + moved,
                "starts_from": None if clip.starts_from is None else clip.starts_from + moved,
            }
        )
        for clip in scene.clips
    ]
    return scene.model_copy(update={"index": index, "clips": clips})


def _scene(
    video: Video,
    engine: Engine,
    shot: Shot,
    index: int,
    first: int,
    lengths: Sequence[int],
    last: Clip | None = None,
    first_image: Image | None = None,
) -> Scene:
    """Plan one scene. `first` is the index of its first clip, `last` the clip it continues from, if any;
    `first_image` is the user's picture that the film starts from."""
    request = video.request
    if engine.image == "none":
        last = None  # only the prompt carries over
    image = first_image.sha256 if first_image else None
    own = None if engine.image == "none" or last else shot.starts_on
    given = own.sha256 if own else image or shot.still
    opener = shot.opens_with if engine.image != "none" and not (last or given) else None
    picture = last.key_hash if last else given or (opener.image.sha256 if opener else None)
    assert shot.seed is not None  # noqa: S101 - make_plan sets it
    negative_prompt = "" if "negative_prompt" in engine.refuses else shot.negative_prompt
    overlap = _transition_frames(request) if request.transition.overlaps and not engine.chained else 0
    captioned = request.captions or request.burn_captions
    bare = (
        ["bare"] if captioned and any(said.text for said in shot.narration) else []
    )  # see FilmPlan.is_lettered
    clips: list[Clip] = []
    begins = 0  # the frame of the scene where the clip starts
    in_all = sum(lengths) - overlap * (len(lengths) - 1)
    rate = request.rendered_fps or request.fps
    conversion = _conversion(request, engine)
    prompts = shot.prompts(len(lengths))
    for place, (part, prompt) in enumerate(zip(lengths, prompts, strict=True)):
        needed = engine_frames(part, request.fps, rate, request.fps_mode)
        frames = engine.frames_to_render(needed)
        skipped = frames - needed
        before = (clips[-1] if engine.chained else None) if clips else last
        footage = shot.of[place] if place < len(shot.of) else None
        # Footage shows how the clip ends.
        ends_on = shot.ends_on if place == len(lengths) - 1 and footage is None else None
        seed = (shot.seed + place) % 2**63  # engines accept no larger seed
        # A draft draws the scene's text, as its first clip is prompted, and the clip's part of the scene.
        scene = [shot.text, prompts[0], request.language]
        draft = [*scene, place, len(lengths), begins, in_all, *bare] if engine.draft else None
        shown = None if rate == request.fps else part
        heard = None
        if engine.audio == "required":
            start = Fraction(begins, request.fps) - Fraction(skipped, rate)
            heard = _heard(shot.narration, start, Fraction(frames, rate))
        begins += part - overlap
        clips.append(
            Clip(
                index=first + place,
                prompt=prompt,
                frames=frames,
                skip_frames=skipped,
                shown=shown,
                seed=seed,
                starts_from=before.index if before else None,
                footage=footage,
                strength=shot.strength if footage else None,
                sound=engine.sound,
                sound_of=shot.sound_of[place] if place < len(shot.sound_of) else None,
                heard=heard,
                key_hash=fingerprint(
                    {
                        "engine": engine.name,
                        "revision": engine.revision,
                        "prompt": prompt,
                        "negative_prompt": negative_prompt,
                        "size": [request.width, request.height],
                        "fps": request.fps,
                        "frames": [frames, skipped],
                        "seed": seed,
                        "steps": request.steps or engine.steps,
                        "guidance": request.guidance,
                        "speed": request.speed,
                        "loras": [lora.model_dump() for lora in request.loras],
                        "first_frame": before.key_hash if before else picture,
                        "draft": draft,
                    }
                    | ({"footage": footage.model_dump(), "strength": shot.strength} if footage else {})
                    | ({} if ends_on is None else {"last_frame": ends_on.sha256})
                    | ({} if heard is None else {"heard": [one.model_dump() for one in heard]})
                    | conversion
                    | ({} if shown is None else {"shown": shown})
                ),
            )
        )
    return Scene(
        index=index,
        text=shot.text,
        negative_prompt=negative_prompt,
        clips=clips,
        chained=engine.chained,
        still=keys.still(video.tenant, shot.still) if shot.still else None,
        continues=shot.continues,
        narration=list(shot.narration),
        recording=shot.recording,
        starts_on=own,
        picture=opener.image.key if opener else None,
        ends_on=shot.ends_on if clips[-1].footage is None else None,
        characters=tuple(one.appearance for one in shot.characters),
        focal_point=shot.focal_point,
        lower_third=shot.lower_third,
    )


def _is_own(shot: Shot | Scene) -> bool:
    return shot.clips[0].is_own if isinstance(shot, Scene) else shot.own is not None


def _own_scene(request: VideoRequest, shot: Shot, own: Own, index: int, first: int, frames: int) -> Scene:
    """Plan a scene that no engine renders: one clip, as the film shows it."""
    shown = {
        "size": [request.width, request.height],
        "fps": request.fps,
        "frames": frames,
        "fit": request.fit,
    }
    if own.footage is not None:
        shown |= {"own": [own.footage.model_dump(), own.sound]}
    else:
        assert own.card is not None  # noqa: S101 - see Own
        shown |= {"card": own.card.address}
    clip = Clip(
        index=first,
        prompt="",
        frames=frames,
        skip_frames=0,
        seed=0,
        key_hash=fingerprint(shown),
        footage=own.footage,
        fit=request.fit,
        card=own.card,
        sound=own.sound,
    )
    return Scene(
        index=index,
        text=shot.text,
        negative_prompt="",
        clips=[clip],
        chained=False,
        narration=list(shot.narration),
        recording=shot.recording,
        lower_third=shot.lower_third,
    )


def _logo(video: Video) -> PlacedLogo | None:
    logo = video.request.brand.logo if video.request.brand else None
    if logo is None:
        return None
    picture = Picture(key=logo.picture.key(video.tenant), sha256=logo.picture.sha256, uploaded=True)
    return PlacedLogo(picture=picture, corner=logo.corner, size=logo.size)


def _uploaded(image: Image) -> Picture:
    return Picture(key=image.key, sha256=image.sha256, uploaded=True)


def _conversion(request: VideoRequest, engine: Engine) -> dict[str, Any]:
    """Return what determines how rendered pictures become the film's: nothing if they already are, so that
    clips made before there was a choice are found."""
    made: dict[str, Any] = {}
    if request.rendered_size != (request.width, request.height):
        made |= {"rendered_size": [*request.rendered_size], "fit": request.fit}
    elif engine.workflow:  # it may give any size
        made |= {"fit": request.fit}
    if request.rendered_fps not in (None, request.fps):
        made |= {"rendered_fps": request.rendered_fps, "fps_mode": request.fps_mode}
    return made


def _heard(narration: Sequence[Sentence], begins: Fraction, seconds: Fraction) -> list[Heard]:
    """Return the sentences of a scene's narration heard in `seconds` from its second `begins`, which is
    negative if the engine renders more than the scene shows."""
    placed = [(said, Fraction(str(LEAD)) + Fraction(str(said.start)) - begins) for said in narration]
    return [
        Heard(sound=said.sound, start=float(start))
        for said, start in placed
        if start < seconds and start + Fraction(said.seconds) > 0
    ]
