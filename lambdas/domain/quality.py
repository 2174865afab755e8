"""The quality report of a film: what is measured without a model, against which limit, and where it fails.

`lambdas/media/quality.py` measures; this module has the documents, the limits and the judgement. Each limit
says where it comes from, and each check what it can't see (docs/quality.md).
"""

import base64
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain, combinations, pairwise
from typing import Final, Literal

from pydantic import Field

from lambdas.domain.assembly import ClipSound
from lambdas.domain.documents import Document
from lambdas.domain.engines import CATALOGUE
from lambdas.domain.film_plan import Clip, FilmPlan, Scene
from lambdas.domain.opinions import LOWEST_SCORE, NO_OPINIONS, Opinions, looked_at, opinion_of

REVISION: Final = 1
"""Increment when the same clip measures otherwise."""

# --- limits

BLACK_SECONDS = FROZEN_SECONDS = SILENT_SECONDS = 2.0
"""Also half of a shorter clip. The defaults of FFmpeg's blackdetect, freezedetect and silencedetect."""
MOST_FLASHES = 3.0  # in one second
EDGE_PIXELS, EDGE_SHARE = 4.0, 1 / 80  # width of the sharpest edges; the larger of both
DARK, BRIGHT = 60, 128  # luma of 8 bits: 99% of the picture is below, above
BRIGHT_WHITE = 0.25  # share of nominal white that an over-exposed picture has at least
STILL_LEVELS = 0.5  # mean change within half a second, in 8-bit levels
CAMERA_SHARE = 0.04  # of the picture's width, within one second
JUMP_LEVELS, JUMP_OF_MOVEMENT = 6.0, 3.0
SAME_LEVELS = 1.5  # between two scenes' first, middle and last pictures
PLAIN_LEVELS = 3.0  # a picture of less contrast is like any other plain one
CLIPPED_SHARE = 0.0005  # of the samples
LOUDNESS, LOUDNESS_TOLERANCE, TRUE_PEAK = -16.0, 1.0, -1.0
SILENT = -70.0  # LUFS, see lambdas/media/sound_filters.py
READING_SPEED = 17
READING_SPEEDS = {"en": 20, "ja": 4, "ko": 12, "zh": 9, "cmn": 9, "yue": 9}
"""Characters a second by language."""
_ROUNDING = 0.02  # seconds; see media.sound.ROUNDING
_MOST_FOUND = 100  # findings of a check that the report lists


class CheckName(StrEnum):
    BLACK = "black"
    FROZEN = "frozen"
    FLICKER = "flicker"
    SHARPNESS = "sharpness"
    EXPOSURE = "exposure"
    MOTION = "motion"
    JOINS = "joins"
    DUPLICATES = "duplicates"
    SILENCE = "silence"
    CLIPPING = "clipping"
    LOUDNESS = "loudness"
    SPEECH = "speech"
    CAPTIONS = "captions"
    PROMPT = "prompt"


@dataclass(frozen=True)
class Limit:
    """What a check allows, where that comes from, and what it can't see."""

    allows: str
    source: str
    blind: str


