"""Choose where a film is assembled: in a function, or in a build if that could take too long."""

from enum import StrEnum

from lambdas.domain.film_plan import FilmPlan

# Lambda stops a function after 900 s. The estimate may be wrong by half.
LONGEST_IN_A_FUNCTION = 450  # seconds

# The constants are on the safe side of the measurements (docs/benchmarks.md): CogVideoX clips have 0.16 to
# 0.33 bits per pixel, and joints cost 0.17 processor seconds per megapixel; the function has 1.2 processors.
_BITS_PER_PIXEL = 0.5
_BYTES_PER_SECOND = 20e6  # from S3 and back, one part at a time
_SECONDS_PER_CLIP = 0.2  # S3 calls: look it up, read its index, open its data
_SECONDS_PER_MEGAPIXEL = 0.3  # decoding, blending and encoding
_SECONDS_PER_MEGAPIXEL_MEASURED = 0.05  # decoding alone
_SECONDS_PER_SECOND_OF_SOUND = 0.02
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
    megapixels = plan.width * plan.height / 1e6
    copied = plan.frames * megapixels * 1e6 * _BITS_PER_PIXEL / 8
    return (
        copied / _BYTES_PER_SECOND
        + len(plan.clips) * _SECONDS_PER_CLIP
        + _frames_to_encode(plan) * megapixels * _SECONDS_PER_MEGAPIXEL
        + _frames_to_measure(plan) * megapixels * _SECONDS_PER_MEGAPIXEL_MEASURED
        + plan.frames / plan.fps * _SECONDS_PER_SECOND_OF_SOUND
    )


def _frames_to_encode(plan: FilmPlan) -> int:
    """Count the frames around and within each joint, and those with burned captions."""
    around = plan.joints_to_encode * _SECONDS_AROUND_JOINT * plan.fps
    between = sum(transition.frames for transition in plan.transitions if transition)
    return around + between + (_frames_with_captions(plan) if plan.burn_captions else 0)


def _frames_with_captions(plan: FilmPlan) -> int:
    """Count the frames with speech, each sentence up to the next keyframe; at most the whole film."""
    said = sum(sentence.seconds + _SECONDS_TO_KEYFRAME for _, sentence in plan.narration)
    return min(plan.frames, round(said * plan.fps))


def _frames_to_measure(plan: FilmPlan) -> int:
    """Count half a second on both sides of each joint where a clip continues the previous one."""
    return sum(clip.starts_from is not None for clip in plan.clips) * plan.fps
