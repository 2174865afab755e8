"""Compare the memory plan's estimates with what the real classes allocate and what others measured on GPUs.

    python -m benchmarks.memory [--json | --table]

It needs no GPU: the published models are built on PyTorch's meta device, which has shapes but no values, and
every allocation of a forward pass is counted while it is alive. `--table` prints the plans in
docs/engines-memory.md.
"""

import argparse
import json
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Any

import diffusers
import torch
from diffusers import AutoencoderKLCogVideoX, AutoencoderKLWan
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import (
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    T5Config,
    T5EncoderModel,
    UMT5Config,
    UMT5EncoderModel,
)

from containers.diffusion.errors import OutOfMemory
from containers.diffusion.families.cogvideox import (
    COGVIDEOX,
    HD,
    HD_IMAGE,
    SD,
    SD_IMAGE,
)
from containers.diffusion.families.wan import (
    BOTH_ENDS,
    IMAGE,
    IMAGE_A14B,
    TEXT,
    TEXT_480,
    TEXT_OR_IMAGE,
    WAN,
)
from containers.diffusion.family import Configs, Demand, Dtype, Family
from containers.diffusion.limits import Limits
from containers.diffusion.memory import (
    GIB,
    LAST_RESORT,
    OPTIONS,
    RESERVED,
    WORKSPACES,
    Device,
    ModelSizes,
    Option,
    Placement,
    lengths,
    peak,
    plan,
)
from containers.diffusion.weights import Tensor

MIB = 2**20


@dataclass(frozen=True)
class Published:
    """A published checkpoint: its family, the values in its transformer's config.json that differ from the
    classes' defaults, the other parts by what builds them, and its limits."""

    family: Family
    transformer: dict[str, Any]
    others: dict[str, Callable[[], Any]]
    dtype: Dtype
    limits: Limits
    index: dict[str, Any] = field(default_factory=dict)
    """The settings in its model_index.json."""


T5_XXL = T5Config(
    d_model=4096, d_ff=10240, d_kv=64, num_heads=64, num_layers=24, vocab_size=32128,
    feed_forward_proj="gated-gelu", tie_word_embeddings=False,
)  # fmt: skip


@cache
def t5() -> Any:
    with torch.device("meta"):
        return T5EncoderModel(T5_XXL)


@cache
def umt5() -> Any:
    config = UMT5Config(
        d_model=4096, d_ff=10240, d_kv=64, num_heads=64, num_layers=24, vocab_size=256384,
        feed_forward_proj="gated-gelu",
    )  # fmt: skip
    with torch.device("meta"):
        return UMT5EncoderModel(config)


@cache
def clip() -> Any:
    """CLIP ViT-H/14, of Wan 2.1's image models."""
    config = CLIPVisionConfig(
        hidden_size=1280, intermediate_size=5120, num_hidden_layers=32, num_attention_heads=16,
        patch_size=14, projection_dim=1024,
    )  # fmt: skip
    with torch.device("meta"):
        return CLIPVisionModelWithProjection(config)


@cache
def cogvideox_vae() -> Any:
    with torch.device("meta"):
        return AutoencoderKLCogVideoX().to(torch.bfloat16).eval()


@cache
def wan_vae() -> Any:
    with torch.device("meta"):
        return AutoencoderKLWan().eval()


@cache
def wan_vae_5b() -> Any:
    with torch.device("meta"):
        return AutoencoderKLWan(
            base_dim=160, decoder_base_dim=256, z_dim=48, is_residual=True, in_channels=12, out_channels=12,
            patch_size=2, scale_factor_spatial=16, latents_mean=[0.0] * 48, latents_std=[1.0] * 48,
        ).eval()  # fmt: skip


def _cogvideox(transformer: dict[str, Any], dtype: Dtype, limits: Limits) -> Published:
    return Published(COGVIDEOX, transformer, {"text_encoder": t5, "vae": cogvideox_vae}, dtype, limits)


