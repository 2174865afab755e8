"""The API's function starts with what every request needs; and finds its operations."""

import gc
import subprocess
import sys

import pytest

from lambdas.api.app import GROUPS
from lambdas.api.routing import Router

# What takes long to import and few requests need.
HEAVY = (
    *("av", "numpy", "PIL", "boto3", "s3transfer", "jwt", "markdown_it", "asyncio", "json_repair"),
    *("sentencex", "python_multipart"),
    *("lambdas.api.document", "lambdas.domain.prompt_answers"),
)


def test_a_start_imports_nothing_heavy_and_collects_garbage_afterwards() -> None:
    shown = f"[name for name in {HEAVY} if name in sys.modules], gc.isenabled(), gc.get_freeze_count() > 0"
    program = f"import gc, sys, lambdas.api.app; print({shown})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] True True"


def test_this_process_collects_garbage() -> None:
    assert gc.isenabled()


@pytest.fixture(scope="module")
def router() -> Router:
    return Router(operation for group in GROUPS for operation in group.operations)


@pytest.mark.parametrize(
    ("path", "operation", "parts"),
    [
        ("/v1/videos", "create_video", {}),
        ("/v1/videos/", "create_video", {}),
        ("/v1/videos/edits", "edit_video", {}),
        ("/v1/videos/x/remix", "remix_video", {"video_id": "x"}),
        ("/v1/videos/x/scenes/7/regenerate", "regenerate_scene", {"video_id": "x", "scene": "7"}),
    ],
)
def test_a_path_s_operation_is_found_with_its_parts(
    router: Router, path: str, operation: str, parts: dict[str, str]
) -> None:
    found = router.find(path)
    assert found is not None
    assert (found[0]["POST"].id, found[1]) == (operation, parts)


@pytest.mark.parametrize(
    "path", ["", "/", "/v1", "/v1/videosx", "/v1/videos/a/b", "/v1/models/a/b", "/v1/videos\n"]
)
def test_another_path_has_none(router: Router, path: str) -> None:
    assert router.find(path) is None
