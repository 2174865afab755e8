"""A vision model's opinions of a video's clips, stored with the video."""

from lambdas.adapters.objects import Objects
from lambdas.domain import keys
from lambdas.domain.errors import ArtifactMissing
from lambdas.domain.opinions import STORED, Opinion, Opinions


def read_opinions(tenant: str, video_id: str, outputs: Objects) -> dict[str, Opinion]:
    """Return them by name; none if nothing was asked."""
    try:
        return STORED.validate_json(outputs.get(keys.opinions(tenant, video_id)))
    except ArtifactMissing:
        return {}


def store_opinions(tenant: str, video_id: str, opinions: Opinions, outputs: Objects) -> None:
    outputs.put(keys.opinions(tenant, video_id), STORED.dump_json(dict(opinions)), "application/json")
