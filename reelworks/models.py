"""Download the engines' models and writers from the hub to the home folder, and upload the engines' to
SageMaker's bucket.

`pull` only ever leaves complete models in {home}/models/NAME: it downloads to a staging folder, checks every
file against the hub's record of the pinned revision, and then moves the folder there with its manifest.
"""

import hashlib
import importlib.util
import shutil
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import ValidationError

from containers.diffusion.errors import BadCheckpoint
from containers.diffusion.loras import TURBO
from containers.diffusion.manifest import MANIFEST, Manifest, digests, make_manifest, read_manifest
from containers.diffusion.weights import check_weights, inspect
from lambdas.domain.engines import CATALOGUE, Renderer
from lambdas.domain.licences import LICENCES, missing, terms
from reelworks.cloud.backends.text.writers import WRITERS, Writer

if TYPE_CHECKING:
    from cdk.settings import DeploymentSettings

Report = Callable[[str], None]


class ModelError(Exception):
    """A model cannot be downloaded, checked or uploaded. The message says why and what to do."""


@dataclass(frozen=True)
class Adapters:
    """Files of a repository's commit that are the adapters of the speed `turbo`, by the part they change."""

    repository: str
    revision: str
    files: Mapping[str, str]


@dataclass(frozen=True)
class Source:
    """A repository on huggingface.co and one of its commits, which never changes; and the model's licence,
    which is the adapters', too."""

    repository: str
    revision: str
    licence: str = "see its model card"
    turbo: Adapters | None = None

    @property
    def commits(self) -> str:
        """The commits of all that is downloaded, as the manifest records them."""
        return self.revision if self.turbo is None else f"{self.revision}+{self.turbo.revision}"


def _wan(name: str, revision: str, turbo: Adapters | None = None) -> Source:
    return Source(f"Wan-AI/{name}", revision, "Apache-2.0", turbo)


def _lightning(folder: str) -> Adapters:
    files = {"transformer": "high_noise_model", "transformer_2": "low_noise_model"}
    return Adapters(
        "lightx2v/Wan2.2-Lightning",
        "18bccf8884ec0a078eed79785eb4ef13ea16ce1e",
        {part: f"{folder}/{file}.safetensors" for part, file in files.items()},
    )


def _distilled(file: str) -> Adapters:
    return Adapters(
        "lightx2v/Wan2.1-Distill-Loras", "27ae38da91014b947dd39cc3fa78b97cd7b386dd", {"transformer": file}
    )


_LTX = ", ".join(licence.title for licence in LICENCES.values())  # must be accepted

