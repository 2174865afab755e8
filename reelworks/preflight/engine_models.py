"""Check that the engines' models are in the bucket: all files of their manifests, or, for a server that has
none, any."""

from typing import Any

from cdk.settings import DeploymentSettings
from reelworks import models
from reelworks.finding import Finding
from reelworks.preflight.account import Account, CallFailed


def engine_models(account: Account, settings: DeploymentSettings) -> list[Finding]:
    target = models.Target.of_settings(settings, account.number, account.region)
    return [
        _model(account, target, engine, relayed=engine in settings.relays)
        for engine in settings.endpoint_engines
    ]


def _model(account: Account, target: models.Target, engine: str, *, relayed: bool) -> Finding:
    what = f"Model {engine}"
    address = target.address(engine)
    push = f"reel models push {engine}"
    todo = f"reel models pull {engine} && {push}" if engine in models.SOURCES else push
    if relayed:
        todo = f"aws s3 sync FOLDER {address}, with the model's folder (docs/relay.md)"
    try:
        with account.calling():
            found = (_any_files if relayed else _as_listed)(account.client("s3"), target, engine)
    except models.ModelError as error:
        return Finding(what, False, True, str(error), todo)
    except CallFailed as error:
        if error.code == "NoSuchBucket":
            return Finding(what, False, True, f"bucket {target.bucket} does not exist", todo)
        return account.unknown(what, error, f"s3:GetObject and s3:ListBucket on {target.bucket}")
    return Finding(what, True, True, f"{address}: {found}")


def _as_listed(s3: Any, target: models.Target, engine: str) -> str:
    manifest = models.pushed(s3, target, engine)
    return f"{_amount(len(manifest.files), manifest.total_bytes)}, {manifest.identity}"


def _any_files(s3: Any, target: models.Target, engine: str) -> str:
    # The first 1,000, which is more files than a model has.
    prefix = f"{target.prefix}/{engine}/"
    files = s3.list_objects_v2(Bucket=target.bucket, Prefix=prefix).get("Contents", [])
    if not files:
        raise models.ModelError(f"{target.address(engine)} has no files")
    return _amount(len(files), sum(file["Size"] for file in files))


def _amount(files: int, size: int) -> str:
    return f"{files} files, {size / 1e9:.1f} GB"
