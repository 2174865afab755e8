"""Choose where a film is assembled: in a function, or in a build if that could take too long."""

from enum import StrEnum

from lambdas.domain.assembly import ClipSound
from lambdas.domain.film_plan import FilmPlan
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
_SECONDS_PER_SECOND_OF_SOUND = 0.15  # mixing narration, music or both in several passes, and encoding it
_SECONDS_PER_SECOND_OF_CLIPS_SOUND = 0.1  # decoding, laying and mixing it
# A joint is re-encoded up to the next keyframe on both sides; engines' clips have one every two seconds.
_SECONDS_TO_KEYFRAME = 2
_SECONDS_AROUND_JOINT = 2 * _SECONDS_TO_KEYFRAME


class Assembler(StrEnum):
    FUNCTION = "function"  # a Lambda task
    BUILD = "build"  # the same code in CodeBuild


def assembler_for(plan: FilmPlan) -> Assembler:
    return Assembler.FUNCTION if seconds_to_assemble(plan) <= LONGEST_IN_A_FUNCTION else Assembler.BUILD


def seconds_to_assemble(plan: FilmPlan) -> float:
    """Estimate the seconds a function takes to assemble the film, from the plan alone."""
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
) -> float:
    """Estimate the seconds a function takes to assemble a film of so many frames and clips.

    `joints` are encoded, each with the frames around it and those `within_joints`; captions are drawn into
    the frames that are `lettered`; `continued` clips start from the one before; narration and music are
    `mixed`; the clips' own sound may be `heard`.
    """
    megapixels = size[0] * size[1] / 1e6
    copied = frames * megapixels * 1e6 * _BITS_PER_PIXEL / 8
    encoded = joints * _SECONDS_AROUND_JOINT * fps + within_joints + lettered
    measured = continued * fps  # half a second on both sides of each joint
    return (
        copied / _BYTES_PER_SECOND
        + clips * _SECONDS_PER_CLIP
        + encoded * megapixels * _SECONDS_PER_MEGAPIXEL
        + measured * megapixels * _SECONDS_PER_MEGAPIXEL_MEASURED
        + (frames / fps * _SECONDS_PER_SECOND_OF_SOUND if mixed else 0)
        + (frames / fps * _SECONDS_PER_SECOND_OF_CLIPS_SOUND if heard else 0)
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