# Several independent public projects pin or record each commit as that of its repository. None could be
# looked up on the hub itself when it was added here.
SOURCES = {
    "cogvideox-2b": Source("zai-org/CogVideoX-2b", "1137dacfc2c9c012bed6a0793f4ecf2ca8e7ba01"),
    "cogvideox-5b": Source("zai-org/CogVideoX-5b", "8fc5b281006c82b82d34fd2543d2f0ebb4e7e321"),
    "cogvideox-5b-i2v": Source("zai-org/CogVideoX-5b-I2V", "a6f0f4858a8395e7429d82493864ce92bf73af11"),
    "cogvideox-1.5-5b": Source("zai-org/CogVideoX1.5-5B", "fdc5267c90b5c06492985b966e43aae984e189e0"),
    "cogvideox-1.5-5b-i2v": Source("zai-org/CogVideoX1.5-5B-I2V", "46c90528707aebbe69066390b4fe7e7d24c9c2a4"),
    "wan2.1-t2v-1.3b": _wan("Wan2.1-T2V-1.3B-Diffusers", "0fad780a534b6463e45facd96134c9f345acfa5b"),
    "wan2.1-t2v-14b": _wan(
        "Wan2.1-T2V-14B-Diffusers",
        "38ec498cb3208fb688890f8cc7e94ede2cbd7f68",
        _distilled("wan2.1_t2v_14b_lora_rank64_lightx2v_4step.safetensors"),
    ),
    "wan2.1-i2v-14b-480p": _wan(
        "Wan2.1-I2V-14B-480P-Diffusers",
        "b184e23a8a16b20f108f727c902e769e873ffc73",
        _distilled("wan2.1_i2v_lora_rank64_lightx2v_4step.safetensors"),
    ),
    "wan2.1-i2v-14b-720p": _wan("Wan2.1-I2V-14B-720P-Diffusers", "eb849f76dfa246545b65774a9e25943ee69b3fa3"),
    "wan2.1-flf2v-14b": _wan("Wan2.1-FLF2V-14B-720P-diffusers", "17c30769b1e0b5dcaa1799b117bf20a9c31f59d7"),
    "wan2.2-ti2v-5b": _wan("Wan2.2-TI2V-5B-Diffusers", "b8fff7315c768468a5333511427288870b2e9635"),
    "wan2.2-t2v-a14b": _wan(
        "Wan2.2-T2V-A14B-Diffusers",
        "5be7df9619b54f4e2667b2755bc6a756675b5cd7",
        _lightning("Wan2.2-T2V-A14B-4steps-lora-rank64-Seko-V1.1"),
    ),
    "wan2.2-i2v-a14b": _wan(
        "Wan2.2-I2V-A14B-Diffusers",
        "596658fd9ca6b7b71d5057529bbf319ecbc61d74",
        _lightning("Wan2.2-I2V-A14B-4steps-lora-rank64-Seko-V1"),
    ),
    "ltx-2-19b": Source("Lightricks/LTX-2", "47da56e2ad66ce4125a9922b4a8826bf407f9d0a", _LTX),
    "ltx-2.3-22b": Source("diffusers/LTX-2.3-Diffusers", "8eee8edcf067e838b843f926ec4d4cc9b2be1aaf", _LTX),
    "ltx-2.3-22b-distilled": Source(
        "diffusers/LTX-2.3-Distilled-Diffusers", "432e0d3c2d1769aaa4d295f9243f7062bf6b47ee", _LTX
    ),
}

# The files that the engine reads, and the licence.
_NEEDED = (
    "LICENSE",
    "model_index.json",
    "scheduler/scheduler_config.json",
    "tokenizer/*.json",
    "tokenizer/spiece.model",
    "text_encoder/*.json",
    # Some repositories have it twice, the other one under the name of diffusers' files.
    "text_encoder/model*.safetensors",
    *(
        f"{part}/{files}"
        for part in (
            "transformer",
            "transformer_2",
            "vae",
            "connectors",
            "audio_vae",
            "vocoder",
        )
        for files in ("*.json", "diffusion_pytorch_model*.safetensors")
    ),
    "image_encoder/*.json",
    "image_encoder/model*.safetensors",
    "image_processor/*.json",
    "image_processor/merges.txt",
)


# The hub's own message says whether it wants this.
_GATED = (
    ". If the hub asks for a login or for access: accept the model's terms on its page on huggingface.co, "
    "and set HF_TOKEN to a token of your account"
)

State = Literal["here", "no manifest", "partly pulled", "absent"]


@dataclass(frozen=True)
class Listed:
    """A model and its state, as seen in its folder without reading the weights."""

    name: str
    state: State
    repository: str | None
    revision: str | None
    bytes: int

    @classmethod
    def of(cls, name: str, models: Path) -> Self:
        source = SOURCES.get(name)
        writer = WRITERS.get(name)
        repository, revision = (source.repository, source.commits) if source else (None, None)
        if writer:
            repository, revision = writer.repository, writer.revision
        folder = models / name
        if not (folder / (writer.file if writer else "model_index.json")).is_file():
            begun = revision and _staging(models, name, revision).is_dir()
            return cls(name, "partly pulled" if begun else "absent", repository, revision, 0)
        try:
            manifest = read_manifest(folder)
        except BadCheckpoint:
            return cls(name, "no manifest", None, None, _size(folder))
        return cls(name, "here", manifest.repository, manifest.revision, manifest.total_bytes)


def list_models(models: Path) -> list[Listed]:
    """List the model of every engine that needs one, and the writers, without reading the files."""
    names = (
        name
        for name, engine in CATALOGUE.items()
        if engine.renderer is Renderer.ENDPOINT and not engine.workflow
    )
    return [Listed.of(name, models) for name in (*names, *WRITERS)]


