"""What is stored of clips' and sounds' measures (docs/decisions/0069-measures-with-the-clip.md)."""

from pydantic import ValidationError

from lambdas.adapters.object_source import ObjectSource
from lambdas.domain.quality import ClipMeasures, SoundMeasures


def clip_measures(source: ObjectSource) -> ClipMeasures | None:
    """Return what is stored of a clip; None if a version made it that did not measure, or measured
    otherwise."""
    try:
        return ClipMeasures.model_validate_json(source.measures or "")
    except ValidationError:
        return None


def sound_measures(source: ObjectSource) -> SoundMeasures | None:
    """Return what is stored of a film's sound; None as for `clip_measures`."""
    try:
        return SoundMeasures.model_validate_json(source.measures or "")
    except ValidationError:
        return None
