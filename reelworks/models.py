"""The engines' models: from the hub into the home folder, and from there to the bucket that SageMaker reads.

What `pull` puts into {home}/models/NAME is whole: it is put together beside it, checked file by file against
what the hub says of the pinned revision, and moved there with its manifest.
"""

import hashlib
import importlib.util
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal, Self

from botocore.exceptions import BotoCoreError, ClientError

from containers.cogvideox.errors import BadCheckpoint
from containers.cogvideox.manifest import MANIFEST, Manifest, digests, make_manifest, read_manifest
from containers.cogvideox.weights import check_weights, inspect
from lambdas.domain.engines import CATALOGUE, Renderer

Report = Callable[[str], None]


class ModelError(Exception):
    """A model can't be got, checked or uploaded; the message says why and what to do."""


@dataclass(frozen=True)
class Source:
    """A repository of huggingface.co and a commit of it, which never changes."""

    repository: str
    revision: str


# Each commit was found, as that of its repository, in several independent public projects that pin or record
# it; none could be looked up on the hub itself when it was written down here.
SOURCES = {
    "cogvideox-2b": Source("zai-org/CogVideoX-2b", "1137dacfc2c9c012bed6a0793f4ecf2ca8e7ba01"),
    "cogvideox-5b": Source("zai-org/CogVideoX-5b", "8fc5b281006c82b82d34fd2543d2f0ebb4e7e321"),
    "cogvideox-5b-i2v": Source("zai-org/CogVideoX-5b-I2V", "a6f0f4858a8395e7429d82493864ce92bf73af11"),
    "cogvideox-1.5-5b": Source("zai-org/CogVideoX1.5-5B", "fdc5267c90b5c06492985b966e43aae984e189e0"),
    "cogvideox-1.5-5b-i2v": Source("zai-org/CogVideoX1.5-5B-I2V", "46c90528707aebbe69066390b4fe7e7d24c9c2a4"),
}

# What the engine reads, and the licence.
_NEEDED = (
    "LICENSE",
    "model_index.json",
    "scheduler/scheduler_config.json",
    "tokenizer/*.json",
    "tokenizer/spiece.model",
    "text_encoder/*.json",
    "text_encoder/*.safetensors",
    "transformer/*.json",
    "transformer/*.safetensors",
    "vae/*.json",
    "vae/*.safetensors",
)


State = Literal["here", "no manifest", "partly pulled", "absent"]


@dataclass(frozen=True)
class Listed:
    """An engine's model, as far as a look at its folder tells."""

    name: str
    state: State
    repository: str | None
    revision: str | None
    bytes: int

    @classmethod
    def of(cls, name: str, models: Path) -> Self:
        source = SOURCES.get(name)
        repository, revision = (source.repository, source.revision) if source else (None, None)
        folder = models / name
        if not (folder / "model_index.json").is_file():
            state: State = "partly pulled" if source and _staging(models, name).is_dir() else "absent"
            return cls(name, state, repository, revision, 0)
        try:
            manifest = read_manifest(folder)
        except BadCheckpoint:
            return cls(name, "no manifest", None, None, _size(folder))
        return cls(name, "here", manifest.repository, manifest.revision, manifest.total_bytes)


def list_models(models: Path) -> list[Listed]:
    """Every engine that needs a model; files are not read."""
    names = (
        name
        for name, engine in CATALOGUE.items()
        if engine.renderer is Renderer.ENDPOINT and not engine.workflow
    )
    return [Listed.of(name, models) for name in names]


def pull(models: Path, name: str, report: Report) -> Manifest:
    """Get a model's pinned revision into {models}/{name}. What was got before a break is not got again.

    Raises ModelError, also for a folder that is there and did not come from the hub.
    """
    source, folder = _source(name), models / name
    there = _pulled_before(folder)
    if there is not None and there.revision == source.revision:
        return verify(models, name)
    staging = _staging(models, name)
    staging.mkdir(parents=True, exist_ok=True)
    _fetch(source, staging, report)
    try:
        inspect(staging)
    except BadCheckpoint as error:
        raise ModelError(f"{source.repository} is not what the engine takes: {error}") from error
    report("hashing")
    manifest = make_manifest(staging, name, repository=source.repository, revision=source.revision)
    manifest.write(staging)
    shutil.rmtree(staging / ".cache", ignore_errors=True)
    _replace(folder, staging)
    return manifest


