"""The image stack, and the program that builds the image between two deployments."""

import base64
import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from cdk import build_image
from cdk.build_image import ACCEPTED, ImageError, ensure_image, main
from cdk.code import ROOT
from cdk.engine_image import build_command
from tests.template.reading import Template, listed, properties, statements

TAG = "0" * 64
URI = f"111122223333.dkr.ecr.eu-west-1.amazonaws.com/reelworks-engine:{TAG}"
OPTIONS = "--file containers/diffusion/Dockerfile"
OUTPUTS = {
    "Repository": "reelworks-engine",
    "Tag": TAG,
    "Uri": URI,
    "Options": OPTIONS,
    "Project": "reelworks-engine-image",
}
OCI = "application/vnd.oci.image.manifest.v1+json"


# --- the stack


def test_the_build_pushes_a_manifest_of_docker_s_type(templates: dict[str, Template]) -> None:
    """SageMaker refuses OCI's manifests and indexes."""
    ((_, project),) = properties(templates["Image"], "AWS::CodeBuild::Project").items()
    spec = json.dumps(project["Source"]["BuildSpec"])
    assert "--output type=image,oci-mediatypes=false,push=true" in spec
    assert "--provenance=false --sbom=false" in spec
    assert "--platform linux/amd64" in spec
    assert project["Environment"]["PrivilegedMode"] is True


def test_the_engines_run_the_image_that_is_built(templates: dict[str, Template]) -> None:
    outputs = templates["Image"]["Outputs"]
    tag = outputs["Tag"]["Value"]
    assert len(tag) == 64
    for model in properties(templates["Engines"], "AWS::SageMaker::Model").values():
        assert json.dumps(model["PrimaryContainer"]["Image"]).endswith(f':{tag}"]]}}')
    spec = json.dumps(properties(templates["Image"], "AWS::CodeBuild::Project"))
    assert spec.count(tag) == 1


def test_the_source_is_what_the_dockerfile_copies(assembly: Path) -> None:
    assets = json.loads((assembly / "Reelworks-Image.assets.json").read_text())["files"].values()
    (source,) = (file["source"]["path"] for file in assets if file["source"]["packaging"] == "zip")
    files = {str(path.relative_to(assembly / source)) for path in (assembly / source).rglob("*.*")}
    assert {"containers/__init__.py", "containers/serving/app.py", "containers/diffusion/server.py"} <= files
    assert "containers/diffusion/Dockerfile.dockerignore" in files
    assert {Path(file).parts[0] for file in files} == {"containers"}
    assert not [file for file in files if "comfyui" in file or file.endswith(".pyc")]


def test_an_image_s_tag_never_moves_and_images_go_with_the_stack(templates: dict[str, Template]) -> None:
    ((_, repository),) = properties(templates["Image"], "AWS::ECR::Repository").items()
    assert repository["ImageTagMutability"] == "IMMUTABLE"
    assert repository["EmptyOnDelete"] is True
    assert repository["ImageScanningConfiguration"] == {"ScanOnPush": True}


def test_a_build_may_push_to_its_repository_alone(templates: dict[str, Template]) -> None:
    for _, statement in statements(templates["Image"], "AWS::IAM::Policy"):
        for action in listed(statement["Action"]):
            if action.startswith("ecr:") and action != "ecr:GetAuthorizationToken":
                assert "Fn::GetAtt" in statement["Resource"], action


# --- the build


@pytest.fixture
def stubs(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Stubber]]:
    monkeypatch.setattr(build_image, "POLL_SECONDS", 0)
    options = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
    stubs = {
        "ecr": Stubber(boto3.client("ecr", "eu-west-1", **options)),
        "codebuild": Stubber(boto3.client("codebuild", "eu-west-1", **options)),
    }
    for stub in stubs.values():
        stub.activate()
    yield stubs
    for stub in stubs.values():
        stub.assert_no_pending_responses()


def ensure(stubs: dict[str, Stubber], outputs: dict[str, str] = OUTPUTS) -> list[str]:
    said: list[str] = []
    ensure_image(lambda service: stubs[service].client, outputs, said.append)
    return said


def there(stubs: dict[str, Stubber], media_type: str = ACCEPTED) -> None:
    asked = {"repositoryName": "reelworks-engine", "imageIds": [{"imageTag": TAG}]}
    detail = {"imageDetails": [{"imageManifestMediaType": media_type}]}
    stubs["ecr"].add_response("describe_images", detail, asked)


