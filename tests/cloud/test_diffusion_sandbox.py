"""The server under the container's intended restrictions: no privileges, only /tmp writable, no network."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cloud.engine_server import REPOSITORY, running
from tests.contract import document
from tests.tiny_checkpoint import make_tiny_checkpoint

# $1 is a folder for temporary files; the rest is the command.
SANDBOX = """
set -e
mount --make-rprivate /
mount -t tmpfs -o mode=1777 tmpfs "$1"
mount -o remount,bind,ro /
ip link set lo up
export HOME="$1" TMPDIR="$1"
shift
exec setpriv --bounding-set=-all --inh-caps=-all --no-new-privs -- "$@"
"""


def may_sandbox() -> bool:
    try:
        done = subprocess.run(["unshare", "--net", "--mount", "true"], capture_output=True, check=False)
    except FileNotFoundError:
        return False
    return os.geteuid() == 0 and done.returncode == 0


@pytest.mark.skipif(not may_sandbox(), reason="needs root, and Linux's unshare")
def test_a_clip_needs_no_privileges_network_or_file_system(tmp_path: Path) -> None:
    model, scratch = make_tiny_checkpoint(tmp_path / "cogvideox-nano"), tmp_path / "scratch"
    scratch.mkdir()
    command = [sys.executable, "-m", "tests.sandboxed_clip", str(model), str(scratch)]
    done = subprocess.run(
        ["unshare", "--net", "--mount", "sh", "-c", SANDBOX, "sh", str(scratch), *command],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["engine_capabilities"] == 0
    assert set(found["write"].values()) == {"Read-only file system"}
    assert found["connect"] == "Network is unreachable"
    assert found["left_behind"] == ["log"], "the server tidies up what it writes"

    with running(model, tmp_path / "log") as server:
        server.until("ready")
        clip = server.clip(document("clip_request.text"))
    assert found["sha256"] == hashlib.sha256(clip).hexdigest(), "and it is the same clip"


def test_the_container_runs_as_a_user() -> None:
    lines = (REPOSITORY / "containers" / "diffusion" / "Dockerfile").read_text().splitlines()
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users
    assert users[-1] not in ("root", "0")
