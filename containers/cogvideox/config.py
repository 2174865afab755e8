"""Check the numbers of a checkpoint's configuration before anything is computed from them."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from containers.cogvideox.errors import BadCheckpoint

# Far more than any model has, and little enough that nothing computed from it overflows.
Count = Annotated[int, Field(strict=True, ge=1, le=100_000)]


class _Config(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Transformer(_Config):
    """Optional are the values for which CogVideoXTransformer3DModel has a default."""

    sample_width: Count
    sample_height: Count
    sample_frames: Count | None = None
    in_channels: Count
    max_text_seq_length: Count
    num_layers: Count | None = None
    num_attention_heads: Count | None = None
    attention_head_dim: Count | None = None
    patch_size: Count | None = None
    patch_size_t: Count | None = None
    use_rotary_positional_embeddings: Annotated[bool, Field(strict=True)] | None = None


class _Vae(_Config):
    block_out_channels: Annotated[list[Count], Field(strict=True, min_length=1, max_length=10)]
    latent_channels: Count


def check_config(directory: Path, transformer: dict[str, Any], vae: dict[str, Any]) -> None:
    """Raise BadCheckpoint naming the first value that is missing or invalid in a config.json of
    `directory`."""
    for name, config, model in (("transformer", transformer, _Transformer), ("vae", vae, _Vae)):
        try:
            model.model_validate(config)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise BadCheckpoint(
                f"a config.json in {directory} has a missing or invalid value: {name}/config.json: {where}: "
                f"{first['msg']}"
            ) from None