def pull(models: Path, name: str, report: Report, accepted: Collection[str] = ()) -> Manifest:
    """Download a model's pinned revision to {models}/{name}, resuming an interrupted download.

    `accepted` names the licences that the user accepts. Raises ModelError, also if one is missing, or if the
    folder exists and did not come from the hub.
    """
    if writer := WRITERS.get(name):
        return _pull_writer(models, name, writer, report)
    source, folder = _source(name), models / name
    _require_accepted(name, accepted)
    there = _pulled_before(folder)
    if there is not None and there.revision == source.commits:
        return verify(models, name)
    staging = _staging(models, name, source.commits)
    staging.mkdir(parents=True, exist_ok=True)
    report(f"{source.repository}, licence: {source.licence}")
    _fetch(source.repository, source.revision, _needed, staging, report)
    if source.turbo is not None:
        _fetch_adapters(source.turbo, source.licence, staging, report)
    try:
        inspect(staging)
    except BadCheckpoint as error:
        raise ModelError(f"the engine does not support {source.repository}: {error}") from error
    report("hashing the files")
    manifest = make_manifest(staging, name, repository=source.repository, revision=source.commits)
    manifest.write(staging)
    shutil.rmtree(staging / ".cache", ignore_errors=True)
    _replace(folder, staging)
    return manifest


def verify(models: Path, name: str) -> Manifest:
    """Check every file of {models}/{name}, as the engine does before loading it.

    Raises ModelError. Also checks that no tensor is missing if torch is installed; the engine always does.
    """
    folder = _folder(models, name)
    if name in WRITERS:
        return _verify_writer(folder, WRITERS[name])
    try:
        manifest = check_weights(folder)
        _check_tensors(folder)
    except BadCheckpoint as error:
        raise ModelError(str(error)) from error
    return manifest


def trust(models: Path, name: str, accepted: Collection[str] = ()) -> Manifest:
    """Write a manifest for {models}/{name} as it is, for a folder that was not pulled or has added files.

    `accepted` is as for `pull`. Raises ModelError, also if the engine would refuse the folder with any
    manifest.
    """
    _require_engine(name, "a GGUF file of your own needs no manifest: set its path in [text]")
    folder = _folder(models, name)
    _require_accepted(name, accepted)
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
    """Where a deployment's engines load their models from: s3://{bucket}/{prefix}/{engine}/."""

    bucket: str
    prefix: str
    own: bool
    """Whether the user named the bucket; any other bucket is created if missing."""

    @classmethod
    def of_deployment(cls, session: Any) -> Self:
        """Build it as the engines stack does, from the settings and the account and region of `session`."""
        from cdk.settings import DeploymentSettings

        settings = DeploymentSettings.of_checkout()
        account = "" if settings.model_bucket else session.client("sts").get_caller_identity()["Account"]
        return cls.of_settings(settings, account, session.region_name)

    @classmethod
    def of_settings(cls, settings: "DeploymentSettings", account: str, region: str) -> Self:
        # The naming rule of cdk/buckets.py.
        bucket = settings.model_bucket or f"{settings.prefix}-models-{account}-{region}"
        return cls(bucket, settings.model_prefix, own=bool(settings.model_bucket))

    def address(self, name: str) -> str:
        """Return where an engine's model is, with a slash at the end."""
        return f"s3://{self.bucket}/{self.prefix}/{name}/"


