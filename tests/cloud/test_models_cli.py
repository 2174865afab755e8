"""`reel models` as a user runs it, against a hub and an S3 on loopback."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pytest
from safetensors.numpy import save_file
from starlette.applications import Starlette
from typer.testing import CliRunner

from containers.diffusion.manifest import MANIFEST
from reelworks.cli import app
from reelworks.cloud.backends.text.writers import WRITERS
from reelworks.models import SOURCES, ModelError, Target, push
from tests.cloud.local_hub import LocalHub
from tests.cloud.servers import local_aws, serving
from tests.tiny_checkpoint import make_tiny_checkpoint
from tests.tiny_wan import make_tiny_wan

REPOSITORY = Path(__file__).parents[2]
NAME = "cogvideox-2b"
SOURCE = SOURCES[NAME]
WEIGHTS = "transformer/diffusion_pytorch_model.safetensors"
BUCKET = "reelworks-models-000000000000-eu-west-1"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The hub's files: more than an engine needs."""
    folder = make_tiny_checkpoint(tmp_path_factory.mktemp("hub") / "repository")
    (folder / MANIFEST).unlink()
    for name in ("README.md", "LICENSE", ".gitattributes", "configuration.json", "vae/old.bin", "demo.py"):
        (folder / name).write_text("some text")
    return folder


@pytest.fixture
def hub(published: Path) -> LocalHub:
    return LocalHub(published, SOURCE.repository, SOURCE.revision)


class Reel:
    """Runs the command in its own environment."""

    def __init__(self, home: Path, **environment: str) -> None:
        self.models = home / "models"
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "HF_"))}
        own = {"REELWORKS_HOME": str(home), "HF_HOME": str(home / "hf"), "NO_PROXY": "*", "COLUMNS": "200"}
        self.environment = kept | own | environment

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        """Return exit code, output and errors."""
        if arguments[0] == "pull":
            # The hub's client reads the hub's address once, on import.
            result = subprocess.run(
                [sys.executable, "-m", "reelworks", "models", *arguments],
                cwd=REPOSITORY,
                env=self.environment,
                capture_output=True,
                text=True,
                check=False,
            )
            return result.returncode, result.stdout, result.stderr
        with pytest.MonkeyPatch.context() as patch:
            for name in os.environ.keys() - self.environment.keys():
                patch.delenv(name)
            for name, value in self.environment.items():
                patch.setenv(name, value)
            done = CliRunner().invoke(app, ["models", *arguments])
        return done.exit_code, done.stdout, done.stderr

    def json(self, *arguments: str) -> Any:
        code, printed, errors = self(*arguments, "--json")
        assert code == 0, errors
        return json.loads(printed)

    def error(self, *arguments: str) -> str:
        code, printed, errors = self(*arguments)
        assert code == 1, printed
        return " ".join(errors.split())


@pytest.fixture
def reel(tmp_path: Path, hub: LocalHub) -> Iterator[Reel]:
    with serving(hub.app) as url:
        yield Reel(tmp_path / "home", HF_ENDPOINT=url)


def state(reel: Reel, name: str = NAME) -> str:
    return {model["name"]: model["state"] for model in reel.json("list")}[name]


def test_pull_downloads_what_the_engine_needs_and_writes_its_manifest(
    reel: Reel, hub: LocalHub, published: Path
) -> None:
    assert state(reel) == "absent"
    answer = reel.json("pull", NAME)
    assert answer["revision"] == SOURCE.revision
    folder = reel.models / NAME
    assert answer["path"] == str(folder)
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    unneeded = {"README.md", ".gitattributes", "configuration.json", "vae/old.bin", "demo.py"}
    wanted = {path.relative_to(published).as_posix() for path in published.rglob("*") if path.is_file()}
    assert there == wanted - unneeded | {MANIFEST}
    assert sorted(hub.fetched) == sorted(there - {MANIFEST})
    manifest = json.loads((folder / MANIFEST).read_text())
    assert (manifest["repository"], manifest["revision"]) == (SOURCE.repository, SOURCE.revision)
    assert state(reel) == "here"
    assert reel.json("verify", NAME)["bytes"] == answer["bytes"]
    # A second pull downloads nothing.
    hub.fetched.clear()
    reel.json("pull", NAME)
    assert hub.fetched == []