LIMITS = {
    CheckName.BLACK: Limit(
        "less than 2 s, or half of a shorter clip, of pictures with 98% of their area below 10% luma; no"
        " sudden black between pictures",
        "FFmpeg blackdetect: d=2, pic_th=0.98, pix_th=0.1",
        "Part of the picture that is black.",
    ),
    CheckName.FROZEN: Limit(
        "less than 2 s, or half of a shorter clip, without a change of more than -50 dB; unless the prompt"
        " asks for a still image",
        "FFmpeg freezedetect: d=2; its n=-60dB is exceeded by a keyframe alone, so n=-50dB",
        "Movement that repeats, and movement of a subject that is tiny in the picture.",
    ),
    CheckName.FLICKER: Limit(
        "at most 3 flashes in one second: opposite changes by 20 cd/m² of over a quarter of the picture whose"
        " darker state is below 160 cd/m², on a display of 200 cd/m²",
        "ITU-R BT.1702",
        "Fainter flicker, saturated red and striped patterns. It replaces no certified test.",
    ),
    CheckName.SHARPNESS: Limit(
        "the sharpest tenth of the edges is at most 1/80 of the picture's height wide, or 4 pixels",
        "edge width after Marziliano et al. 2002; the limit is ours, from the benchmark",
        "Blur under sharp lettering or grain. Pictures without edges or below 120 pixels aren't measured.",
    ),
    CheckName.EXPOSURE: Limit(
        "1% of the picture is brighter than 20% signal; 1% is darker than 50%, or under a quarter is white",
        "signal levels of ITU-R BT.709; the limits are ours, from the benchmark",
        "Whether a mood is meant: only pictures that are dark or bright all over are found.",
    ),
    CheckName.MOTION: Limit(
        "a prompt that asks for movement has a mean change of at least 0.5 levels within half a second;"
        " one that asks for a fixed camera moves by at most 4% of the width in a second",
        "ours, from the benchmark",
        "What moves and how. Prompts in other languages than English aren't judged, nor are drafts.",
    ),
    CheckName.JOINS: Limit(
        "where a clip continues the one before, the pictures differ by at most 6 levels more than three times"
        " the movement beside the join",
        "ours, from the benchmark",
        "A change of detail at the same brightness. Cuts between scenes are meant, and not judged.",
    ),
    CheckName.DUPLICATES: Limit(
        "first, middle and last picture of two scenes differ by more than 1.5 levels",
        "ours, from the benchmark",
        "Scenes that show the same from another side.",
    ),
    CheckName.SILENCE: Limit(
        "no sentence, no clip with a sound track and no 2 s of music below -60 dB; a film with any of them"
        " isn't silent",
        "FFmpeg silencedetect: n=-60dB, d=2",
        "Pauses between sentences without music, which are meant. A film without sound by request passes.",
    ),
    CheckName.CLIPPING: Limit(
        "at most 0.05% of the samples of a sentence or a clip at full scale or above",
        "ours, from the benchmark",
        "A sound that was clipped first and made quieter then; music, which is often mastered to full scale.",
    ),
    CheckName.LOUDNESS: Limit(
        "-16 LUFS ± 1 LU, true peak at most -1 dBTP",
        "EBU R 128 (meter, ± 1 LU, -1 dBTP) at the level of AES TD1008",
        "Balance of speech and music.",
    ),
    CheckName.SPEECH: Limit(
        "a sentence ends within its scene, and its sound dies away: the last 10 ms are 10 dB quieter",
        "ours, from the benchmark",
        "Whether the words are right. Nobody listens.",
    ),
    CheckName.CAPTIONS: Limit(
        "at most 20 characters a second in English, 17 in most languages, 12 in Korean, 9 in Chinese, 4 in"
        " Japanese",
        "Netflix Timed Text Style Guides, for adults",
        "Whether the words are right.",
    ),
    CheckName.PROMPT: Limit(
        f"a vision model gives each clip at least {LOWEST_SCORE} of 10 for showing what its prompt asks for",
        "scores as in VIEScore (Ku et al. 2024); the limit is ours",
        "What the model can't see: it gets three pictures of each clip, and may be wrong about them. It is"
        " asked by request only (`vision_check`).",
    ),
}

# --- measures: stored with each clip and the film's sound, in the metadata of the object (2 KB in S3)


class ClipSoundMeasures(Document):
    """A clip's own sound. `clipped`: share of its samples at full scale or above."""

    silent: bool = False
    clipped: float = 0


class ClipMeasures(Document):
    """A clip's measures. Times are in seconds from its first picture, spans (start, end); luma is in 8-bit
    levels, 16 black and 235 white."""

    revision: Literal[1] = REVISION
    seconds: float  # of which the pictures were decoded
    whole: bool = True  # False: it is too large to be decoded to its end
    black: tuple[tuple[float, float], ...] = ()
    frozen: tuple[tuple[float, float], ...] = ()
    flashes: float = 0  # the most in one second
    flashes_at: float = 0  # where that second begins
    height: int = 0  # of its pictures
    edge: float | None = None  # pixels of width of its sharpest edges; None: it has too few
    low: int = 0  # 1% of the luma is below
    high: int = 0  # 1% is above
    white: float = 0  # share at nominal white
    moved: float = 0  # mean change within half a second, in levels
    camera: float = 0  # how far the whole picture shifts in one second, as a share of its width
    pictures: tuple[str, str, str] | None = None  # first, middle, last: SIGNATURE² luma, base64
    moves: tuple[float, float] = (0, 0)  # difference of its first two and its last two pictures, in levels
    sound: ClipSoundMeasures | None = None

    def stored(self) -> str:
        """Return it for an object's metadata."""
        return self.model_dump_json(exclude_defaults=True)


