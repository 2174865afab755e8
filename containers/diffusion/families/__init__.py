"""The model families: one module each behind one interface (family.py)."""

import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from containers.diffusion.errors import BadCheckpoint
from containers.diffusion.families.cogvideox import COGVIDEOX
from containers.diffusion.families.ltx import LTX2
from containers.diffusion.families.wan import WAN
from containers.diffusion.family import Family

FAMILIES: tuple[Family, ...] = (COGVIDEOX, WAN, LTX2)


def family_of(index: Mapping[str, Any], path: Path) -> Family:
    """Return the family of the checkpoint whose model_index.json, at `path`, is `index`.

    Raises BadCheckpoint with the families that there are.
    """
    pipeline = index.get("_class_name")
    for family in FAMILIES:
        if pipeline in family.pipelines:
            return family
    known = "; ".join(f"{family.title} ({', '.join(family.pipelines)})" for family in FAMILIES)
    raise BadCheckpoint(
        f"{path} names {reprlib.repr(pipeline)}, which is not a checkpoint of a family that this server "
        f"renders: {known}"
    )