_5B = {"num_layers": 42, "num_attention_heads": 48, "use_rotary_positional_embeddings": True}
_1_5 = _5B | {
    "patch_size_t": 2,
    "patch_bias": False,
    "sample_width": 170,
    "sample_height": 96,
    "sample_frames": 81,
}


def _wan(
    transformer: dict[str, Any],
    limits: Limits,
    vae: Callable[[], Any] = wan_vae,
    **others: Callable[[], Any],
) -> Published:
    return Published(WAN, transformer, {"text_encoder": umt5, **others, "vae": vae}, "bfloat16", limits)


_WAN_14B: dict[str, Any] = {"num_attention_heads": 40, "num_layers": 40, "ffn_dim": 13824}
_WAN_I2V = _WAN_14B | {"in_channels": 36, "image_dim": 1280, "added_kv_proj_dim": 5120}

# https://huggingface.co/zai-org and https://huggingface.co/Wan-AI, transformer/config.json. CogVideoX's VAE
# and Wan 2.1's have their classes' defaults.
MODELS = {
    "cogvideox-2b": _cogvideox({"num_layers": 30, "num_attention_heads": 30}, "float16", SD),
    "cogvideox-5b": _cogvideox(_5B, "bfloat16", SD),
    "cogvideox-5b-i2v": _cogvideox(
        _5B | {"in_channels": 32, "use_learned_positional_embeddings": True}, "bfloat16", SD_IMAGE
    ),
    "cogvideox-1.5-5b": _cogvideox(_1_5, "bfloat16", HD),
    "cogvideox-1.5-5b-i2v": _cogvideox(
        _1_5 | {"in_channels": 32, "ofs_embed_dim": 512}, "bfloat16", HD_IMAGE
    ),
    "wan2.1-t2v-1.3b": _wan({"num_attention_heads": 12, "num_layers": 30, "ffn_dim": 8960}, TEXT_480),
    "wan2.1-t2v-14b": _wan(_WAN_14B, TEXT),
    "wan2.1-i2v-14b": _wan(_WAN_I2V, IMAGE, image_encoder=clip),
    "wan2.1-flf2v-14b": _wan(_WAN_I2V | {"pos_embed_seq_len": 514}, BOTH_ENDS, image_encoder=clip),
    "wan2.2-ti2v-5b": replace(
        _wan(
            {
                "num_attention_heads": 24,
                "num_layers": 30,
                "ffn_dim": 14336,
                "in_channels": 48,
                "out_channels": 48,
            },
            TEXT_OR_IMAGE,
            wan_vae_5b,
        ),
        index={"expand_timesteps": True},
    ),
    "wan2.2-t2v-a14b": _wan(_WAN_14B, TEXT, transformer_2=lambda: transformer_of("wan2.2-t2v-a14b")),
    "wan2.2-i2v-a14b": _wan(
        _WAN_14B | {"in_channels": 36},
        IMAGE_A14B,
        transformer_2=lambda: transformer_of("wan2.2-i2v-a14b"),
    ),
}