def verify(models: Path, name: str) -> Manifest:
    """Read every file of {models}/{name} as the engine does before it loads it.

    Raises ModelError. Where torch is installed, whether every tensor is there is checked too; the engine does
    so in any case.
    """
    folder = _folder(models, name)
    try:
        manifest = check_weights(folder)
        _check_tensors(folder)
    except BadCheckpoint as error:
        raise ModelError(str(error)) from error
    return manifest


def trust(models: Path, name: str) -> Manifest:
    """Make the manifest of {models}/{name} as it is: of a folder that was not pulled, or was added to.

    Raises ModelError for what the engine would refuse with any manifest.
    """
    folder = _folder(models, name)
    try:
        inspect(folder)
        _check_tensors(folder)
    except BadCheckpoint as error:
        raise ModelError(str(error)) from error
    manifest = make_manifest(folder, name)
    manifest.write(folder)
    return manifest


@dataclass(frozen=True)
class Target:
    """Where a deployment's engines find their models: s3://{bucket}/{prefix}/{engine}/."""

    bucket: str
    prefix: str
    own: bool
    """The bucket is one that the user named; any other is made if it is not there."""

    @classmethod
    def of_deployment(cls, cdk_json: Path, session: Any) -> Self:
        """By the settings in cdk.json and the account and region of `session`, as the engines stack does."""
        from cdk.settings import DeploymentSettings

        defaults = json.loads(cdk_json.read_text())["context"]["reelworks"]
        settings = DeploymentSettings.of_context(defaults, {})
        if settings.model_bucket:
            return cls(settings.model_bucket, settings.model_prefix, own=True)
        account = session.client("sts").get_caller_identity()["Account"]
        # The rule of cdk/buckets.py.
        bucket = f"{settings.prefix}-models-{account}-{session.region_name}"
        return cls(bucket, settings.model_prefix, own=False)


def push(models: Path, name: str, target: Target, session: Any, report: Report) -> tuple[str, int]:
    """Upload a model, the manifest last, and return its S3 address and how many files were sent.

    Files that are there with the same SHA-256 are not sent again. Raises ModelError, also for an object that
    the manifest does not list, since the engine would refuse the folder.
    """
    manifest, folder = verify(models, name), models / name
    address = f"s3://{target.bucket}/{target.prefix}/{name}/"
    try:
        s3 = session.client("s3")
        if not target.own:
            _make_bucket(s3, target.bucket, session.region_name)
        start = f"{target.prefix}/{name}/"
        there = {key.removeprefix(start): size for key, size in _objects(s3, target.bucket, start)}
        strangers = sorted(there.keys() - manifest.files.keys() - {MANIFEST})
        if strangers:
            raise ModelError(
                f"{address} has objects that are no part of the model, and the engine would refuse it: "
                f"{', '.join(strangers[:5])}. Remove them: aws s3 rm {address}{strangers[0]}"
            )
        sent = 0
        for path, record in sorted(manifest.files.items()):
            key = start + path
            if there.get(path) == record.bytes and _sha256(s3, target.bucket, key) == record.sha256:
                continue
            report(f"{path} ({record.bytes / 1e9:.2f} GB)")
            _upload(s3, folder / path, target.bucket, key, record.sha256)
            sent += 1
        _upload(s3, folder / MANIFEST, target.bucket, start + MANIFEST, digests(folder, [MANIFEST])[MANIFEST])
    except (BotoCoreError, ClientError) as error:
        raise ModelError(f"{address}: {error}") from error
    return address, sent


# --- the hub


