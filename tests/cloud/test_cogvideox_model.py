"""The model alone, on every kind of checkpoint: does it give what diffusers itself gives?"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import CogVideoXDPMScheduler, DiffusionPipeline
from PIL import Image

from containers.cogvideox.limits import Limits, read_limits
from containers.cogvideox.model import Model
from containers.cogvideox.request import ClipRequest
from tests.contract import document
from tests.tiny_checkpoint import Generation, make_tiny_checkpoint

IMAGE = Image.linear_gradient("L").convert("RGB")


def request(limits: Limits, **changes: Any) -> ClipRequest:
    wanted = {"width": limits.width, "height": limits.height, "frames": limits.frame_step + 1}
    return ClipRequest(**document("clip_request.text") | wanted | {"fps": limits.fps} | changes)


def diffusers_frames(directory: Path, limits: Limits, wanted: ClipRequest) -> np.ndarray:
    """As the model cards do it."""
    pipeline = DiffusionPipeline.from_pretrained(directory, dtype=torch.float32, local_files_only=True)
    if limits.rotary:
        settings = pipeline.scheduler.config
        pipeline.scheduler = CogVideoXDPMScheduler.from_config(settings, timestep_spacing="trailing")
    images = {"image": IMAGE.resize((wanted.width, wanted.height))} if limits.takes_image else {}
    video = pipeline(
        **images,
        prompt=wanted.prompt,
        negative_prompt=wanted.negative_prompt,
        width=wanted.width,
        height=wanted.height,
        num_frames=wanted.frames,
        num_inference_steps=2,
        guidance_scale=6,
        use_dynamic_cfg=limits.rotary,
        max_sequence_length=limits.prompt_tokens,
        generator=torch.Generator("cpu").manual_seed(wanted.seed),
        output_type="np",
    ).frames[0]
    return (video * 255).round().astype(np.uint8)


@pytest.mark.parametrize("generation", ["1.0", "1.5"])
@pytest.mark.parametrize("image_to_video", [False, True])
def test_frames_are_those_of_diffusers(tmp_path: Path, generation: Generation, image_to_video: bool) -> None:
    directory = make_tiny_checkpoint(tmp_path, generation=generation, image_to_video=image_to_video)
    limits = read_limits(directory)
    assert limits.takes_image == image_to_video
    wanted = request(limits)
    image = IMAGE.resize((wanted.width, wanted.height)) if image_to_video else None
    rendering = Model.load(directory, limits, "cpu").render(wanted, image, go_on=lambda: None)
    assert rendering.frames.shape == (wanted.frames, wanted.height, wanted.width, 3)
    assert np.array_equal(rendering.frames, diffusers_frames(directory, limits, wanted))


@pytest.mark.parametrize("size", [(64, 96), (64, 64), (80, 64)])
def test_1_5_image_to_video_renders_every_shape(tmp_path: Path, size: tuple[int, int]) -> None:
    directory = make_tiny_checkpoint(tmp_path, generation="1.5", image_to_video=True)
    limits = read_limits(directory)
    limits.check_size(*size)
    wanted = request(limits, width=size[0], height=size[1])
    frames = Model.load(directory, limits, "cpu").render(wanted, IMAGE.resize(size), go_on=lambda: None).frames
    assert frames.shape == (17, size[1], size[0], 3)
