"""The model alone, on every kind of checkpoint: its output must equal diffusers'."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import CogVideoXDPMScheduler, CogVideoXVideoToVideoPipeline, DiffusionPipeline
from PIL import Image

from containers.diffusion.checkpoint import read_checkpoint
from containers.diffusion.family import Checkpoint
from containers.diffusion.model import Model
from containers.diffusion.request import ClipRequest
from containers.diffusion.source import Source
from containers.diffusion.speed import Speed
from tests.contract import document
from tests.tiny_checkpoint import Generation, make_tiny_checkpoint

IMAGE = Image.linear_gradient("L").convert("RGB")


def request(checkpoint: Checkpoint, **changes: Any) -> ClipRequest:
    limits = checkpoint.limits
    width, height = limits.sizes.default
    wanted = {"width": width, "height": height, "frames": limits.frame_step + 1, "fps": limits.fps[0]}
    return ClipRequest(**document("clip_request.text") | wanted | changes)


def source(checkpoint: Checkpoint, wanted: ClipRequest, *, video: bool = False) -> Source:
    pictures = [IMAGE.rotate(3 * turn).resize((wanted.width, wanted.height)) for turn in range(wanted.frames)]
    if video:
        return Source(video=pictures)
    return Source(image=pictures[0]) if checkpoint.limits.image == "required" else Source()


def rendered(model: Model, wanted: ClipRequest, source: Source, speed: Speed = Speed.EXACT) -> Any:
    return model.render(wanted, source, speed, lambda: None).frames


def diffusers_frames(directory: Path, checkpoint: Checkpoint, wanted: ClipRequest, source: Source) -> Any:
    """Render as the model cards do."""
    pipeline = DiffusionPipeline.from_pretrained(directory, dtype=torch.float32, local_files_only=True)
    if checkpoint.variant.rotary:
        settings = pipeline.scheduler.config
        pipeline.scheduler = CogVideoXDPMScheduler.from_config(settings, timestep_spacing="trailing")
    inputs: dict[str, Any] = {"num_frames": wanted.frames}
    if source.image:
        inputs["image"] = source.image
    if source.video:
        pipeline = CogVideoXVideoToVideoPipeline(**pipeline.components)
        inputs = {"video": source.video, "strength": wanted.strength}
    video = pipeline(
        **inputs,
        prompt=wanted.prompt,
        negative_prompt=wanted.negative_prompt,
        width=wanted.width,
        height=wanted.height,
        num_inference_steps=wanted.steps,
        guidance_scale=6 if wanted.guidance is None else wanted.guidance,
        use_dynamic_cfg=checkpoint.variant.rotary,
        max_sequence_length=checkpoint.limits.prompt_tokens,
        generator=torch.Generator("cpu").manual_seed(wanted.seed),
        output_type="np",
    ).frames[0]
    return (video * 255).round().astype(np.uint8)


@pytest.mark.parametrize("generation", ["1.0", "1.5"])
@pytest.mark.parametrize("image_to_video", [False, True])
def test_frames_match_diffusers(tmp_path: Path, generation: Generation, image_to_video: bool) -> None:
    directory = make_tiny_checkpoint(tmp_path, generation=generation, image_to_video=image_to_video)
    checkpoint = read_checkpoint(directory)
    assert checkpoint.limits.image == ("required" if image_to_video else "none")
    wanted = request(checkpoint)
    start = source(checkpoint, wanted)
    model = Model.load(directory, checkpoint, "cpu")
    frames = rendered(model, wanted, start)
    assert frames.shape == (wanted.frames, wanted.height, wanted.width, 3)
    assert np.array_equal(frames, diffusers_frames(directory, checkpoint, wanted, start))
    # With the prompts' embeddings cached from the first time.
    assert np.array_equal(frames, rendered(model, wanted, start))
    unguided = wanted.model_copy(update={"guidance": 1.0})
    assert np.array_equal(
        rendered(model, unguided, start), diffusers_frames(directory, checkpoint, unguided, start)
    )


def test_video_to_video_matches_diffusers(tmp_path: Path) -> None:
    directory = make_tiny_checkpoint(tmp_path)
    checkpoint = read_checkpoint(directory)
    wanted = request(checkpoint, steps=4, strength=0.5)
    start = source(checkpoint, wanted, video=True)
    model = Model.load(directory, checkpoint, "cpu")
    rendering = model.render(wanted, start, Speed.EXACT, lambda: None)
    assert len(rendering.step_seconds) == 2
    assert np.array_equal(rendering.frames, diffusers_frames(directory, checkpoint, wanted, start))


def test_1_5_video_to_video_keeps_more_of_the_video_at_lower_strength(tmp_path: Path) -> None:
    directory = make_tiny_checkpoint(tmp_path, generation="1.5")
    checkpoint = read_checkpoint(directory)
    wanted = request(checkpoint, steps=10)
    start = source(checkpoint, wanted, video=True)
    with pytest.raises(ValueError, match="must be divisible by"):
        # diffusers alone supports none of the lengths that the model was trained for.
        diffusers_frames(directory, checkpoint, wanted.model_copy(update={"strength": 0.5}), start)
    model = Model.load(directory, checkpoint, "cpu")
    clips = [
        rendered(model, wanted.model_copy(update={"strength": strength}), start).astype(int)
        for strength in (0.1, 0.2, 1.0)
    ]
    assert {clip.shape for clip in clips} == {(17, wanted.height, wanted.width, 3)}
    little, more, all_ = clips
    assert np.abs(little - more).mean() < np.abs(little - all_).mean()


@pytest.mark.parametrize("size", [(64, 96), (64, 64), (80, 64)])
def test_1_5_image_to_video_renders_every_shape(tmp_path: Path, size: tuple[int, int]) -> None:
    directory = make_tiny_checkpoint(tmp_path, generation="1.5", image_to_video=True)
    checkpoint = read_checkpoint(directory)
    checkpoint.limits.check_size(*size)
    wanted = request(checkpoint, width=size[0], height=size[1])
    frames = rendered(Model.load(directory, checkpoint, "cpu"), wanted, source(checkpoint, wanted))
    assert frames.shape == (17, size[1], size[0], 3)