def absent(stubs: dict[str, Stubber]) -> None:
    stubs["ecr"].add_client_error("describe_images", "ImageNotFoundException")


def idle(stubs: dict[str, Stubber]) -> None:
    stubs["codebuild"].add_response("list_builds_for_project", {})  # none: no list


def build(stubs: dict[str, Stubber], *states: str, id: str = "b:1", **more: Any) -> None:
    for state in states:
        found = {"builds": [{"id": id, "buildStatus": state, **more}]}
        stubs["codebuild"].add_response("batch_get_builds", found, {"ids": [id]})


def start(stubs: dict[str, Stubber], id: str = "b:1") -> None:
    asked = {"projectName": "reelworks-engine-image"}
    stubs["codebuild"].add_response("start_build", {"build": {"id": id}}, asked)


def test_an_image_that_is_there_is_not_built_again(stubs: dict[str, Stubber]) -> None:
    there(stubs)
    there(stubs)
    assert ensure(stubs) == [f"image: {URI}"]


def test_a_missing_image_is_built_and_checked(stubs: dict[str, Stubber]) -> None:
    absent(stubs)
    idle(stubs)
    start(stubs)
    build(stubs, "IN_PROGRESS", "IN_PROGRESS", "SUCCEEDED")
    there(stubs)
    assert ensure(stubs)[-1] == f"image: {URI}"


def test_a_failed_build_says_why(stubs: dict[str, Stubber]) -> None:
    absent(stubs)
    idle(stubs)
    start(stubs)
    contexts = [{"statusCode": "COMMAND_EXECUTION_ERROR", "message": "docker buildx build: exit status 1"}]
    phases = [{"phaseType": "INSTALL"}, {"phaseType": "BUILD", "contexts": contexts}]
    build(stubs, "FAILED", phases=phases, logs={"deepLink": "https://console/log"})
    with pytest.raises(
        ImageError, match=r"FAILED: BUILD: docker buildx build: exit status 1. Its log: https"
    ):
        ensure(stubs)


def test_the_build_of_an_interrupted_deployment_is_waited_for(stubs: dict[str, Stubber]) -> None:
    absent(stubs)
    stubs["codebuild"].add_response("list_builds_for_project", {"ids": ["b:0", "b:older"]})
    build(stubs, "IN_PROGRESS", "IN_PROGRESS", "SUCCEEDED", id="b:0")
    there(stubs)
    there(stubs)
    assert ensure(stubs) == ["waiting for the build b:0", f"image: {URI}"]


def test_a_build_of_other_sources_is_followed_by_ours(stubs: dict[str, Stubber]) -> None:
    absent(stubs)
    stubs["codebuild"].add_response("list_builds_for_project", {"ids": ["b:0"]})
    build(stubs, "IN_PROGRESS", "SUCCEEDED", id="b:0")
    absent(stubs)
    start(stubs)
    build(stubs, "SUCCEEDED")
    there(stubs)
    assert ensure(stubs)[-1] == f"image: {URI}"


def test_a_build_before_this_one_is_over(stubs: dict[str, Stubber]) -> None:
    absent(stubs)
    stubs["codebuild"].add_response("list_builds_for_project", {"ids": ["b:0"]})
    build(stubs, "FAILED", id="b:0")
    start(stubs)
    build(stubs, "SUCCEEDED")
    there(stubs)
    assert ensure(stubs)[-1] == f"image: {URI}"


def test_an_image_that_sagemaker_would_refuse(stubs: dict[str, Stubber]) -> None:
    there(stubs, OCI)
    there(stubs, OCI)
    with pytest.raises(ImageError) as raised:
        ensure(stubs)
    assert f"SageMaker accepts the manifest {ACCEPTED}; got {OCI}" in str(raised.value)
    assert f"batch-delete-image --repository-name reelworks-engine --image-ids imageTag={TAG}" in str(
        raised.value
    )


def test_a_build_that_pushed_nothing(stubs: dict[str, Stubber]) -> None:
    absent(stubs)
    idle(stubs)
    start(stubs)
    build(stubs, "SUCCEEDED")
    absent(stubs)
    with pytest.raises(ImageError, match="pushed no image"):
        ensure(stubs)