def push(models: Path, name: str, target: Target, session: Any, report: Report) -> tuple[str, int]:
    """Upload a model, manifest last. Return its S3 address and the number of files uploaded.

    Skips files already there with the same SHA-256. Raises ModelError, also if the folder has an object that
    the manifest does not list, because the engine would refuse it.
    """
    _require_engine(name, "on AWS, Bedrock writes")
    manifest, folder = verify(models, name), models / name
    address = target.address(name)
    try:
        s3 = session.client("s3")
        if not target.own:
            _make_bucket(s3, target.bucket, session.region_name)
        start = f"{target.prefix}/{name}/"
        there = _objects(s3, target.bucket, start)
        strangers = sorted(there.keys() - manifest.files.keys() - {MANIFEST})
        if strangers:
            raise ModelError(
                f"{address} has objects that are not part of the model, so the engine would refuse it: "
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


def pushed(s3: Any, target: Target, name: str) -> Manifest:
    """Return the manifest of a model in S3, if the objects beside it have the names and sizes that it lists.

    Raises ModelError if not, and what `s3` raises. The contents are not read: `push` compared them.
    """
    there = _objects(s3, target.bucket, f"{target.prefix}/{name}/")
    address = target.address(name)
    if MANIFEST not in there:
        what = "an incomplete model: no manifest" if there else "no model"
        raise ModelError(f"{address} has {what}")
    try:
        body = s3.get_object(Bucket=target.bucket, Key=f"{target.prefix}/{name}/{MANIFEST}")["Body"].read()
        manifest = Manifest.model_validate_json(body)
    except ValidationError as error:
        raise ModelError(f"{address}{MANIFEST} is not a valid manifest: {error.errors()[0]['msg']}") from None
    listed = {path: record.bytes for path, record in manifest.files.items()}
    different = sorted(
        path for path in (listed.keys() | there.keys()) - {MANIFEST} if listed.get(path) != there.get(path)
    )
    if different:
        raise ModelError(f"{address} differs from its manifest: {', '.join(different[:5])}")
    return manifest


# --- the hub


def _fetch_adapters(adapters: Adapters, licence: str, staging: Path, report: Report) -> None:
    """Download the adapters of `turbo` to where the engine looks for them (containers/diffusion/loras.py)."""
    downloaded, folder = staging / ".adapters", staging / TURBO
    downloaded.mkdir(exist_ok=True)
    report(f"{adapters.repository}, adapters for the speed turbo, licence: {licence}")
    _fetch(
        adapters.repository, adapters.revision, set(adapters.files.values()).__contains__, downloaded, report
    )
    folder.mkdir(exist_ok=True)
    for part, file in adapters.files.items():
        (downloaded / file).replace(folder / f"{part}.safetensors")
    shutil.rmtree(downloaded)


def _fetch(
    repository: str, revision: str, needed: Callable[[str], bool], staging: Path, report: Report
) -> None:
    """Download the revision's files that are needed, and check each against the hub's record."""
    import huggingface_hub

    api = huggingface_hub.HfApi()
    place = f"{repository} at {revision[:12]}"
    try:
        tree = api.list_repo_tree(repository, recursive=True, revision=revision)
        files = [
            entry for entry in tree if isinstance(entry, huggingface_hub.RepoFile) and needed(entry.path)
        ]
    except Exception as error:  # the hub's client raises errors of several libraries
        raise ModelError(f"cannot list {place}: {error}{_GATED}") from error
    missing = sum(file.size for file in files if not (staging / file.path).is_file())
    free = shutil.disk_usage(staging).free
    if missing > free:
        raise ModelError(f"{place} needs {missing / 1e9:.1f} GB more; {staging} has {free / 1e9:.1f} GB free")
    report(f"{place}: {len(files)} files, {sum(file.size for file in files) / 1e9:.1f} GB")
    try:
        huggingface_hub.snapshot_download(
            repository,
            revision=revision,
            local_dir=staging,
            allow_patterns=[file.path for file in files],
        )
    except Exception as error:
        raise ModelError(f"cannot download {place}: {error}. Run the command again to resume.") from error
    report("checking against the hub")
    wrong = [file.path for file in files if not _as_the_hub_has_it(staging / file.path, file)]
    if wrong:
        for path in wrong:
            (staging / path).unlink(missing_ok=True)
        raise ModelError(
            f"{place}: incomplete or corrupt: {', '.join(wrong)}. Run the command again to resume."
        )


def _needed(path: str) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in _NEEDED) and path.count("/") <= 1


def _as_the_hub_has_it(path: Path, file: Any) -> bool:
    if not path.is_file() or path.stat().st_size != file.size:
        return False
    if file.lfs is not None:
        return bool(digests(path.parent, [path.name])[path.name] == file.lfs.sha256)
    # Small files are plain Git blobs, identified by SHA-1.
    content = path.read_bytes()
    git = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False)
    return bool(git.hexdigest() == file.blob_id)


def _require_accepted(name: str, accepted: Collection[str]) -> None:
    lacking = missing(CATALOGUE[name].licences, accepted) if name in CATALOGUE else []
    if lacking:
        options = " ".join(f"--accept-licence {licence}" for licence in lacking)
        raise ModelError(
            f"{name} comes with licences that you must accept first: {terms(lacking)}. If you accept, add "
            f"{options}, or add the names to accepted_licences under [models] in reelworks.toml"
        )


