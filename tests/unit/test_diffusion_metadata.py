import base64
import json

from containers.diffusion import VERSION
from containers.diffusion.metadata import clip_metadata
from containers.diffusion.request import ClipRequest, parse_request
from tests.contract import document


def tags(request: ClipRequest) -> dict[str, str]:
    return clip_metadata(
        request, engine="cogvideox", model="cogvideox-5b", revision="8d6ea3f", speed="exact: every step"
    )


def test_a_clip_s_metadata_says_how_it_was_made() -> None:
    request = parse_request(json.dumps(document("clip_request.text")).encode())
    made = tags(request)
    assert (
        made.items()
        >= {
            "engine": "cogvideox",
            "engine_version": VERSION,
            "model": "cogvideox-5b",
            "model_revision": "8d6ea3f",
            "seed": str(request.seed),
            "prompt": request.prompt,
            "speed": "exact: every step",
        }.items()
    )


def test_a_clip_can_be_requested_again_from_its_tags() -> None:
    request = parse_request(json.dumps(document("clip_request.text")).encode())
    assert parse_request(tags(request)["request"].encode()) == request


def test_inputs_are_not_part_of_the_metadata() -> None:
    secret = base64.b64encode(b"a private picture").decode()
    for name in ("image", "last_image", "video"):
        request = parse_request(json.dumps(document("clip_request.text") | {name: secret}).encode())
        assert secret not in json.dumps(tags(request))