class SoundMeasures(Document):
    """The film's sound. Sentences are counted from 0; of each list, the first few."""

    revision: Literal[1] = REVISION
    loudness: float = SILENT  # LUFS, integrated
    true_peak: float | None = None  # dBTP; None: silence
    silent: tuple[tuple[float, float], ...] = ()  # spans of seconds
    mute: tuple[int, ...] = ()  # sentences without sound
    clipped: tuple[int, ...] = ()  # sentences whose sound is clipped
    cut: tuple[int, ...] = ()  # sentences that end while they are still loud

    def stored(self) -> str:
        return self.model_dump_json(exclude_defaults=True)


SIGNATURE = 12
"""Pixels on each side of the small pictures that joins and scenes are compared by."""


# --- the report


class Status(StrEnum):
    PASS = "pass"  # noqa: S105
    WARN = "warn"
    NOT_MEASURED = "not_measured"


class Finding(Document):
    """Where a check fails. `start`, `end`: seconds of the film."""

    scene: int | None = None
    clip: int | None = None
    start: float
    end: float
    value: float | None = None
    message: str


class Check(Document):
    name: CheckName
    status: Status
    note: str | None = None  # why it isn't measured, or what is left out
    allows: str
    source: str
    blind: str
    count: int = 0  # of findings; `found` has the first 100
    found: list[Finding] = Field(default_factory=list)


class ClipValues(Document):
    """What was measured of a clip; see ClipMeasures. None: it was made by a version that didn't measure."""

    index: int
    scene: int
    start: float
    end: float
    edge: float | None = None
    luma: tuple[int, int] | None = None
    white: float | None = None
    moved: float | None = None
    camera: float | None = None
    flashes: float | None = None


class QualityReport(Document):
    """The report of a film. `warnings`: how many checks warn."""

    revision: int = REVISION
    status: Status
    warnings: int
    loudness: float | None = None  # LUFS
    true_peak: float | None = None  # dBTP
    checks: list[Check]
    clips: list[ClipValues]


@dataclass(frozen=True)
class CaptionTurn:
    """A caption on the screen, in seconds of the film."""

    start: float
    end: float
    text: str


# --- one clip

_STILL_IMAGE = re.compile(
    r"\b(?:freeze[- ]frame|(?:still|static) (?:image|photo\w*|picture|frame)|title card|photograph)\b", re.I
)
_MOVEMENT = re.compile(
    r"\b(?:runs?|running|walk(?:s|ing)?|fl(?:y|ies|ying)|jump(?:s|ing)?|danc(?:es?|ing)|gallop(?:s|ing)?"
    r"|swim(?:s|ming)?|driv(?:es?|ing)|rac(?:es|ing)|splash(?:es|ing)?|explod(?:es?|ing)|spin(?:s|ning)?"
    r"|rotat(?:es?|ing)|rolling|chas(?:es|ing)|leap(?:s|ing)?|soar(?:s|ing)?|pan(?:s|ning)|zoom(?:s|ing)?"
    r"|doll(?:y|ies)|tracking shot|orbit(?:s|ing)?"
    r"|camera (?:moves?|glides?|follows?|pushes|pulls|circles|sweeps|rises|cranes))\b",
    re.I,
)
_FIXED_CAMERA = re.compile(
    r"\b(?:static|locked[- ]off|locked[- ]down|fixed|stationary|motionless) (?:camera|shot|frame|view)\b"
    r"|\b(?:on a|tripod) (?:tripod|shot)\b"
    r"|\bcamera (?:is|stays|remains|holds) (?:still|fixed|static|locked|motionless)\b",
    re.I,
)


@dataclass(frozen=True)
class ClipWarning:
    """What is wrong with a clip by itself, in seconds from its first picture."""

    check: CheckName
    start: float
    end: float
    message: str
    value: float | None = None


def clip_warnings(measures: ClipMeasures, prompt: str, *, draft: bool) -> list[ClipWarning]:
    """Return what is wrong with a clip, judged by itself. `draft`: it is drawn, so that its movement is not
    that of the prompt."""
    return list(_clip_warnings(measures, prompt, draft=draft))


