"""Limits of what a checkpoint can render, and checks against them."""

from dataclasses import dataclass
from typing import Any

from containers.cogvideox.errors import BadCheckpoint, InvalidRequest

# https://huggingface.co/zai-org/CogVideoX1.5-5B: "16N + 1 where N <= 10 (default 81)", 16 fps, 224 tokens.
# Its config files give 81 frames (the default) and 226 tokens (what the code would accept).
LONGEST_1_5 = 161
PROMPT_TOKENS_1_5 = 224
# Early copies of the 1.5 checkpoints, and the output of diffusers' scripts/convert_cogvideox_to_diffusers.py,
# give the size of the rotary table (300×300 latents) where later ones give the video's.
TABLE_LATENTS_1_5 = 300
SIZE_1_5 = (1360, 768)
# One patch: 8 pixels per latent × 2 latents.
PATCH_PIXELS = 16


@dataclass(frozen=True)
class Limits:
    """Sizes (pixels), lengths (frames), frame rate and prompt length that a checkpoint was trained for."""

    width: int
    height: int
    any_long_side: bool
    """The short side is fixed; the long side may be anything between it and `width`. Either may be the
    height."""
    takes_image: bool
    frame_step: int
    longest: int
    fps: int
    prompt_tokens: int
    rotary: bool
    """Rotary position embeddings: every published checkpoint except CogVideoX-2b."""
    patches_in_time: bool
    """CogVideoX1.5."""

    def check_size(self, width: int, height: int) -> None:
        """Raise InvalidRequest unless a clip of width × height pixels can be rendered."""
        nearest = self._nearest_size(width, height)
        if (width, height) == nearest:
            return
        param = "width" if width != nearest[0] else "height"
        raise InvalidRequest(
            param,
            f"the size must be {self._sizes()}; got {width}×{height}, "
            f"the nearest is {nearest[0]}×{nearest[1]}",
        )

    def check_frames(self, frames: int, skip_frames: int) -> None:
        """Raise InvalidRequest unless `frames` can be rendered and some are left after `skip_frames`."""
        step, longest = self.frame_step, self.longest
        # Integers only: JSON also allows numbers of hundreds of digits, which fit no float.
        blocks = min(max((frames - 1 + step // 2) // step, 1), (longest - 1) // step)
        nearest = blocks * step + 1
        if frames != nearest:
            raise InvalidRequest(
                "frames",
                f"frames must be {step}N+1 up to {longest} ({step + 1}, {2 * step + 1}, …, {longest}); "
                f"{frames} was given, the nearest is {nearest}",
            )
        if skip_frames >= frames:
            raise InvalidRequest(
                "skip_frames",
                f"skip_frames must be less than frames ({frames}); got {skip_frames}, "
                f"the nearest is {frames - 1}",
            )

    def check_fps(self, fps: int) -> None:
        """Raise InvalidRequest unless `fps` is the rate of the videos the model was trained on."""
        if fps != self.fps:
            raise InvalidRequest("fps", f"fps must be {self.fps}; got {fps}")

    def _nearest_size(self, width: int, height: int) -> tuple[int, int]:
        if not self.any_long_side:
            return self.width, self.height
        long_side = (max(width, height) + PATCH_PIXELS // 2) // PATCH_PIXELS * PATCH_PIXELS
        long_side = min(max(long_side, self.height), self.width)
        return (long_side, self.height) if width >= height else (self.height, long_side)

    def _sizes(self) -> str:
        if not self.any_long_side:
            return f"{self.width}×{self.height}"
        return (
            f"{self.height} on the short side and a multiple of {PATCH_PIXELS} "
            f"from {self.height} to {self.width} on the long side"
        )


def limits_of(transformer: dict[str, Any], vae: dict[str, Any]) -> Limits:
    """Return the limits given by the config.json of a transformer and its VAE.

    Raises KeyError or TypeError if a value is missing or invalid, BadCheckpoint if the two do not match.
    """
    pixels_per_latent = 2 ** (len(vae["block_out_channels"]) - 1)
    latents = (transformer["sample_width"], transformer["sample_height"])
    patches_in_time = transformer.get("patch_size_t") is not None
    takes_image = transformer["in_channels"] == 2 * vae["latent_channels"]
    if not takes_image and transformer["in_channels"] != vae["latent_channels"]:
        raise BadCheckpoint(
            f"the transformer has {transformer['in_channels']} input channels; expected "
            f"{vae['latent_channels']} (text-to-video) or {2 * vae['latent_channels']} (image-to-video)"
        )
    if patches_in_time and latents == (TABLE_LATENTS_1_5, TABLE_LATENTS_1_5):
        width, height = SIZE_1_5
    else:
        width, height = (side * pixels_per_latent for side in latents)
    tokens = transformer["max_text_seq_length"]
    return Limits(
        width=width,
        height=height,
        any_long_side=patches_in_time and takes_image,
        takes_image=takes_image,
        frame_step=16 if patches_in_time else 8,
        longest=LONGEST_1_5 if patches_in_time else transformer["sample_frames"],
        fps=16 if patches_in_time else 8,
        prompt_tokens=min(tokens, PROMPT_TOKENS_1_5) if patches_in_time else tokens,
        rotary=bool(transformer.get("use_rotary_positional_embeddings")),
        patches_in_time=patches_in_time,
    )
