"""The functions' code as assets: `lambdas/` with its requirements for Lambda's platform, without Docker.

docs/decisions/0008-no-docker-bundling.md explains why. A PC deploys only the source (context
"aws:cdk:bundling-stacks": []): its functions run on an interpreter that already has the requirements.
"""

import subprocess
import sys
from pathlib import Path
from shutil import copytree, ignore_patterns, rmtree, which

import jsii
from aws_cdk import Annotations, BundlingOptions, DockerImage, IgnoreMode, ILocalBundling, Stack
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

ROOT = Path(__file__).parent.parent
RUNTIME = lambda_.Runtime.PYTHON_3_13
PYTHON = RUNTIME.name.removeprefix("python")
_LIMIT_BYTES = 250 * 1024 * 1024  # Lambda's quota for a function's unzipped code

# Wheels for one platform have several tags; Lambda's Amazon Linux 2023 has glibc 2.34.
_PLATFORMS = [*(f"manylinux_2_{glibc}_aarch64" for glibc in (34, 28, 27, 17)), "manylinux2014_aarch64"]

# Everything except lambdas/ and what is named with it. With git's ignore rules, the walk skips fully excluded
# folders, for example .venv.
EXCLUDE = ["/*", "!/lambdas", "__pycache__", "*.pyc"]
_STUDIO = "studio"

# The AWS services that functions call. botocore knows 400; the descriptions of the others have 20 MB.
SERVICES = frozenset(
    {
        *("bedrock-runtime", "codebuild", "dynamodb", "events", "kms", "lambda", "polly", "s3", "sagemaker"),
        *("sagemaker-runtime", "secretsmanager", "sqs", "stepfunctions"),
    }
)

_REQUIREMENTS = ROOT / "lambdas" / "requirements.txt"
_MEDIA_REQUIREMENTS = ROOT / "lambdas" / "requirements-media.txt"
_SIGNING_REQUIREMENTS = ROOT / "lambdas" / "requirements-signing.txt"


class BundlingError(Exception):
    """The functions' code cannot be bundled; the message says why."""


def code(scope: Construct, *, media: bool, signing: bool, studio: bool) -> lambda_.Code:
    """Return the code asset; `media` and `signing` add the libraries for functions that need them. That of
    the studio has its files, and no library."""
    requirements = [] if studio else [_REQUIREMENTS]
    requirements += [_MEDIA_REQUIREMENTS] if media else []
    requirements += [_SIGNING_REQUIREMENTS] if signing else []
    folders = [_STUDIO] if studio else []
    return lambda_.Code.from_asset(
        str(ROOT),
        exclude=[*EXCLUDE, *(f"!/{folder}" for folder in folders)],
        ignore_mode=IgnoreMode.GIT,
        # Where no bundling is required, leave it out: CDK's own skipping would use the source path as it is,
        # excluded files included.
        bundling=_bundling(scope, requirements, folders) if Stack.of(scope).bundling_required else None,
    )


def _bundling(scope: Construct, requirements: list[Path], folders: list[str]) -> BundlingOptions:
    compiler = _interpreter()
    if compiler is None:
        # Measured: importing boto3 and an S3 client takes 1.0-1.25 s without bytecode, 0.31-0.36 s with it.
        Annotations.of(scope).add_warning_v2(
            "reelworks:bytecode",
            f"python{PYTHON} is not on the PATH: functions ship without bytecode and start 0.7 s slower.",
        )
    return BundlingOptions(
        local=PipBundling(requirements, folders, compiler),
        # Required by CDK, but never pulled: PipBundling returns True or raises.
        image=DockerImage.from_registry("none"),
        # These are part of the asset's hash, so that two assets of one source differ.
        command=[*(path.name for path in requirements), *folders],
        environment={"PYTHON": PYTHON, "BYTECODE": str(compiler is not None)},
    )


def _interpreter() -> str | None:
    """Find an interpreter of the runtime's version: no other version writes bytecode it can load."""
    if sys.version_info[:2] == tuple(map(int, PYTHON.split("."))):
        return sys.executable
    found = which(f"python{PYTHON}")
    # A version manager's shim may exist without that version installed.
    runs = found and subprocess.run([found, "-V"], capture_output=True, check=False).returncode == 0  # noqa: S603
    return found if runs else None


@jsii.implements(ILocalBundling)
class PipBundling:
    """Bundle on this machine, whatever its platform."""

    def __init__(self, requirements: list[Path], folders: list[str], compiler: str | None) -> None:
        self._requirements = requirements
        self._folders = folders
        self._compiler = compiler

    def try_bundle(self, output_dir: str, *_: object, **__: object) -> bool:
        bundle(Path(output_dir), self._requirements, self._folders, self._compiler)
        return True


def bundle(target: Path, requirements: list[Path], folders: list[str], compiler: str | None) -> None:
    """Write lambdas/, the other `folders` and the requirements' wheels into a folder, compiled to bytecode by
    `compiler`.

    Raises BundlingError if pip or the compiler fails, or if the code is larger than Lambda allows.
    """
    if requirements:
        _install(target, requirements)
    for folder in ("lambdas", *folders):
        copytree(ROOT / folder, target / folder, ignore=ignore_patterns("__pycache__"))
    if compiler is not None:
        # unchecked-hash: by default bytecode is checked against timestamps, which the zip does not preserve.
        # -s: tracebacks show the function's paths, not this machine's.
        compile_all = [compiler, "-m", "compileall", "-q", "-j0", "--invalidation-mode=unchecked-hash"]
        _run([*compile_all, "-s", str(target), str(target)])
    size = sum(path.lstat().st_size for path in target.rglob("*"))
    if size > _LIMIT_BYTES:
        raise BundlingError(f"the unzipped code must have at most {_LIMIT_BYTES:,} bytes; got {size:,}.")


def _install(target: Path, requirements: list[Path]) -> None:
    """Install the requirements' wheels for Lambda's platform, without what no function reads."""
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    install += ["--only-binary=:all:", "--implementation=cp", f"--python-version={PYTHON}"]
    install += [f"--platform={platform}" for platform in _PLATFORMS]
    install += [f"--requirement={path}" for path in requirements]
    _run([*install, "--no-compile", f"--target={target}"])
    for tests in sorted(target.rglob("tests/")):
        rmtree(tests, ignore_errors=True)  # the packages' own tests: 14 MB of Lambda's limit
    for docs in sorted(target.rglob("docs/")):
        if not any(docs.rglob("*.py")):  # boto3's are code
            rmtree(docs, ignore_errors=True)  # uniseg's manual: 11 MB
    for service in target.glob("botocore/data/*/"):
        if service.name not in SERVICES:
            rmtree(service)
    for font in target.glob("manimgx_fonts_cjk/*.ttc"):
        font.write_bytes(of_one_weight(font))


def of_one_weight(font: Path) -> bytes:
    """Return a collection's first typeface in the weight of captions: all its letters, and half the size."""
    # Imported here: only a deployment to AWS needs them.
    import uharfbuzz as hb

    from lambdas.media.typesetting import CAPTIONS_WEIGHT

    face = hb.Face(hb.Blob.from_file_path(str(font)), 0)
    wanted = hb.SubsetInput()
    wanted.keep_everything()
    wanted.pin_axis_location(face, "wght", CAPTIONS_WEIGHT)
    wanted.flags = hb.SubsetFlags.NO_HINTING | hb.SubsetFlags.RETAIN_GIDS
    return bytes(hb.subset(face, wanted).blob.data)


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    if done.returncode:
        raise BundlingError(f"{' '.join(command[:4])} …: {done.stderr.strip() or done.stdout.strip()}")