def _clip_warnings(measures: ClipMeasures, prompt: str, *, draft: bool) -> Iterator[ClipWarning]:
    end = measures.seconds
    for start, stop in measures.black:
        yield ClipWarning(CheckName.BLACK, start, stop, f"black for {stop - start:.1f} s", stop - start)
    if not _STILL_IMAGE.search(prompt):
        for start, stop in measures.frozen:
            said = f"nothing moves for {stop - start:.1f} s"
            yield ClipWarning(CheckName.FROZEN, start, stop, said, stop - start)
    if measures.flashes > MOST_FLASHES:
        at, count = measures.flashes_at, measures.flashes
        yield ClipWarning(CheckName.FLICKER, at, min(end, at + 1), f"{count:g} flashes in a second", count)
    if measures.edge is not None and measures.edge > max(EDGE_PIXELS, EDGE_SHARE * measures.height):
        said = f"blurred: its sharpest edges are {measures.edge:.1f} pixels wide"
        yield ClipWarning(CheckName.SHARPNESS, 0, end, said, measures.edge)
    is_black = sum(stop - start for start, stop in measures.black) > end / 2
    if measures.high < DARK and not is_black:
        said = f"under-exposed: 99% of it is below luma {measures.high}"
        yield ClipWarning(CheckName.EXPOSURE, 0, end, said, measures.high)
    if measures.low > BRIGHT and measures.white >= BRIGHT_WHITE:
        said = f"over-exposed: {measures.white:.0%} of it is white, and 99% above luma {measures.low}"
        yield ClipWarning(CheckName.EXPOSURE, 0, end, said, measures.white)
    if not draft and not is_black:
        if measures.moved < STILL_LEVELS and _MOVEMENT.search(prompt):
            said = "the prompt asks for movement, but hardly anything moves"
            yield ClipWarning(CheckName.MOTION, 0, end, said, measures.moved)
        if measures.camera > CAMERA_SHARE and _FIXED_CAMERA.search(prompt):
            by = f"{measures.camera:.0%} of the width a second"
            said = f"the prompt asks for a fixed camera, but it moves by {by}"
            yield ClipWarning(CheckName.MOTION, 0, end, said, measures.camera)
    if measures.sound and measures.sound.silent:
        yield ClipWarning(CheckName.SILENCE, 0, end, "its sound track is silent")
    if measures.sound and measures.sound.clipped > CLIPPED_SHARE:
        said = f"its sound is clipped: {measures.sound.clipped:.2%} of the samples"
        yield ClipWarning(CheckName.CLIPPING, 0, end, said, measures.sound.clipped)


# --- the film

_Found = tuple[CheckName, Finding]
MEASURED = tuple(name for name in CheckName if name is not CheckName.PROMPT)
"""The checks of every report. PROMPT is an opinion, by request."""


def report(
    plan: FilmPlan,
    clips: Sequence[ClipMeasures | None],
    sound: SoundMeasures | None,
    captions: Sequence[CaptionTurn],
) -> QualityReport:
    """Return a film's report, without a model's opinion. `clips`: the measures of each clip, `sound`: those
    of the film's sound; None: made by a version that didn't measure. `captions`: none if the film has no
    captions."""
    found: dict[CheckName, list[Finding]] = {name: [] for name in MEASURED}
    film = _Film(plan, clips)
    for name, finding in [
        *film.of_clips(),
        *film.of_joins(),
        *film.of_duplicates(),
        *_of_sound(plan, sound),
        *_of_speech(plan, sound),
        *_of_captions(plan, captions),
    ]:
        found[name].append(finding)
    left_out = _left_out(plan, clips, sound, captions)
    checks = [_check(name, found[name], left_out.get(name)) for name in MEASURED]
    warnings = sum(check.status is Status.WARN for check in checks)
    return QualityReport(
        status=Status.WARN if warnings else Status.PASS,
        warnings=warnings,
        loudness=sound.loudness if sound and sound.true_peak is not None else None,
        true_peak=sound.true_peak if sound else None,
        checks=checks,
        clips=film.values(),
    )


def with_opinions(
    measured: QualityReport, plan: FilmPlan, opinions: Opinions, why_not: str | None
) -> QualityReport:
    """Return a film's report with a vision model's opinions. `why_not`: why it was not asked about clips that
    have none."""
    asked = looked_at(plan)
    without = [clip for clip in asked if (one := opinions.get(opinion_of(clip))) is None or one.score is None]
    left_out = None
    if without:
        reasons = [one.reason for clip in without if (one := opinions.get(opinion_of(clip)))]
        why = why_not or next(iter(reasons), "nobody asked")
        left_out = (len(without) == len(asked), f"no opinion of {len(without)} of {len(asked)} clips: {why}")
    check = _check(CheckName.PROMPT, [finding for _, finding in _of_opinions(plan, opinions)], left_out)
    checks = [*(one for one in measured.checks if one.name is not CheckName.PROMPT), check]
    warnings = sum(one.status is Status.WARN for one in checks)
    status = Status.WARN if warnings else Status.PASS
    return measured.model_copy(update={"checks": checks, "warnings": warnings, "status": status})