def _source(name: str) -> Source:
    if name not in SOURCES:
        raise ModelError(f"the hub has no model {name!r}; use one of: {', '.join((*SOURCES, *WRITERS))}")
    return SOURCES[name]


def _require_engine(name: str, why: str) -> None:
    if name in WRITERS:
        raise ModelError(f"{name} is a text model of this PC, not an engine's; {why}")


# --- writers


def _pull_writer(models: Path, name: str, writer: Writer, report: Report) -> Manifest:
    """Download a writer's file to {models}/{name}, if it has the pinned content."""
    folder = models / name
    if _pulled_before(folder) is not None:
        return verify(models, name)
    staging = _staging(models, name, writer.revision)
    staging.mkdir(parents=True, exist_ok=True)
    report(f"{writer.repository}, licence: {writer.licence}")
    _fetch(writer.repository, writer.revision, {writer.file, "LICENSE"}.__contains__, staging, report)
    report("hashing the files")
    manifest = make_manifest(staging, name, repository=writer.repository, revision=writer.revision)
    try:
        _require_pinned(manifest, writer)
    except ModelError:
        shutil.rmtree(staging)  # another try would find the same
        raise
    manifest.write(staging)
    shutil.rmtree(staging / ".cache", ignore_errors=True)
    _replace(folder, staging)
    return manifest


def _verify_writer(folder: Path, writer: Writer) -> Manifest:
    try:
        manifest = read_manifest(folder)
        differences = manifest.differences(folder)
    except BadCheckpoint as error:
        raise ModelError(str(error)) from error
    if differences:
        raise ModelError(f"{folder}: {'; '.join(differences)}. Remove the folder and pull the model again")
    _require_pinned(manifest, writer)
    return manifest


def _require_pinned(manifest: Manifest, writer: Writer) -> None:
    found = manifest.files.get(writer.file)
    if found is None or (found.bytes, found.sha256) != (writer.bytes, writer.sha256):
        has = f"has SHA-256 {found.sha256}" if found else "is missing"
        raise ModelError(f"{writer.repository}: {writer.file} {has}; {writer.sha256} is expected")


# --- folders


def _pulled_before(folder: Path) -> Manifest | None:
    if not folder.exists():
        return None
    try:
        manifest = read_manifest(folder)
    except BadCheckpoint:
        manifest = None
    if manifest is None or manifest.repository is None:
        raise ModelError(f"{folder} exists and was not pulled; move it away first")
    return manifest


def _staging(models: Path, name: str, commits: str) -> Path:
    # Named by revision, so that files of different revisions never mix.
    return models / ".pull" / "-".join([name, *(commit[:12] for commit in commits.split("+"))])


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
        raise ModelError(f"{folder} does not exist; download the model with `reel models pull {name}`")
    return folder


def _check_tensors(folder: Path) -> None:
    if importlib.util.find_spec("torch") is not None:
        from containers.diffusion.tensors import check_tensors

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
    # us-east-1 is the one region that must not be given.
    place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    s3.create_bucket(Bucket=bucket, **place)
    closed = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=dict.fromkeys(closed, True))


def _objects(s3: Any, bucket: str, prefix: str) -> dict[str, int]:
    """Return the sizes of the objects under a prefix, by the rest of their keys."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    entries = (entry for page in pages for entry in page.get("Contents", []))
    return {entry["Key"].removeprefix(prefix): entry["Size"] for entry in entries}


def _sha256(s3: Any, bucket: str, key: str) -> str | None:
    """Return the SHA-256 that this module recorded when it uploaded the object."""
    found: str | None = s3.head_object(Bucket=bucket, Key=key)["Metadata"].get("sha256")
    return found


def _upload(s3: Any, path: Path, bucket: str, key: str, sha256: str) -> None:
    # Uploads in parts whose checksums S3 verifies; the object appears once it is complete.
    s3.upload_file(
        str(path), bucket, key, ExtraArgs={"Metadata": {"sha256": sha256}, "ChecksumAlgorithm": "SHA256"}
    )