def a_device(name: str, total_mib: int, taken_mib: int, main_gib: int) -> Device:
    # Main memory that a fresh system and a server without its model leave free.
    return Device("cuda", name, (total_mib - taken_mib) * MIB, main_gib * GIB * 9 // 10)


# Total memory as nvidia-smi prints it. The memory in use is assumed: 500 MiB for CUDA, and on a PC 600 for
# the desktop. Main memory is that of the instance type, or typical for a PC.
DEVICES = (
    a_device("RTX 4060 8 GB, PC with 32 GB", 8188, 1100, 32),
    a_device("RTX 4060 Ti 16 GB, PC with 64 GB", 16380, 1100, 64),
    a_device("RTX 3060 12 GB, PC with 16 GB", 12288, 1100, 16),
    a_device("RTX 3060 12 GB, PC with 32 GB", 12288, 1100, 32),
    a_device("A10G 24 GB, ml.g5.xlarge (16 GB)", 23028, 500, 16),
    a_device("A10G 24 GB, ml.g5.2xlarge (32 GB)", 23028, 500, 32),
    a_device("L4 24 GB, ml.g6.2xlarge (32 GB)", 23034, 500, 32),
    a_device("L40S 48 GB, ml.g6e.2xlarge (64 GB)", 46068, 500, 64),
    a_device("L40S 48 GB, ml.g6e.4xlarge (128 GB)", 46068, 500, 128),
    a_device("A100 80 GB", 81920, 500, 128),
    a_device("H100 80 GB", 81559, 500, 128),
    a_device("H200 141 GB", 143771, 500, 256),
)


@cache
def transformer_of(name: str) -> Any:
    model = MODELS[name]
    built = getattr(diffusers, model.family.parts["transformer"].classes[0])
    with torch.device("meta"):
        made = built(**model.transformer)
    dtype = getattr(torch, model.dtype)
    kept = getattr(made, "_keep_in_fp32_modules", None) or ()
    for part, values in made.named_parameters():
        if not any(module in part.split(".") for module in kept):
            values.data = values.data.to(dtype)
    return made.eval()


@cache
def sizes_of(name: str) -> ModelSizes:
    """Return the sizes as ModelSizes.read would find them in the published files."""
    model = MODELS[name]
    models = {"transformer": transformer_of(name)} | {part: make() for part, make in model.others.items()}
    tensors = {
        part: {key: Tensor("BF16", tuple(value.shape)) for key, value in made.named_parameters()}
        for part, made in models.items()
    }
    configs = {part: made.config for part, made in models.items() if model.family.parts[part].config}
    return ModelSizes.of(model.family, Configs(model.index, configs), tensors, model.dtype)


class _Meter(TorchDispatchMode):
    """Counts the bytes of all tensors alive at once, except those in `known`."""

    def __init__(self, known: set[int]) -> None:
        super().__init__()
        self._known = known
        self._live: dict[int, int] = {}
        self._now = self.peak = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, torch.Tensor):
                self._count(tensor.untyped_storage())
        return made

    def _count(self, storage: Any) -> None:
        key = storage._cdata
        if key in self._known or key in self._live:
            return
        self._live[key] = storage.nbytes()
        self._now += self._live[key]
        self.peak = max(self.peak, self._now)
        weakref.finalize(storage, self._forget, key)

    def _forget(self, key: int) -> None:
        self._now -= self._live.pop(key)