def _of_opinions(plan: FilmPlan, opinions: Opinions) -> Iterator[_Found]:
    starts = plan.starts
    for scene in plan.scenes:
        for clip in scene.clips:
            opinion = opinions.get(opinion_of(clip))
            if opinion is None or not opinion.warns:
                continue
            start = starts[clip.index]
            why = opinion.reason or "no reason given"
            yield (
                CheckName.PROMPT,
                Finding(
                    scene=scene.index,
                    clip=clip.index,
                    start=_rounded(start / plan.fps),
                    end=_rounded((start + clip.film_frames) / plan.fps),
                    value=opinion.score,
                    message=f"{opinion.score} of 10, says {opinion.by}: {why}",
                ),
            )


def warnings_by_clip(
    plan: FilmPlan, clips: Sequence[ClipMeasures | None], opinions: Opinions = NO_OPINIONS
) -> Counter[int]:
    """Return how many warnings each clip has: by itself, and beside other clips. `clips`: as for `report`."""
    film = _Film(plan, clips)
    found = chain(film.of_clips(), film.of_joins(), film.of_duplicates(), _of_opinions(plan, opinions))
    return Counter(finding.clip for _, finding in found if finding.clip is not None)


def _check(name: CheckName, found: list[Finding], left_out: tuple[bool, str] | None) -> Check:
    limit = LIMITS[name]
    nothing, note = left_out or (False, None)
    status = Status.WARN if found else Status.NOT_MEASURED if nothing else Status.PASS
    return Check(
        name=name,
        status=status,
        note=note,
        allows=limit.allows,
        source=limit.source,
        blind=limit.blind,
        count=len(found),
        found=found[:_MOST_FOUND],
    )


def _is_title(clip: Clip) -> bool:
    return clip.card is not None and clip.card.picture is None


class _Film:
    """The film's clips in their place."""

    def __init__(self, plan: FilmPlan, clips: Sequence[ClipMeasures | None]) -> None:
        self._plan = plan
        self._starts = [start / plan.fps for start in plan.starts]
        self._placed: list[tuple[Scene, Clip, ClipMeasures | None]] = [
            (scene, clip, clips[clip.index]) for scene in plan.scenes for clip in scene.clips
        ]

    def of_clips(self) -> Iterator[_Found]:
        draft = CATALOGUE[self._plan.engine].draft
        for scene, clip, measures in self._placed:
            if measures is None or _is_title(clip):
                continue
            at = self._starts[clip.index]
            for one in clip_warnings(measures, clip.prompt, draft=draft and not clip.is_own):
                if (
                    one.check in (CheckName.SILENCE, CheckName.CLIPPING)
                    and self._plan.clips_heard is ClipSound.DROP
                ):
                    continue
                if one.check is CheckName.FROZEN and clip.card is not None:
                    continue  # the user's picture is held
                yield (
                    one.check,
                    Finding(
                        scene=scene.index,
                        clip=clip.index,
                        start=_rounded(at + one.start),
                        end=_rounded(at + one.end),
                        value=None if one.value is None else round(one.value, 4),
                        message=one.message,
                    ),
                )

    def of_joins(self) -> Iterator[_Found]:
        for (_, _, before), (scene, clip, after) in pairwise(self._placed):
            if before is None or after is None or not _continues(scene, clip):
                continue
            if before.pictures is None or after.pictures is None:
                continue
            ending, beginning = _picture(before.pictures[2]), _picture(after.pictures[0])
            if self._plan.assembly.even_out and clip.starts_from is not None:
                ending, beginning = _centred(ending), _centred(beginning)
            jump = _difference(ending, beginning)
            if jump > JUMP_LEVELS + JUMP_OF_MOVEMENT * max(before.moves[1], after.moves[0]):
                at = _rounded(self._starts[clip.index])
                said = f"the picture jumps by {jump:.0f} levels, though the clip continues the one before"
                yield (
                    CheckName.JOINS,
                    Finding(
                        scene=scene.index,
                        clip=clip.index,
                        start=at,
                        end=at,
                        value=round(jump, 2),
                        message=said,
                    ),
                )

    def of_duplicates(self) -> Iterator[_Found]:
        """Compare the first clips of the scenes. A scene that continues the one before may look like it."""
        firsts = [
            (scene, clip, [_picture(one) for one in measures.pictures])
            for scene, clip, measures in self._placed
            if measures is not None
            and measures.pictures is not None
            and clip.card is None
            and clip.index == scene.clips[0].index
            and not _continues(scene, clip)
        ]
        seen: set[int] = set()
        for (scene, _, one), (later, clip, other) in combinations(firsts, 2):
            if later.index in seen or abs(one[0][0] - other[0][0]) > SIGNATURE**2 * SAME_LEVELS:
                continue
            if all(map(_plain, one)) and all(map(_plain, other)):
                continue
            furthest = max(map(_difference, one, other))
            if furthest <= SAME_LEVELS:
                seen.add(later.index)
                start = self._starts[clip.index]
                yield (
                    CheckName.DUPLICATES,
                    Finding(
                        scene=later.index,
                        clip=clip.index,
                        start=_rounded(start),
                        end=_rounded(start + clip.film_frames / self._plan.fps),
                        value=round(furthest, 2),
                        message=f"shows what scene {scene.index + 1} shows",
                    ),
                )

    def values(self) -> list[ClipValues]:
        return [self._values(*one) for one in self._placed]

    def _values(self, scene: Scene, clip: Clip, measures: ClipMeasures | None) -> ClipValues:
        start = self._starts[clip.index]
        place = ClipValues(
            index=clip.index,
            scene=scene.index,
            start=_rounded(start),
            end=_rounded(start + clip.film_frames / self._plan.fps),
        )
        if measures is None:
            return place
        return place.model_copy(
            update={
                "edge": measures.edge,
                "luma": (measures.low, measures.high),
                "white": measures.white,
                "moved": measures.moved,
                "camera": measures.camera,
                "flashes": measures.flashes,
            }
        )


