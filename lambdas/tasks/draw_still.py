"""Generate a scene's first picture with an image model."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.adapters import stores
from lambdas.adapters.clients import stills_client
from lambdas.adapters.objects import Objects
from lambdas.adapters.shared_objects import artifacts
from lambdas.adapters.stills import MODELS, REFERENCES, REGION, STRENGTH, Stills
from lambdas.adapters.storyboards import Storyboards
from lambdas.adapters.videos import Videos
from lambdas.domain import keys
from lambdas.domain.characters import appearing, opening
from lambdas.domain.documents import fingerprint
from lambdas.domain.prices import Prices
from lambdas.domain.storyboard import seed_of
from lambdas.domain.storyboard_answers import scene_prompt
from lambdas.production.failed_tries import noted
from lambdas.production.scene_parts import PartMade, SceneTask, make_part
from lambdas.production.task_token import require_open, task
from lambdas.settings import PricedSettings

_MAKING = 1  # increment when the same words are drawn in another way
_PROMPT_TOKENS = 1_000  # an image model reads longer prompts than an engine


@task
@noted
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    request = SceneTask.model_validate(event)
    settings = PricedSettings.from_env()
    stills = Stills(stills_client(REGION))
    made = draw_still(
        request,
        settings.price_list,
        stores.videos(settings),
        stores.inputs(settings),
        stores.outputs(settings),
        stills,
    )
    return made.model_dump()


def draw_still(
    request: SceneTask, prices: Prices, videos: Videos, inputs: Objects, outputs: Objects, stills: Stills
) -> PartMade:
    """Make a scene's still, from the picture of its first character if the model takes one.

    Raises ArtifactMissing, StillRefused, VideoClosed, VideoNotFound.
    """
    video = require_open(videos, request.tenant, request.video_id)
    asked = video.request.stills
    assert asked is not None  # noqa: S101 - otherwise no still is drawn
    storyboard = Storyboards(outputs).get(video)
    picture = storyboard.scenes[request.scene].image
    members = appearing(video.cast, storyboard.scene_texts)[request.scene]
    first = opening(members, picture.positive_prompt, needed=True) if asked.quality in REFERENCES else None
    width, height = video.request.given_size
    wanted: dict[str, Any] = {
        "prompt": scene_prompt(storyboard, picture, _PROMPT_TOKENS, members),
        "negative_prompt": picture.negative_prompt,
        "width": width,
        "height": height,
        "quality": asked.quality,
        "seed": seed_of([scene.image for scene in storyboard.scenes], request.scene, video.seed),
    }
    seen = {"reference": [first.image.sha256, STRENGTH]} if first else {}
    artifact = keys.still(
        request.tenant, fingerprint({"still": _MAKING, "model": MODELS[asked.quality], **wanted, **seen})
    )

    drawn_before = artifacts(outputs, request.tenant, request.video_id, videos)

    def make() -> tuple[str, float | None]:
        drawn = stills.draw(**wanted, reference=inputs.get(first.image.key) if first else None)
        drawn_before.put(artifact, drawn.png, "image/png", by=drawn.by)
        return drawn.by, prices.still(asked.quality)

    return make_part(
        video, request, "stills", artifact, videos, outputs, make, reused=drawn_before.find(artifact)
    )
