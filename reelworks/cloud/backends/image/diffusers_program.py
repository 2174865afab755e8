"""A program that draws with a text-to-image model in a folder: `python -m …diffusers_program FOLDER`.

Each line of standard input is an order in JSON: prompt, negative_prompt, width, height, seed, steps, guidance
(null: the pipeline's own), and file, the PNG to write. The answer is one line: ANSWER and {} or {"error": …}.
Nothing is downloaded, and only safetensors are read: other weights are pickles, which run code.
"""

import inspect
import json
import math
import sys
from typing import Any

ANSWER = "@answer "


def main(folder: str) -> None:
    pipeline: Any = None
    for line in sys.stdin:
        try:
            pipeline = pipeline or load(folder)
            _draw(pipeline, json.loads(line))
            answer = {}
        except Exception as error:  # noqa: BLE001  any error of a model goes to the caller
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(ANSWER + json.dumps(answer), flush=True)  # noqa: T201  the protocol


def load(folder: str) -> Any:
    """Load the pipeline on the fastest device. Raises OSError if there are no safetensors."""
    import torch
    from diffusers import AutoPipelineForText2Image

    cuda = torch.cuda.is_available()
    pipeline = AutoPipelineForText2Image.from_pretrained(
        folder,
        local_files_only=True,
        use_safetensors=True,
        torch_dtype=torch.bfloat16 if cuda else torch.float32,
    )
    if cuda:
        pipeline.enable_model_cpu_offload()
    elif torch.backends.mps.is_available():
        pipeline.to("mps")
    return pipeline


def _draw(pipeline: Any, order: dict[str, Any]) -> None:
    import torch

    width, height = size_for(order["width"], order["height"], _side(pipeline))
    wanted = {
        "prompt": order["prompt"],
        "negative_prompt": order["negative_prompt"] or None,
        "width": width,
        "height": height,
        "generator": torch.Generator("cpu").manual_seed(order["seed"]),
        "num_inference_steps": order["steps"],
        "guidance_scale": order["guidance"],
    }
    known = inspect.signature(pipeline.__call__).parameters  # not every model has a negative prompt
    arguments = {name: value for name, value in wanted.items() if name in known and value is not None}
    pipeline(**arguments).images[0].save(order["file"], "PNG")


def _side(pipeline: Any) -> int:
    """Return the side, in pixels, of the square that the model was trained for."""
    latents = getattr(pipeline, "default_sample_size", None) or pipeline.unet.config.sample_size
    return int(latents * pipeline.vae_scale_factor)


def size_for(width: int, height: int, side: int) -> tuple[int, int]:
    """Return the size with these proportions and the model's own number of pixels, in steps of 16: models
    draw badly at other sizes."""
    scale = side / math.sqrt(width * height)
    return tuple(max(16, round(length * scale / 16) * 16) for length in (width, height))  # type: ignore[return-value]


if __name__ == "__main__":
    main(sys.argv[1])