def _of_sound(plan: FilmPlan, sound: SoundMeasures | None) -> Iterator[_Found]:
    if sound is None or not _is_heard(plan):
        return
    end = plan.frames / plan.fps
    if sound.true_peak is None or sound.loudness <= SILENT:
        said = "the film is silent, though it has narration, music or clips with sound"
        yield CheckName.SILENCE, Finding(start=0, end=_rounded(end), message=said)
        return
    if plan.music:
        for start, stop in sound.silent:
            said = f"silent for {stop - start:.1f} s, though there is music"
            yield (
                CheckName.SILENCE,
                Finding(start=start, end=stop, value=round(stop - start, 2), message=said),
            )
    for name, sentences, what in (
        (CheckName.SILENCE, sound.mute, "a sentence has no sound"),
        (CheckName.CLIPPING, sound.clipped, "a sentence's sound is clipped"),
        (CheckName.SPEECH, sound.cut, "a sentence is cut off while it is spoken"),
    ):
        for number in sentences:
            yield name, _at_sentence(plan, number, what)
    off = sound.loudness - LOUDNESS
    if abs(off) > LOUDNESS_TOLERANCE:
        said = f"{sound.loudness:.1f} LUFS: {abs(off):.1f} LU too {'loud' if off > 0 else 'quiet'}"
        yield (
            CheckName.LOUDNESS,
            Finding(start=0, end=_rounded(end), value=round(sound.loudness, 2), message=said),
        )
    if sound.true_peak > TRUE_PEAK:
        said = f"its true peak is {sound.true_peak:.1f} dBTP"
        yield (
            CheckName.LOUDNESS,
            Finding(start=0, end=_rounded(end), value=round(sound.true_peak, 2), message=said),
        )


def _at_sentence(plan: FilmPlan, number: int, said: str) -> Finding:
    start, sentence = plan.narration[number]
    scene = next(scene.index for scene in plan.scenes if sentence in scene.narration)
    return Finding(
        scene=scene,
        start=_rounded(float(start)),
        end=_rounded(float(start) + sentence.seconds),
        message=f"{said}: {sentence.text[:60]}",
    )


