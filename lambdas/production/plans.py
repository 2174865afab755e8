"""Store and find film plans."""

from lambdas.adapters.objects import Objects
from lambdas.domain import keys
from lambdas.domain.errors import ArtifactMissing
from lambdas.domain.film_plan import FilmPlan
from lambdas.domain.video import Video


def find_plan(outputs: Objects, tenant: str, video_id: str) -> FilmPlan | None:
    """Return the plan of a film, or None if there is none."""
    try:
        return load_plan(outputs, tenant, video_id)
    except ArtifactMissing:
        return None


def source_plan(outputs: Objects, video: Video) -> FilmPlan | None:
    """Return the plan of the video that this one is made from, if any. Raises ArtifactMissing."""
    origin = video.request.origin
    if origin is None or origin.video is None:
        return None
    return FilmPlan.model_validate_json(outputs.get(keys.origin_plan(video.tenant, video.id)))


def load_plan(outputs: Objects, tenant: str, video_id: str) -> FilmPlan:
    """Return the plan of a film. Raises ArtifactMissing."""
    return FilmPlan.model_validate_json(outputs.get(keys.film_plan(tenant, video_id)))


def store_plan(outputs: Objects, plan: FilmPlan) -> None:
    """Store the plan of a film."""
    key = keys.film_plan(plan.tenant, plan.video_id)
    outputs.put(key, plan.model_dump_json().encode(), "application/json")
