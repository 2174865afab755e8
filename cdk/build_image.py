"""Build the engines' images, if there are none of these sources: python -m cdk.build_image CDK [OPTION]…

`make deploy` runs it between synthesis and deployment. CDK is the command of the CDK CLI, with the folder of
the cloud assembly. It deploys each image's stack, builds the image in CodeBuild (or with this machine's
Docker: the setting `image_builder`), and checks that SageMaker will accept what was pushed. If that fails, so
does `make deploy`, before an engine is touched.
"""

import base64
import json
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from cdk.code import ROOT
from cdk.engine_image import build_command

STACK_SUFFIXES = ("-Image", "-RelayImage")
# The only manifest of an image for one platform that SageMaker accepts.
ACCEPTED = "application/vnd.docker.distribution.manifest.v2+json"
POLL_SECONDS = 10.0

Client = Callable[[str], Any]
Report = Callable[[str], None]


class ImageError(Exception):
    """The image cannot be built, or SageMaker would refuse it. The message says why and what to do."""


def ensure_image(client: Client, outputs: Mapping[str, str], report: Report) -> None:
    """Build the image that the stack's outputs name, if it is not there, and check its manifest.

    Raises ImageError.
    """
    image = _Image(client, outputs)
    try:
        if image.media_type() is None:
            if "Project" in outputs:
                _build_in_codebuild(client("codebuild"), outputs["Project"], image, report)
            else:
                _build_with_docker(client("ecr"), build_command(outputs["Uri"], _options(outputs)), report)
        image.check()
    except (BotoCoreError, ClientError) as error:
        raise ImageError(f"{image.uri}: {error}") from error
    report(f"image: {image.uri}")


class _Image:
    def __init__(self, client: Client, outputs: Mapping[str, str]) -> None:
        self.uri = outputs["Uri"]
        self._ecr = client("ecr")
        self._repository, self._tag = outputs["Repository"], outputs["Tag"]

    def media_type(self) -> str | None:
        """Return the media type of the image's manifest; None if there is no image."""
        try:
            found = self._ecr.describe_images(
                repositoryName=self._repository, imageIds=[{"imageTag": self._tag}]
            )
        except self._ecr.exceptions.ImageNotFoundException:
            return None
        return str(found["imageDetails"][0].get("imageManifestMediaType"))

    def check(self) -> None:
        found = self.media_type()
        if found is None:
            raise ImageError(f"{self.uri}: the build succeeded, but pushed no image; read its log")
        if found != ACCEPTED:
            raise ImageError(
                f"{self.uri}: SageMaker accepts the manifest {ACCEPTED}; got {found}. Remove the image, then "
                f"run `make deploy`: aws ecr batch-delete-image --repository-name {self._repository} "
                f"--image-ids imageTag={self._tag}"
            )


def _build_in_codebuild(codebuild: Any, project: str, image: _Image, report: Report) -> None:
    running = _running(codebuild, project)
    if running is not None:  # of an interrupted `make deploy`
        report(f"waiting for the build {running}")
        _wait(codebuild, running)
        if image.media_type() is not None:
            return
    try:
        build = codebuild.start_build(projectName=project)["build"]["id"]
    except codebuild.exceptions.AccountLimitExceededException as error:
        raise ImageError(
            f"CodeBuild: {error.response['Error']['Message']}. Ask for a higher quota of concurrently "
            'running builds for Linux/Medium, or set image_builder to "docker" in cdk.json'
        ) from error
    report(f"building the engines' image in CodeBuild (about 15 minutes): {build}")
    done = _wait(codebuild, build)
    if done["buildStatus"] != "SUCCEEDED":
        raise ImageError(_failure(done))


def _running(codebuild: Any, project: str) -> str | None:
    listed = codebuild.list_builds_for_project(projectName=project, sortOrder="DESCENDING")
    ids = listed.get("ids", [])[:1]
    builds = codebuild.batch_get_builds(ids=ids)["builds"] if ids else []
    return next((build["id"] for build in builds if build["buildStatus"] == "IN_PROGRESS"), None)


def _wait(codebuild: Any, build: str) -> dict[str, Any]:
    """Return the build once it is over, which CodeBuild's own time limit ensures."""
    while True:
        (found,) = codebuild.batch_get_builds(ids=[build])["builds"]
        if found["buildStatus"] != "IN_PROGRESS":
            return dict(found)
        time.sleep(POLL_SECONDS)


def _failure(build: Mapping[str, Any]) -> str:
    reasons = [
        f"{phase['phaseType']}: {context['message']}"
        for phase in build.get("phases", [])
        for context in phase.get("contexts", [])
        if context.get("message")
    ]
    why = "; ".join(reasons) or "CodeBuild gives no reason"
    log = build.get("logs", {}).get("deepLink", "the project's log group")
    return f"the build {build['id']} ended with {build['buildStatus']}: {why}. Its log: {log}"


def _options(outputs: Mapping[str, str]) -> list[str]:
    return shlex.split(outputs["Options"])


def _build_with_docker(ecr: Any, build: list[str], report: Report) -> None:
    access = ecr.get_authorization_token()["authorizationData"][0]
    user, _, password = base64.b64decode(access["authorizationToken"]).decode().partition(":")
    report("building the engines' image with Docker")
    log_in = ["docker", "login", "--username", user, "--password-stdin", access["proxyEndpoint"]]
    for command, given in ((log_in, password), (build, "")):
        try:
            done = subprocess.run(command, cwd=ROOT, input=given, text=True, check=False)  # noqa: S603 - our own
        except OSError as error:
            raise ImageError(f"docker: {error.strerror}; install Docker with Buildx") from error
        if done.returncode:
            raise ImageError(f"`{' '.join(command[:3])}` failed; its output is above")


def _deploy_stack(cdk: Sequence[str], stack: str) -> dict[str, str]:
    """Deploy the image's stack and return its outputs."""
    with tempfile.TemporaryDirectory() as folder:
        outputs = Path(folder) / "outputs.json"
        command = [*cdk, "deploy", stack, "--no-previous-parameters", "--outputs-file", str(outputs)]
        if subprocess.run(command, check=False).returncode:  # noqa: S603 - our own
            raise ImageError(f"{stack} was not deployed; CDK's output is above")
        found: dict[str, str] = json.loads(outputs.read_text())[stack]
    return found


def _stacks(assembly: Path) -> list[str]:
    """Return the names of the images' stacks; empty if no engine needs an image."""
    artifacts = json.loads((assembly / "manifest.json").read_bytes())["artifacts"]
    stacks = (name for name, one in artifacts.items() if one["type"] == "aws:cloudformation:stack")
    return [name for name in stacks if name.endswith(STACK_SUFFIXES)]


def main(cdk: Sequence[str], assembly: Path) -> None:
    """Build the images whose stacks the cloud assembly has. Raises ImageError."""
    for stack in _stacks(assembly):
        outputs = _deploy_stack(cdk, stack)
        client: Any = boto3.Session().client  # its type knows each service by name
        ensure_image(client, outputs, lambda line: print(line, flush=True))  # noqa: T201


if __name__ == "__main__":
    try:
        main(sys.argv[1:], ROOT / "cdk.out")
    except ImageError as error:
        sys.exit(f"error: {error}")