class _FusedAttention(TorchFunctionMode):
    """Attention as in GPU kernels, without the matrix of all tokens times all tokens."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function is torch.nn.functional.scaled_dot_product_attention:
            return torch.empty_like(args[0] if args else kwargs["query"])
        return function(*args, **(kwargs or {}))


def metered(model: Any, work: Callable[[], Any]) -> int:
    """Return the bytes that `work` allocates at its peak, besides the weights of `model`."""
    meter = _Meter({tensor.untyped_storage()._cdata for tensor in model.state_dict().values()})
    with torch.no_grad(), _FusedAttention(), meter:
        work()
    return meter.peak


def denoising_pass(name: str, demand: Demand) -> Callable[[], Any]:
    """Return one pass of the transformer, with what a clip of that size gives it."""
    model = transformer_of(name)
    inputs = _wan_inputs if MODELS[name].family is WAN else _cogvideox_inputs
    arguments = inputs(model.config, demand, {"dtype": getattr(torch, MODELS[name].dtype), "device": "meta"})
    return partial(model, **arguments, return_dict=False)


def meter_denoising(name: str, demand: Demand) -> int:
    """Return the peak bytes of one pass of the transformer."""
    return metered(transformer_of(name), denoising_pass(name, demand))


def _cogvideox_inputs(config: Any, demand: Demand, like: dict[str, Any]) -> dict[str, Any]:
    depth = (demand.frames - 1) // 4 + 1
    depth += depth % (config.patch_size_t or 1)
    batch = 2 if demand.guided else 1
    size = (demand.height // 8, demand.width // 8)
    tokens = depth // (config.patch_size_t or 1) * size[0] * size[1] // 4
    inputs = {
        "hidden_states": torch.empty(batch, depth, config.in_channels, *size, **like),
        "encoder_hidden_states": torch.empty(
            batch, config.max_text_seq_length, config.text_embed_dim, **like
        ),
        "timestep": torch.empty(batch, dtype=torch.int64, device="meta"),
    }
    if config.use_rotary_positional_embeddings:
        inputs["image_rotary_emb"] = (torch.empty(tokens, config.attention_head_dim, device="meta"),) * 2
    if config.ofs_embed_dim:
        inputs["ofs"] = torch.empty(1, device="meta")
    return inputs


def _wan_inputs(config: Any, demand: Demand, like: dict[str, Any]) -> dict[str, Any]:
    each_token = config.in_channels == 48
    pixels = 16 if each_token else 8
    size = ((demand.frames - 1) // 4 + 1, demand.height // pixels, demand.width // pixels)
    times = (1, size[0] * size[1] * size[2] // 4) if each_token else (1,)
    inputs = {
        "hidden_states": torch.empty(1, config.in_channels, *size, **like),
        "encoder_hidden_states": torch.empty(1, 512, config.text_dim, **like),
        "timestep": torch.empty(times, device="meta"),
    }
    if config.image_dim:
        inputs["encoder_hidden_states_image"] = torch.empty(1, 257, config.image_dim, **like)
    return inputs


def meter_decoding(name: str, demand: Demand, *, tiling: bool) -> int:
    """Return the peak bytes of decoding a clip."""
    model = MODELS[name].others["vae"]()
    config = model.config
    pixels = getattr(config, "scale_factor_spatial", None) or 8
    channels = getattr(config, "z_dim", None) or config.latent_channels
    noise = torch.empty(
        1, channels, (demand.frames - 1) // 4 + 1, demand.height // pixels, demand.width // pixels,
        dtype=next(model.parameters()).dtype, device="meta",
    )  # fmt: skip
    if tiling:
        model.enable_tiling(**MODELS[name].family.tiles(demand.width, demand.height))
    try:
        return metered(model, lambda: model.decode(noise))
    finally:
        if tiling:
            model.use_tiling = False


def estimate(name: str, option: Option, demand: Demand) -> float:
    """Return the bytes that the plan expects PyTorch to allocate, without its reserves."""
    return (peak(sizes_of(name), option, demand) - WORKSPACES) / RESERVED


# https://github.com/sayakpaul/diffusers-torchao (2024, an A100; allocated memory in GiB): 720×480, 49 frames.
# Their diffusers kept one copy of the convolutions' caches while decoding; today's keeps two.
MEASURED_ON_GPU = (
    ("cogvideox-5b", "resident, bf16", OPTIONS[0], 31.7),
    ("cogvideox-2b", "resident, bf16", OPTIONS[0], 24.5),
)
# https://huggingface.co/docs/diffusers/api/pipelines/cogvideox#memory-optimization (reserved memory in GiB;
# the page names the 2b model).
DOCUMENTED = (
    ("resident", OPTIONS[0], 33.0),
    ("model offload", Option(Placement.MODEL_OFFLOAD), 19.0),
    ("model offload, tiled decoding", Option(Placement.MODEL_OFFLOAD, tiling=True), 11.0),
    ("sequential offload, tiled decoding", LAST_RESORT, 4.0),
)


def rows() -> list[dict[str, Any]]:
    """Return estimated and metered or published bytes."""
    found = []

    def add(what: str, estimated: float, reference: float, source: str) -> None:
        found.append(
            {
                "what": what,
                "estimated_gib": round(estimated / GIB, 2),
                "reference_gib": round(reference / GIB, 2),
                "ratio": round(estimated / reference, 3),
                "source": source,
            }
        )

    for name, frames in (
        ("cogvideox-2b", 49), ("cogvideox-5b", 49), ("cogvideox-1.5-5b", 81), ("cogvideox-1.5-5b", 161),
        ("wan2.1-t2v-1.3b", 81), ("wan2.1-i2v-14b", 81), ("wan2.2-ti2v-5b", 121), ("wan2.2-t2v-a14b", 81),
    ):  # fmt: skip
        limits = MODELS[name].limits
        for guided in (True, False):
            demand = Demand(*limits.sizes.default, frames, guided)
            what = f"denoising, {name}, {demand}" + ("" if guided else ", no guidance")
            add(what, sizes_of(name).work.denoising(demand), meter_denoising(name, demand), "metered")
            if MODELS[name].family is WAN:
                break  # it computes the halves of a guided step one after the other
    for name, demand, tiling in (
        ("cogvideox-5b", Demand(720, 480, 49), False),
        ("cogvideox-5b", Demand(720, 480, 49), True),
        ("cogvideox-5b", Demand(1360, 768, 81), False),
        ("wan2.1-t2v-14b", Demand(832, 480, 17), False),
        ("wan2.1-t2v-14b", Demand(832, 480, 9), True),
        ("wan2.2-ti2v-5b", Demand(1280, 704, 17), False),
        ("wan2.2-ti2v-5b", Demand(832, 480, 9), True),
    ):  # fmt: skip
        what = f"decoding{' in tiles' if tiling else ''}, {name}, {demand}"
        estimated = sizes_of(name).work.decoding(demand, tiling=tiling)
        add(what, estimated, meter_decoding(name, demand, tiling=tiling), "metered")
    clip = Demand(720, 480, 49)
    for name, label, option, measured in MEASURED_ON_GPU:
        add(
            f"{name}, {label}", estimate(name, option, clip), measured * GIB, "measured on an A100, allocated"
        )
    for label, option, measured in DOCUMENTED:
        add(
            f"cogvideox-2b, {label}",
            peak(sizes_of("cogvideox-2b"), option, clip),
            measured * GIB,
            "documented",
        )
    return found


def targets(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the targets for the estimates."""

    def ratios(source: str) -> list[float]:
        return [row["ratio"] for row in found if row["source"].startswith(source)]

    def target(name: str, low: float, high: float, values: list[float]) -> dict[str, Any]:
        return {
            "name": name,
            "goal": f"{low} … {high}",
            "measured": f"{min(values)} … {max(values)}",
            "holds": low <= min(values) and max(values) <= high,
        }

    return [
        target("estimate / metered", 1.0, 1.16, ratios("metered")),
        target("estimate / measured on a GPU", 1.0, 1.2, ratios("measured")),
        target("estimate with reserves / documented", 0.85, 1.5, ratios("documented")),
    ]


