"""Choose where a film is assembled: in a function, or in a build if that could take too long."""

from collections.abc import Sequence
from enum import StrEnum

from lambdas.domain.assembly import ClipSound
from lambdas.domain.film_plan import FilmPlan
from lambdas.domain.shapes import Shape
from lambdas.domain.storyboard import LOWER_THIRD_SECONDS

# Lambda stops a function after 900 s. The estimate may be wrong by half.
LONGEST_IN_A_FUNCTION = 450  # seconds

# The constants are on the safe side of the measurements (docs/benchmarks.md): CogVideoX clips have 0.16 to
# 0.33 bits per pixel, and joints cost 0.17 processor seconds per megapixel; the function has 1.2 processors.
_BITS_PER_PIXEL = 0.5
_BYTES_PER_SECOND = 20e6  # from S3 and back, one part at a time
_SECONDS_PER_CLIP = 0.2  # S3 calls: look it up, read its index, open its data
_SECONDS_PER_MEGAPIXEL = 0.3  # decoding, blending and encoding
_SECONDS_PER_MEGAPIXEL_MEASURED = 0.05  # decoding alone
_SECONDS_PER_MEGAPIXEL_SHAPED = 0.08  # decoding, cropping or blurring, and encoding
_SECONDS_PER_SECOND_OF_SOUND = 0.15  # mixing narration, music or both in several passes, and encoding it
_SECONDS_PER_SECOND_OF_CLIPS_SOUND = 0.1  # decoding, laying and mixing it
_SECONDS_PER_SECOND_OF_STEMS = 0.15  # mixing it once more, packing and uploading 1.5 MB
# A joint is re-encoded up to the next keyframe on both sides; engines' clips have one every two seconds.
_SECONDS_TO_KEYFRAME = 2
_SECONDS_AROUND_JOINT = 2 * _SECONDS_TO_KEYFRAME


class Assembler(StrEnum):
    FUNCTION = "function"  # a Lambda task
    BUILD = "build"  # the same code in CodeBuild


def assembler_for(plan: FilmPlan, shapes: Sequence[Shape] = ()) -> Assembler:
    """Choose where a film and its further shapes are made."""
    seconds = seconds_to_assemble(plan, shapes)
    return Assembler.FUNCTION if seconds <= LONGEST_IN_A_FUNCTION else Assembler.BUILD


def seconds_to_assemble(plan: FilmPlan, shapes: Sequence[Shape] = ()) -> float:
    """Estimate the seconds a function takes to assemble the film and its further shapes, from the plan
    alone."""
    return sum(map(_seconds, [plan, *map(plan.in_shape, shapes)]))


def _seconds(plan: FilmPlan) -> float:
    return seconds_to_join(
        (plan.width, plan.height),
        plan.fps,
        frames=plan.frames,
        clips=len(plan.clips),
        joints=plan.joints_to_encode,
        within_joints=sum(transition.frames for transition in plan.transitions if transition),
        lettered=_frames_drawn_over(plan),
        continued=sum(clip.starts_from is not None for clip in plan.clips),
        mixed=bool(plan.narration or plan.music),
        heard=plan.clips_heard is not ClipSound.DROP,
        stems=plan.stems,
        shaped=plan.shape is not None,
    )


def seconds_to_join(
    size: tuple[int, int],
    fps: int,
    *,
    frames: int,
    clips: int,
    joints: int,
    within_joints: int,
    lettered: int,
    continued: int,
    mixed: bool,
    heard: bool,
    stems: bool,
    shaped: bool = False,
) -> float:
    """Estimate the seconds a function takes to assemble a film of so many frames and clips.

    `joints` are encoded, each with the frames around it and those `within_joints`; captions are drawn into
    the frames that are `lettered`; `continued` clips start from the one before; narration and music are
    `mixed`; the clips' own sound may be `heard`, and `stems` delivered. A further shape is `shaped` from all
    its clips, and has the film's sound.
    """
    megapixels = size[0] * size[1] / 1e6
    copied = frames * megapixels * 1e6 * _BITS_PER_PIXEL / 8
    encoded = joints * _SECONDS_AROUND_JOINT * fps + within_joints + lettered
    measured = 0 if shaped else continued * fps  # half a second on both sides of each joint
    mixed, heard = (mixed, heard) if not shaped else (False, False)
    return (
        copied / _BYTES_PER_SECOND
        + clips * _SECONDS_PER_CLIP
        + encoded * megapixels * _SECONDS_PER_MEGAPIXEL
        + measured * megapixels * _SECONDS_PER_MEGAPIXEL_MEASURED
        + (frames * megapixels * _SECONDS_PER_MEGAPIXEL_SHAPED if shaped else 0)
        + (frames / fps * _SECONDS_PER_SECOND_OF_SOUND if mixed else 0)
        + (frames / fps * _SECONDS_PER_SECOND_OF_CLIPS_SOUND if heard else 0)
        + (frames / fps * _SECONDS_PER_SECOND_OF_STEMS if stems else 0)
    )


def _frames_drawn_over(plan: FilmPlan) -> int:
    """Count the frames with a logo, a caption or a lower third, those up to the next keyframe included; at
    most the whole film."""
    if plan.logo is not None:
        return plan.frames
    said = sum(sentence.seconds + _SECONDS_TO_KEYFRAME for _, sentence in plan.narration)
    thirds = sum(scene.lower_third is not None for scene in plan.scenes)
    seconds = (said if plan.burn_captions else 0) + thirds * (LOWER_THIRD_SECONDS + _SECONDS_TO_KEYFRAME)
    return min(plan.frames, round(seconds * plan.fps))