def test_pull_brings_the_adapters_of_turbo_and_says_the_licence(tmp_path: Path) -> None:
    name = "wan2.2-t2v-a14b"
    source = SOURCES[name]
    assert source.turbo is not None
    model = make_tiny_wan(tmp_path / "hub" / "model", "t2v-a14b")
    (model / MANIFEST).unlink()
    adapters = tmp_path / "hub" / "adapters"
    for number, file in enumerate(source.turbo.files.values()):
        (adapters / file).parent.mkdir(parents=True, exist_ok=True)
        save_file({"diffusion_model.a": np.full(2, number, np.float32)}, adapters / file)
        (adapters / file).with_name("workflow.json").write_text("{}")
    hubs = (
        LocalHub(model, source.repository, source.revision),
        LocalHub(adapters, source.turbo.repository, source.turbo.revision),
    )
    with serving(Starlette(routes=[route for hub in hubs for route in hub.app.routes])) as url:
        reel = Reel(tmp_path / "home", HF_ENDPOINT=url)
        code, _, errors = reel("pull", name)
        assert code == 0, errors
        assert f"{source.repository}, licence: Apache-2.0" in errors
        assert f"{source.turbo.repository}, adapters for the speed turbo, licence: Apache-2.0" in errors
        there = reel.models / name
        assert sorted(path.name for path in (there / "turbo").iterdir()) == [
            "transformer.safetensors",
            "transformer_2.safetensors",
        ]
        assert not (there / ".adapters").exists()
        manifest = json.loads((there / MANIFEST).read_text())
        assert manifest["revision"] == f"{source.revision}+{source.turbo.revision}"
        sent = [len(hub.fetched) for hub in hubs]
        reel.json("pull", name)
        assert [len(hub.fetched) for hub in hubs] == sent, "a second pull downloads nothing"
    assert sorted(hubs[1].fetched) == sorted(source.turbo.files.values())


def test_an_interrupted_pull_resumes(reel: Reel, hub: LocalHub) -> None:
    hub.refused.add(WEIGHTS)
    assert "Run the command again to resume" in reel.error("pull", NAME)
    assert not (reel.models / NAME).exists()
    assert state(reel) == "partly pulled"
    (staging,) = (reel.models / ".pull").iterdir()
    had = {path.relative_to(staging).as_posix() for path in staging.rglob("*") if path.is_file()}
    hub.refused.clear()
    hub.fetched.clear()
    reel.json("pull", NAME)
    assert WEIGHTS in hub.fetched
    assert not had & set(hub.fetched)
    assert state(reel) == "here"
    assert not staging.exists()


def test_bytes_that_differ_from_the_hub_s_hash_are_discarded(reel: Reel, hub: LocalHub) -> None:
    hub.corrupted.add(WEIGHTS)
    assert f"incomplete or corrupt: {WEIGHTS}" in reel.error("pull", NAME)
    assert not (reel.models / NAME).exists()
    hub.corrupted.clear()
    reel.json("pull", NAME)
    assert reel.json("verify", NAME)["revision"] == SOURCE.revision


def test_a_name_unknown_to_the_hub(reel: Reel) -> None:
    assert "use one of: cogvideox-2b, cogvideox-5b" in reel.error("pull", "cogvideox-9b")


def test_verify_names_what_has_changed(reel: Reel) -> None:
    reel.json("pull", NAME)
    with (reel.models / NAME / WEIGHTS).open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        last = file.read(1)[0]
        file.seek(-1, os.SEEK_END)
        file.write(bytes([last ^ 1]))
    assert f"{WEIGHTS} has changed" in reel.error("verify", NAME)


def test_a_user_s_folder_is_trusted_by_an_explicit_command(reel: Reel, published: Path) -> None:
    folder = reel.models / NAME
    shutil.copytree(published, folder)
    assert state(reel) == "no manifest"
    assert f"reel models trust {NAME}" in reel.error("verify", NAME)
    assert "was not pulled; move it away first" in reel.error("pull", NAME)
    assert "demo.py is not a model data file" in reel.error("trust", NAME)
    (folder / "demo.py").unlink()
    assert "vae/old.bin is a pickle" in reel.error("trust", NAME)
    (folder / "vae" / "old.bin").unlink()
    (folder / "configuration.json").write_text("{}")
    assert reel.json("trust", NAME)["revision"].startswith("sha256:")
    assert state(reel) == "here"
    reel.json("verify", NAME)


# --- uploads to S3


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    with local_aws() as url:
        yield url


@pytest.fixture
def deployer(tmp_path: Path, published: Path, aws: str) -> Reel:
    """With a model to upload."""
    reel = Reel(
        tmp_path / "home",
        AWS_ENDPOINT_URL=aws, AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test",
        AWS_DEFAULT_REGION="eu-west-1",
    )  # fmt: skip
    shutil.copytree(published, reel.models / NAME)
    for name in ("demo.py", "vae/old.bin", "configuration.json"):
        (reel.models / NAME / name).unlink()
    reel.json("trust", NAME)
    return reel