def test_a_new_account_without_builds(stubs: dict[str, Stubber]) -> None:
    absent(stubs)
    idle(stubs)
    stubs["codebuild"].add_client_error(
        "start_build", "AccountLimitExceededException", "Cannot have more than 0 builds in queue"
    )
    with pytest.raises(ImageError, match=r"more than 0 builds in queue.*Linux/Medium.*image_builder"):
        ensure(stubs)


def test_a_refused_call_is_an_error_of_the_image(stubs: dict[str, Stubber]) -> None:
    stubs["ecr"].add_client_error("describe_images", "AccessDeniedException", "not authorized")
    with pytest.raises(ImageError, match="not authorized"):
        ensure(stubs)


# --- with Docker, and as `make deploy` runs it


def program(folder: Path, name: str, lines: str) -> Path:
    """Write a program that notes how it was called, then runs `lines`."""
    path = folder / name
    path.write_text(f'#!/bin/sh\necho "{name} $*" >> {folder}/calls\n{lines}\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def grant_login(stubs: dict[str, Stubber]) -> None:
    token = base64.b64encode(b"AWS:s3cr3t").decode()
    access = {"authorizationToken": token, "proxyEndpoint": "https://111122223333.dkr.ecr.eu-west-1"}
    stubs["ecr"].add_response("get_authorization_token", {"authorizationData": [access]})


BY_DOCKER = {name: value for name, value in OUTPUTS.items() if name != "Project"}


def test_docker_builds_where_the_settings_say_so(
    stubs: dict[str, Stubber], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, "docker", f'test "$1" != login || cat > {tmp_path}/password')
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    absent(stubs)
    grant_login(stubs)
    there(stubs)
    ensure(stubs, BY_DOCKER)
    log_in, built = (tmp_path / "calls").read_text().splitlines()
    assert log_in == "docker login --username AWS --password-stdin https://111122223333.dkr.ecr.eu-west-1"
    assert built == " ".join(build_command(URI, OPTIONS.split()))
    assert (tmp_path / "password").read_text() == "s3cr3t"


def test_a_build_with_docker_that_fails(
    stubs: dict[str, Stubber], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, "docker", 'test "$1" = login')
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    absent(stubs)
    grant_login(stubs)
    with pytest.raises(ImageError, match="`docker buildx build` failed"):
        ensure(stubs, BY_DOCKER)


def test_no_docker(stubs: dict[str, Stubber], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    absent(stubs)
    grant_login(stubs)
    with pytest.raises(ImageError, match="install Docker"):
        ensure(stubs, BY_DOCKER)


def test_the_image_s_stack_is_deployed_first(
    assembly: Path, stubs: dict[str, Stubber], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The build reads what CDK wrote to the file of outputs, whose name is CDK's last argument."""
    outputs = json.dumps({"Reelworks-Image": OUTPUTS})
    cdk = program(tmp_path, "cdk", f"for last; do :; done\necho '{outputs}' > $last")
    monkeypatch.setattr(boto3.Session, "client", lambda _, service: stubs[service].client)
    there(stubs)
    there(stubs)
    main([str(cdk), "--app", "cdk.out"], assembly)
    (call,) = (tmp_path / "calls").read_text().splitlines()
    assert call.startswith(
        "cdk --app cdk.out deploy Reelworks-Image --no-previous-parameters --outputs-file "
    )


def test_a_stack_that_is_not_deployed(assembly: Path, tmp_path: Path) -> None:
    cdk = program(tmp_path, "cdk", "exit 1")
    with pytest.raises(ImageError, match="Reelworks-Image was not deployed"):
        main([str(cdk)], assembly)


def test_without_engines_on_endpoints_there_is_nothing_to_build(tmp_path: Path) -> None:
    artifacts = {"Reelworks-Pipeline": {"type": "aws:cloudformation:stack"}}
    (tmp_path / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))
    cdk = program(tmp_path, "cdk", "exit 1")
    main([str(cdk)], tmp_path)
    assert not (tmp_path / "calls").exists()


def test_make_deploy_checks_then_builds_then_deploys() -> None:
    recipe = (ROOT / "Makefile").read_text().partition("\ndeploy:")[2].partition("\n\n")[0]
    steps = ("reel preflight", "synth", "cdk.build_image", "deploy --app cdk.out --all")
    assert sorted(steps, key=recipe.index) == list(steps)
