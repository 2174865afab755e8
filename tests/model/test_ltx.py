"""LTX-2 on tiny checkpoints: its pictures and sound must equal diffusers', and its speeds must save work."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import LTX2ConditionPipeline
from diffusers.pipelines.ltx2.pipeline_ltx2_condition import LTX2VideoCondition
from diffusers.pipelines.ltx2.utils import DISTILLED_SIGMA_VALUES
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

import containers.diffusion.model as model_module
from benchmarks import memory as benchmark
from containers.diffusion.checkpoint import read_checkpoint
from containers.diffusion.engine import DiffusionEngine
from containers.diffusion.errors import BadCheckpoint, InvalidRequest
from containers.diffusion.families.ltx import FRAMES_PER_LATENT, SIGMAS
from containers.diffusion.family import Demand
from containers.diffusion.manifest import make_manifest
from containers.diffusion.memory import LAST_RESORT, OPTIONS, plan
from containers.diffusion.model import Model, Rendering
from containers.diffusion.request import ClipRequest
from containers.diffusion.source import Source
from containers.diffusion.speed import Speed, computed_steps
from containers.diffusion.tensors import check_tensors
from containers.diffusion.weights import check_weights
from lambdas.media.probe import probe
from tests.tiny_ltx import Generation, make_tiny_ltx

IMAGE = Image.linear_gradient("L").convert("RGB").resize((96, 64))
# Of 40 ms of sound to a latent, the first has 10; and their number is rounded: a track may end this early,
# and is silent from there.
EARLY = 0.05
OFF: dict[str, Any] = {
    "stg_scale": 0.0, "audio_stg_scale": 0.0, "modality_scale": 1.0, "audio_modality_scale": 1.0,
    "guidance_rescale": 0.0, "audio_guidance_rescale": 0.0,
}  # fmt: skip
# As in diffusers' documentation of 2.0 and in Lightricks' parameters of 2.3.
GUIDED: dict[Generation, dict[str, Any]] = {
    "2.0": {"guidance_scale": 4.0, "audio_guidance_scale": 4.0, **OFF},
    "2.3": {
        "guidance_scale": 3.0, "audio_guidance_scale": 7.0, "stg_scale": 1.0, "modality_scale": 3.0,
        "guidance_rescale": 0.7, "spatio_temporal_guidance_blocks": [28],
    },
}  # fmt: skip
DISTILLED = {"guidance_scale": 1.0, "audio_guidance_scale": 1.0, "sigmas": DISTILLED_SIGMA_VALUES, **OFF}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)  # as the server does for narrow models


def request(**changes: Any) -> ClipRequest:
    clip = {"width": 96, "height": 64, "frames": 9, "skip_frames": 0, "fps": 24, "seed": 7}
    return ClipRequest(**{"prompt": "A bee in the rain", "negative_prompt": "blurry", **clip, **changes})


def rendered(model: Model, wanted: ClipRequest, source: Source, speed: Speed = Speed.EXACT) -> Rendering:
    return model.render(wanted, source, speed, lambda: None)


def by_diffusers(
    directory: Path, wanted: ClipRequest, generation: Generation, source: Source, **arguments: Any
) -> tuple[Any, Any]:
    """Return the frames and the samples of what the pipeline makes and decodes by itself."""
    pipeline = LTX2ConditionPipeline.from_pretrained(directory, dtype=torch.float32, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    made = pipeline(
        conditions=[LTX2VideoCondition(source.image)] if source.image else None,
        prompt=wanted.prompt,
        negative_prompt=wanted.negative_prompt,
        width=wanted.width,
        height=wanted.height,
        num_frames=wanted.frames,
        frame_rate=wanted.fps,
        use_cross_timestep=generation == "2.3",
        generator=torch.Generator("cpu").manual_seed(wanted.seed),
        output_type="np",
        **arguments,
    )
    return (made.frames[0] * 255).round().astype(np.uint8), made.audio[0].numpy().clip(-1, 1)


@pytest.mark.parametrize("generation", ["2.0", "2.3"])
def test_pictures_and_sound_match_diffusers(tmp_path: Path, generation: Generation) -> None:
    for distilled, source, steps in ((True, Source(image=IMAGE), 8), (False, Source(), 2)):
        directory = make_tiny_ltx(tmp_path / str(distilled), generation=generation, distilled=distilled)
        check_weights(directory)
        check_tensors(directory)
        wanted = request() if distilled else request(steps=steps)
        model = Model.load(directory, read_checkpoint(directory), "cpu")
        made = rendered(model, wanted, source)
        guidance = DISTILLED if distilled else GUIDED[generation]
        frames, samples = by_diffusers(
            directory, wanted, generation, source, num_inference_steps=steps, **guidance
        )
        assert np.array_equal(made.frames, frames)
        assert made.sound is not None
        assert np.array_equal(made.sound.samples, samples)
        assert len(made.step_seconds) == steps
        seconds = made.sound.samples.shape[1] / made.sound.rate
        assert wanted.frames / wanted.fps - EARLY <= seconds <= wanted.frames / wanted.fps
        assert made.sound.samples.std() > 0.01, "there is something to hear"
    # With the prompts' embeddings kept from the first time.
    assert np.array_equal(rendered(model, wanted, source).frames, frames)


def test_16_bits_are_rounded_where_diffusers_rounds_them(tmp_path: Path) -> None:
    """On a GPU everything is in 16 bits: latents that are returned must be rounded as those decoded at
    once."""
    directory = make_tiny_ltx(tmp_path)
    checkpoint = read_checkpoint(directory)
    pipeline = LTX2ConditionPipeline.from_pretrained(directory, dtype=torch.bfloat16, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    torch.manual_seed(0)
    embeddings = torch.randn(1, 1024, 48).bfloat16()

    def made(**arguments: Any) -> Any:
        return pipeline(
            prompt_embeds=embeddings, prompt_attention_mask=torch.ones(1, 1024, dtype=torch.int64),
            width=96, height=64, num_frames=9, num_inference_steps=2, **DISTILLED | {"sigmas": [1.0, 0.7]},
            generator=torch.Generator("cpu").manual_seed(1), **arguments,
        )  # fmt: skip

    at_once = made(output_type="pt").frames[0]
    checkpoint.prepare(pipeline)
    decoded = checkpoint.decode(pipeline, made(output_type="latent"), request())
    assert torch.equal(decoded.video, at_once)


def test_the_first_and_the_last_picture_are_conditions_at_the_first_and_the_last_frame(
    tmp_path: Path,
) -> None:
    directory = make_tiny_ltx(tmp_path)
    checkpoint = read_checkpoint(directory)
    model = Model.load(directory, checkpoint, "cpu")
    seen: list[Any] = []
    transformer = model._pipeline.transformer
    handle = transformer.register_forward_pre_hook(
        lambda _module, _arguments, named: seen.append(named), with_kwargs=True
    )
    wanted = request()
    try:
        frames = rendered(model, wanted, Source(image=IMAGE, last_image=IMAGE.rotate(180))).frames
    finally:
        handle.remove()
    tokens = 96 * 64 // 32**2
    latents = (wanted.frames - 1) // FRAMES_PER_LATENT + 1
    coordinates, levels = seen[0]["video_coords"], seen[0]["timestep"]
    assert coordinates.shape[2] == tokens * (latents + 1), "a last picture is one more latent"
    last = coordinates[0, 0, -tokens:]
    assert torch.allclose(last[:, 0] * wanted.fps, torch.tensor(wanted.frames - 1.0))
    assert torch.allclose(last[:, 1] * wanted.fps, torch.tensor(wanted.frames * 1.0))
    assert levels[0, :tokens].eq(0).all(), "the first latent is given"
    assert levels[0, -tokens:].eq(0).all(), "so is the last picture"
    assert levels[0, tokens:-tokens].gt(0).all()
    for other in (Source(image=IMAGE), Source(last_image=IMAGE.rotate(180)), Source()):
        assert not np.array_equal(rendered(model, wanted, other).frames, frames)


def test_each_speed_of_the_full_model_saves_the_work_that_it_says(tmp_path: Path) -> None:
    directory = make_tiny_ltx(tmp_path, distilled=False)
    model = Model.load(directory, read_checkpoint(directory), "cpu")
    assert model.speeds == (Speed.EXACT, Speed.BALANCED, Speed.FAST)
    wanted = request(steps=9, guidance=1)
    ran: list[None] = []
    blocks = model._pipeline.transformer.transformer_blocks
    blocks[0].attn1.register_forward_pre_hook(lambda *_: ran.append(None))
    flops, sounds = {}, {}
    for speed in model.speeds:
        ran.clear()
        with FlopCounterMode(display=False) as counter:
            made = rendered(model, wanted, Source(), speed)
        flops[speed] = counter.get_total_flops()
        assert made.sound is not None
        sounds[speed] = made.sound.samples
        assert len(ran) == made.computed_steps == computed_steps(speed, 9)
    assert flops[Speed.EXACT] > flops[Speed.BALANCED] > flops[Speed.FAST]
    # Sound is predicted, too: it stays near, rather than becoming what the skipped blocks return.
    for speed in (Speed.BALANCED, Speed.FAST):
        apart = np.abs(sounds[speed] - sounds[Speed.EXACT]).mean()
        assert apart < 0.1 * np.abs(sounds[Speed.EXACT]).mean(), speed
    assert np.array_equal(rendered(model, wanted, Source()).sound.samples, sounds[Speed.EXACT])  # type: ignore[union-attr]


def test_no_placement_in_16_bits_changes_a_clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = make_tiny_ltx(tmp_path)
    checkpoint, wanted, source = read_checkpoint(directory), request(steps=2), Source(image=IMAGE)
    expected = rendered(Model.load(directory, checkpoint, "cpu"), wanted, source)
    assert expected.sound is not None
    for option in (*OPTIONS, LAST_RESORT):
        monkeypatch.setattr(
            model_module,
            "plan",
            lambda *sizes, option=option, **said: replace(plan(*sizes, **said), option=option),
        )
        model = Model.load(directory, checkpoint, "cpu")
        assert model.plan.option == option
        made = rendered(model, wanted, source)
        assert made.sound is not None
        # Frames as small as these are one tile.
        assert np.array_equal(made.frames, expected.frames) is not option.fp8
        assert np.allclose(made.sound.samples, expected.sound.samples, atol=1e-3)
        for name in ("text_encoder", "transformer"):
            kinds = {parameter.dtype for parameter in getattr(model._pipeline, name).parameters()}
            assert (torch.float8_e4m3fn in kinds) is option.fp8


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> DiffusionEngine:
    directory = make_tiny_ltx(tmp_path_factory.mktemp("ltx"))
    loaded = DiffusionEngine(directory, "ltx-2-19b-distilled", "cpu")
    loaded.load()
    return loaded


def test_a_clip_has_its_sound_in_step(engine: DiffusionEngine) -> None:
    assert engine.describe()["engine"] == "ltx"
    wanted = request(width=256, height=256, skip_frames=3).model_dump(mode="json", exclude_none=True)
    info = probe(engine.render(json.dumps(wanted).encode(), lambda: None).mp4)
    assert info.has_audio
    assert (info.frames, info.width, info.height) == (6, 256, 256)
    assert info.duration * 24 == 6


@pytest.mark.parametrize(
    ("changes", "param", "says"),
    [
        ({"width": 100}, "width", "multiple of 32 from 256 to 736.*nearest is 256×576"),
        ({"width": 1280, "height": 720}, "height", "got 1280×720, the nearest is 1280×736"),
        ({"frames": 120}, "frames", "8N\\+1 up to 505.*nearest is 121"),
        ({"frames": 505}, "frames", "at most 481 at 24 fps .20 s.; 505 was given, the nearest is 481"),
        ({"fps": 30}, "fps", "24 or 25; got 30, the nearest is 25"),
        ({"steps": 20}, "steps", "null or 8.*got 20, the nearest is 8"),
        ({"guidance": 4.0}, "guidance", "null or 1.*got 4, the nearest is 1"),
        ({"speed": "fast"}, "speed", "must be exact for this model; got fast"),
        ({"prompt": "rain " * 1100}, "prompt", "at most 1024 tokens"),
        ({"strength": 0.5}, "strength", "null without a video"),
    ],
)
def test_every_limit_names_what_is_allowed(
    engine: DiffusionEngine, changes: dict[str, Any], param: str, says: str
) -> None:
    wanted = request(width=1024, height=576).model_dump(mode="json", exclude_none=True) | changes
    with pytest.raises(InvalidRequest, match=says) as refusal:
        engine.render(json.dumps(wanted).encode(), lambda: None)
    assert refusal.value.param == param


@pytest.mark.filterwarnings("default")  # of the libraries when models are built on the meta device
def test_a_schedule_has_no_less_than_two_steps() -> None:
    with pytest.raises(InvalidRequest, match=r"at least 2.*nearest is 2"):
        benchmark.checkpoint_of("ltx-2-19b").check(request(steps=1))


@pytest.mark.parametrize(
    ("file", "changes", "says"),
    [
        ("transformer/config.json", {"ff_bias": False}, "LTX-2.5"),
        ("scheduler/scheduler_config.json", {"use_dynamic_shifting": None}, "scheduler_config.json: use_dyn"),
        ("vae/config.json", {"timestep_conditioning": True}, "vae/config.json: timestep_conditioning"),
        ("vae/config.json", {"spatial_compression_ratio": 16}, "spatial_compression_ratio: .*32"),
        ("model_index.json", {"text_encoder": ["transformers", "Gemma4Model"]}, "Gemma3ForConditional"),
        ("model_index.json", {"duration_head": ["ltx2", "LTX2DurationHead"]}, "as duration_head"),
    ],
)
def test_other_checkpoints_are_refused_with_the_reason(
    tmp_path: Path, file: str, changes: dict[str, Any], says: str
) -> None:
    directory = make_tiny_ltx(tmp_path)
    path = directory / file
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    make_manifest(directory, "ltx").write(directory)

    def checked() -> None:
        check_weights(directory)
        read_checkpoint(directory)

    with pytest.raises(BadCheckpoint, match=says):
        checked()


def test_the_noise_levels_are_those_of_diffusers() -> None:
    assert list(SIGMAS) == DISTILLED_SIGMA_VALUES


# --- memory


@pytest.mark.filterwarnings("default")
def test_the_estimate_of_denoising_covers_what_the_real_class_allocates() -> None:
    # Long, so that it takes more than reading the text; held are the text's embeddings, twice.
    work, demand = benchmark.sizes_of("ltx-2-19b").work, Demand(768, 512, 481, guided=False)
    real = benchmark.meter_denoising("ltx-2-19b", demand)
    assert real <= work.denoising(demand) - 2 * work.text_bytes <= 1.1 * real


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", ["ltx-2-19b", "ltx-2.3-22b-distilled"])
@pytest.mark.parametrize(
    ("demand", "tiling"),
    [(Demand(512, 512, 17), False), (Demand(1024, 576, 33), True)],
    ids=["whole", "tiles"],
)
def test_the_estimate_of_decoding_covers_what_the_real_class_allocates(
    name: str, demand: Demand, tiling: bool
) -> None:
    real = benchmark.meter_decoding(name, demand, tiling=tiling)
    estimated = benchmark.sizes_of(name).work.decoding(demand, tiling=tiling)
    assert real <= estimated <= 1.25 * real