@pytest.fixture
def s3(aws: str) -> Any:
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "eu-west-1"}
    return boto3.Session(**keys).client("s3", endpoint_url=aws)


def objects(s3: Any, prefix: str, bucket: str = BUCKET) -> dict[str, bytes]:
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
    return {
        entry["Key"].removeprefix(prefix): s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
        for entry in listed
    }


def test_push_uploads_a_model_to_the_engines_stack_s_location(deployer: Reel, s3: Any) -> None:
    answer = deployer.json("push", NAME)
    assert answer["address"] == f"s3://{BUCKET}/models/{NAME}/"
    folder = deployer.models / NAME
    manifest = json.loads((folder / MANIFEST).read_text())
    assert answer["sent"] == len(manifest["files"])
    there = objects(s3, f"models/{NAME}/")
    assert there == {path: (folder / path).read_bytes() for path in (*manifest["files"], MANIFEST)}
    assert all(s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"].values())


def test_push_uploads_only_missing_files(deployer: Reel, s3: Any) -> None:
    deployer.json("push", NAME, "--prefix", "again")
    assert deployer.json("push", NAME, "--prefix", "again")["sent"] == 0
    s3.delete_object(Bucket=BUCKET, Key=f"again/{NAME}/{WEIGHTS}")  # as if a push had been interrupted
    s3.put_object(Bucket=BUCKET, Key=f"again/{NAME}/LICENSE", Body=b"other text")  # not by push
    assert deployer.json("push", NAME, "--prefix", "again")["sent"] == 2
    assert objects(s3, f"again/{NAME}/")["LICENSE"] == (deployer.models / NAME / "LICENSE").read_bytes()


def test_push_does_not_upload_what_the_engine_would_reject(deployer: Reel, s3: Any) -> None:
    (deployer.models / NAME / "extra.json").write_text("{}")
    assert "extra.json is not in the manifest" in deployer.error("push", NAME, "--prefix", "bad")
    (deployer.models / NAME / "extra.json").unlink()
    s3.create_bucket(Bucket="mine", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket="mine", Key=f"bad/{NAME}/old.safetensors", Body=b"")
    refusal = deployer.error("push", NAME, "--bucket", "mine", "--prefix", "bad")
    assert "not part of the model" in refusal
    assert f"aws s3 rm s3://mine/bad/{NAME}/old.safetensors" in refusal
    assert list(objects(s3, "bad/", "mine")) == [f"{NAME}/old.safetensors"]


def test_push_does_not_create_a_bucket_named_by_the_user(deployer: Reel, s3: Any) -> None:
    assert "NoSuchBucket" in deployer.error("push", NAME, "--bucket", "not-there")


WRITER = "qwen3-4b"
# The command, with this file's pinned size and hash in place of a writer's 2.5 GB.
PINNED = """
import sys
from dataclasses import replace
from reelworks.cloud.backends.text.writers import WRITERS
name, size, sha256 = sys.argv[1:4]
WRITERS[name] = replace(WRITERS[name], bytes=int(size), sha256=sha256)
del sys.argv[1:4]
from reelworks.cli import app
app()
"""


def test_a_writer_is_pulled_only_with_its_pinned_content(tmp_path: Path) -> None:
    writer = WRITERS[WRITER]
    published = tmp_path / "hub"
    published.mkdir()
    (published / writer.file).write_bytes(b"GGUF" * 9)
    for name in ("LICENSE", "README.md", "Qwen3-4B-Q8_0.gguf"):
        (published / name).write_text("some text")
    hub = LocalHub(published, writer.repository, writer.revision)
    with serving(hub.app) as url:
        reel = Reel(tmp_path / "home", HF_ENDPOINT=url)
        assert f"{writer.file} has SHA-256" in reel.error("pull", WRITER)
        assert state(reel, WRITER) == "absent"
        hub.fetched.clear()
        pinned = [WRITER, "36", hashlib.sha256(b"GGUF" * 9).hexdigest()]
        done = subprocess.run(
            [sys.executable, "-c", PINNED, *pinned, "models", "pull", WRITER],
            cwd=REPOSITORY,
            env=reel.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    assert f"{writer.repository}, licence: Apache-2.0" in done.stderr
    assert sorted(hub.fetched) == ["LICENSE", writer.file]
    assert state(reel, WRITER) == "here"
    assert "is expected" in reel.error("verify", WRITER), "by the command without the patch"
    with pytest.raises(ModelError, match="not an engine's; on AWS, Bedrock writes"):
        push(reel.models, WRITER, Target(BUCKET, "models", own=True), None, print)
    assert "set its path in [text]" in reel.error("trust", WRITER)