def _of_speech(plan: FilmPlan, sound: SoundMeasures | None) -> Iterator[_Found]:
    ends = [*(float(plan.scene_start(scene)) for scene in plan.scenes[1:]), plan.frames / plan.fps]
    number = 0
    for scene, end in zip(plan.scenes, ends, strict=True):
        for _ in scene.narration:
            start, sentence = plan.narration[number]
            over = float(start) + sentence.seconds - end
            if over > _ROUNDING and (sound is None or number not in sound.cut):
                said = f"a sentence ends {over:.1f} s after its scene"
                yield CheckName.SPEECH, _at_sentence(plan, number, said)
            number += 1


def _of_captions(plan: FilmPlan, captions: Sequence[CaptionTurn]) -> Iterator[_Found]:
    most = READING_SPEEDS.get(plan.language.split("-")[0].lower(), READING_SPEED)
    starts = [float(plan.scene_start(scene)) for scene in plan.scenes]
    for turn in captions:
        text = " ".join(turn.text.split())
        speed = len(text) / max(0.001, turn.end - turn.start)
        if speed > most:
            scene = sum(start <= turn.start + _ROUNDING for start in starts) - 1
            yield (
                CheckName.CAPTIONS,
                Finding(
                    scene=plan.scenes[max(0, scene)].index,
                    start=_rounded(turn.start),
                    end=_rounded(turn.end),
                    value=round(speed, 1),
                    message=f"{speed:.0f} characters a second, at most {most}: {text[:60]}",
                ),
            )


def _left_out(
    plan: FilmPlan,
    clips: Sequence[ClipMeasures | None],
    sound: SoundMeasures | None,
    captions: Sequence[CaptionTurn],
) -> dict[CheckName, tuple[bool, str]]:
    """Return, by check, whether nothing of it was measured, and what was not."""
    found: dict[CheckName, tuple[bool, str]] = {}
    unknown = sum(one is None for one in clips)
    of_pictures = list(CheckName)[: list(CheckName).index(CheckName.SILENCE)]
    if unknown:
        said = f"{unknown} of {len(clips)} clips were made by a version that didn't measure them."
        found |= dict.fromkeys(of_pictures, (unknown == len(clips), said))
    elif partly := sum(not one.whole for one in clips if one):
        said = f"{partly} of {len(clips)} clips are too large to be measured to their end."
        found |= dict.fromkeys(of_pictures, (False, said))
    elif plain := sum(one.edge is None for one in clips if one):
        said = f"{plain} of {len(clips)} clips have too few edges, or are too small."
        found[CheckName.SHARPNESS] = (plain == len(clips), said)
    if CATALOGUE[plan.engine].draft:
        found[CheckName.MOTION] = (True, "A draft's movement is drawn, whatever the prompt asks.")
    if not _is_heard(plan):
        said = "No narration, music or clip sound was asked for."
        found |= dict.fromkeys((CheckName.SILENCE, CheckName.CLIPPING, CheckName.LOUDNESS), (True, said))
    elif sound is None:
        said = "The film's sound was made by a version that didn't measure it."
        found |= dict.fromkeys((CheckName.SILENCE, CheckName.CLIPPING, CheckName.LOUDNESS), (True, said))
    if not plan.narration:
        found[CheckName.SPEECH] = (True, "The film has no narration.")
    if not captions:
        found[CheckName.CAPTIONS] = (True, "The film has no captions.")
    return found


def _is_heard(plan: FilmPlan) -> bool:
    return bool(plan.narration or plan.music or plan.clips_heard is not ClipSound.DROP)


def _continues(scene: Scene, clip: Clip) -> bool:
    return clip.starts_from is not None or (scene.continues and clip.index == scene.clips[0].index)


def _picture(stored: str) -> tuple[int, bytes]:
    """Return a small picture with the sum of its levels."""
    levels = base64.b64decode(stored)
    return sum(levels), levels


def _centred(picture: tuple[int, bytes]) -> tuple[int, bytes]:
    total, levels = picture
    mean = round(total / len(levels))
    moved = bytes(min(255, max(0, level - mean + 128)) for level in levels)
    return sum(moved), moved


def _difference(one: tuple[int, bytes], other: tuple[int, bytes]) -> float:
    """Return the mean difference, in levels."""
    return sum(abs(here - there) for here, there in zip(one[1], other[1], strict=True)) / len(one[1])


def _plain(picture: tuple[int, bytes]) -> bool:
    mean = picture[0] / len(picture[1])
    return sum(abs(level - mean) for level in picture[1]) / len(picture[1]) < PLAIN_LEVELS


def _rounded(seconds: float) -> float:
    return round(seconds, 2)