def _fetch(source: Source, staging: Path, report: Report) -> None:
    """The files of the revision that the engine needs, each as the hub says it is."""
    import huggingface_hub

    api = huggingface_hub.HfApi()
    place = f"{source.repository} at {source.revision[:12]}"
    try:
        tree = api.list_repo_tree(source.repository, recursive=True, revision=source.revision)
        files = [
            entry for entry in tree if isinstance(entry, huggingface_hub.RepoFile) and _needed(entry.path)
        ]
    except Exception as error:  # its client raises errors of several libraries
        raise ModelError(f"{place} cannot be listed: {error}") from error
    missing = sum(file.size for file in files if not (staging / file.path).is_file())
    free = shutil.disk_usage(staging).free
    if missing > free:
        raise ModelError(f"{place} takes {missing / 1e9:.1f} GB more; {staging} has {free / 1e9:.1f} GB free")
    report(f"{place}: {len(files)} files, {sum(file.size for file in files) / 1e9:.1f} GB")
    try:
        huggingface_hub.snapshot_download(
            source.repository,
            revision=source.revision,
            local_dir=staging,
            allow_patterns=[file.path for file in files],
        )
    except Exception as error:
        raise ModelError(f"{place} cannot be downloaded: {error}. Run the command again to go on.") from error
    report("checking against the hub")
    wrong = [file.path for file in files if not _as_the_hub_has_it(staging / file.path, file)]
    if wrong:
        for path in wrong:
            (staging / path).unlink(missing_ok=True)
        raise ModelError(f"{place}: {', '.join(wrong)} did not arrive whole. Run the command again to go on.")


def _needed(path: str) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in _NEEDED) and path.count("/") <= 1


def _as_the_hub_has_it(path: Path, file: Any) -> bool:
    if not path.is_file() or path.stat().st_size != file.size:
        return False
    if file.lfs is not None:
        return bool(digests(path.parent, [path.name])[path.name] == file.lfs.sha256)
    # Small files are Git's own, which names them by SHA-1.
    content = path.read_bytes()
    git = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False)
    return bool(git.hexdigest() == file.blob_id)


def _source(name: str) -> Source:
    if name not in SOURCES:
        raise ModelError(f"there is no model {name!r} on the hub; there are: {', '.join(SOURCES)}")
    return SOURCES[name]


# --- folders


def _pulled_before(folder: Path) -> Manifest | None:
    if not folder.exists():
        return None
    try:
        manifest = read_manifest(folder)
    except BadCheckpoint:
        manifest = None
    if manifest is None or manifest.repository is None:
        raise ModelError(f"{folder} is there and was not pulled: move it away first")
    return manifest


def _staging(models: Path, name: str) -> Path:
    # By its revision, so that files of another one are never taken for its own.
    return models / ".pull" / f"{name}-{SOURCES[name].revision[:12]}"


def _replace(folder: Path, staging: Path) -> None:
    old = folder.with_name(f".old-{folder.name}")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    staging.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _folder(models: Path, name: str) -> Path:
    folder = models / name
    if not folder.is_dir():
        raise ModelError(f"there is no model in {folder}: get it with `reel models pull {name}`")
    return folder


def _check_tensors(folder: Path) -> None:
    if importlib.util.find_spec("torch") is not None:
        from containers.cogvideox.tensors import check_tensors

        check_tensors(folder)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


# --- S3


def _make_bucket(s3: Any, bucket: str, region: str) -> None:
    try:
        s3.head_bucket(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("404", "NoSuchBucket"):
            raise
    else:
        return
    # us-east-1 is the one region that must not be named.
    place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    s3.create_bucket(Bucket=bucket, **place)
    closed = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=dict.fromkeys(closed, True))


def _objects(s3: Any, bucket: str, prefix: str) -> Iterator[tuple[str, int]]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for entry in page.get("Contents", []):
            yield entry["Key"], entry["Size"]


def _sha256(s3: Any, bucket: str, key: str) -> str | None:
    """What this module noted of the object when it was uploaded."""
    found: str | None = s3.head_object(Bucket=bucket, Key=key)["Metadata"].get("sha256")
    return found


def _upload(s3: Any, path: Path, bucket: str, key: str, sha256: str) -> None:
    # In parts, each with a checksum that S3 compares; an object appears when it is whole.
    s3.upload_file(
        str(path), bucket, key, ExtraArgs={"Metadata": {"sha256": sha256}, "ChecksumAlgorithm": "SHA256"}
    )
