"""Check the programs that a deployment runs on this machine."""

import shutil
import subprocess

from cdk.settings import DeploymentSettings
from reelworks.finding import Finding

_PATIENCE_SECONDS = 20  # Docker's daemon answers within a second, or starts first


def tools(settings: DeploymentSettings) -> list[Finding]:
    found = [_npx()]
    if settings.endpoint_engines and settings.image_builder == "docker":
        found.append(_docker())
    return found


def _npx() -> Finding:
    npx = shutil.which("npx")
    if npx is None:
        todo = "install Node.js 22 or newer (nodejs.org): `make deploy` runs the CDK CLI with npx"
        return Finding("npx", False, True, "not on the PATH", todo)
    return Finding("npx", True, True, npx)


def _docker() -> Finding:
    """Ask for Buildx, which builds, and for the daemon."""
    todo = 'install and start Docker with Buildx, or set image_builder to "codebuild" in cdk.json'
    for command in (
        ["docker", "buildx", "version"],
        ["docker", "version", "--format", "{{.Server.Version}}"],
    ):
        asked = " ".join(command[:2])
        try:
            done = subprocess.run(  # noqa: S603 - our own
                command, capture_output=True, text=True, timeout=_PATIENCE_SECONDS, check=False
            )
        except OSError as error:
            return Finding("Docker", False, True, f"docker: {error.strerror}", todo)
        except subprocess.TimeoutExpired:
            found = f"`{asked}` did not answer within {_PATIENCE_SECONDS} s"
            return Finding("Docker", False, True, found, todo)
        if done.returncode:
            said = next(iter(done.stderr.strip().splitlines()), "no reason given")
            return Finding("Docker", False, True, f"`{asked}`: {said}", todo)
    return Finding("Docker", True, True, done.stdout.strip())
