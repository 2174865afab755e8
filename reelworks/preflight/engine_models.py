"""Check that the engines' models are in the bucket: all files of their manifests, or, for a server that has
none, any."""

from cdk.settings import DeploymentSettings
from reelworks import models
from reelworks.finding import Finding
from reelworks.preflight.account import Account, CallFailed


def engine_models(account: Account, settings: DeploymentSettings) -> list[Finding]:
    target = models.Target.of_settings(settings, account.number, account.region)
    return [
        _relayed(account, target, engine) if engine in settings.relays else _model(account, target, engine)
        for engine in settings.endpoint_engines
    ]


def _relayed(account: Account, target: models.Target, engine: str) -> Finding:
    what = f"Model {engine}"
    address = target.address(engine)
    prefix = f"{target.prefix}/{engine}/"
    todo = f"aws s3 sync FOLDER {address}, with the model's folder (docs/relay.md)"
    try:
        with account.calling():
            listed = account.client("s3").list_objects_v2(Bucket=target.bucket, Prefix=prefix)
    except CallFailed as error:
        if error.code == "NoSuchBucket":
            return Finding(what, False, True, f"bucket {target.bucket} does not exist", todo)
        return account.unknown(what, error, f"s3:ListBucket on {target.bucket}")
    # The first 1,000, which is more files than a model has.
    files = listed.get("Contents", [])
    if not files:
        return Finding(what, False, True, f"no files in {address}", todo)
    size = sum(file["Size"] for file in files)
    return Finding(what, True, True, f"{address}: {len(files)} files, {size / 1e9:.1f} GB")


def _model(account: Account, target: models.Target, engine: str) -> Finding:
    what = f"Model {engine}"
    address = target.address(engine)
    push = f"reel models push {engine}"
    todo = f"reel models pull {engine} && {push}" if engine in models.SOURCES else push
    try:
        with account.calling():
            manifest = models.pushed(account.client("s3"), target, engine)
    except models.ModelError as error:
        return Finding(what, False, True, str(error), todo)
    except CallFailed as error:
        if error.code == "NoSuchBucket":
            return Finding(what, False, True, f"bucket {target.bucket} does not exist", todo)
        return account.unknown(what, error, f"s3:GetObject and s3:ListBucket on {target.bucket}")
    size = f"{len(manifest.files)} files, {manifest.total_bytes / 1e9:.1f} GB"
    return Finding(what, True, True, f"{address}: {size}, {manifest.identity}")