def table() -> str:
    """Return the plan for every published model on every device, as Markdown."""
    return HEADER + "".join(
        plan_row(name, sizes_of(name), model.limits, device)
        for name, model in MODELS.items()
        for device in DEVICES
    )


HEADER = (
    "| Model | Device | Placement | Estimated peak, of free GiB | Longest clip |\n"
    "| --- | --- | --- | --- | --- |\n"
)


def plan_row(name: str, sizes: ModelSizes, limits: Limits, device: Device, *, guided: bool = True) -> str:
    """Return a line of a table of plans."""
    try:
        found = plan(sizes, device, limits, guided=guided)
    except OutOfMemory:
        cells = ["none: does not fit", "", ""]
    else:
        frames, all_frames = found.demand.frames, lengths(limits)[-1]
        cells = [
            str(found.option),
            f"{found.peak / GIB:.1f} of {device.free / GIB:.1f}",
            f"{frames} frames" + ("" if frames == all_frames else f" of {all_frames}"),
        ]
    return "| " + " | ".join([name, device.name, *cells]) + " |\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true")
    form.add_argument("--table", action="store_true")
    options = parser.parse_args()
    if options.table:
        print(table(), end="")
        return
    found = rows()
    if options.json:
        print(json.dumps({"rows": found, "targets": targets(found)}, indent=1, ensure_ascii=False))
        return
    for row in found:
        print(
            f"{row['what']:<62} {row['estimated_gib']:>7.2f} GiB estimated, "
            f"{row['reference_gib']:>7.2f} {row['source']}: {row['ratio']:.2f}"
        )
    for aim in targets(found):
        print(f"{'holds' if aim['holds'] else 'FAILS'}: {aim['name']} {aim['measured']}, goal {aim['goal']}")


if __name__ == "__main__":
    main()
