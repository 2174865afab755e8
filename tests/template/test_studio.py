"""The studio in the templates: its routes, how users sign in, and what its pages may reach."""

import json
from pathlib import Path
from typing import Any

from cdk.app import reelworks
from tests.template.conftest import SOURCE_ONLY
from tests.template.reading import Template, of_type, properties, target

ON_AWS = "StudioSignsInByCognito"
LOGIN = ("AWS::Cognito::UserPoolDomain", "AWS::Cognito::ManagedLoginBranding")


def _clients(pipeline: Template) -> dict[bool, dict[str, Any]]:
    """Return the user pool's clients, by whether they sign in at the login page."""
    clients = properties(pipeline, "AWS::Cognito::UserPoolClient").values()
    return {"CallbackURLs" in client: client for client in clients}


def test_its_files_are_shown_without_an_authorizer(pipeline: Template) -> None:
    resources = properties(pipeline, "AWS::ApiGateway::Resource")
    (studio,) = [id_ for id_, one in resources.items() if one["PathPart"] == "studio"]
    (below,) = [id_ for id_, one in resources.items() if one["ParentId"] == {"Ref": studio}]
    assert resources[below]["PathPart"] == "{proxy+}"
    shown = {
        (target(method["ResourceId"]), method["HttpMethod"]): method["AuthorizationType"]
        for method in properties(pipeline, "AWS::ApiGateway::Method").values()
        if target(method["ResourceId"]) in (studio, below)
    }
    assert shown == {(id_, method): "NONE" for id_ in (studio, below) for method in ("GET", "HEAD")}


def test_long_answers_are_compressed(pipeline: Template) -> None:
    ((_, api),) = properties(pipeline, "AWS::ApiGateway::RestApi").items()
    assert api["MinimumCompressionSize"] == 1024


def test_users_sign_in_at_the_login_page_by_code_and_without_a_secret(pipeline: Template) -> None:
    client = _clients(pipeline)[True]
    assert client["AllowedOAuthFlows"] == ["code"]
    assert client["AllowedOAuthScopes"] == ["openid"]
    assert client["GenerateSecret"] is False
    assert client["SupportedIdentityProviders"] == ["COGNITO"]
    (back,) = client["CallbackURLs"]
    assert client["LogoutURLs"] == [back]
    assert json.dumps(back).endswith('"/api/studio/"]]}')
    assert client["RefreshTokenRotation"]["Feature"] == "ENABLED"
    assert "ALLOW_REFRESH_TOKEN_AUTH" not in client["ExplicitAuthFlows"], "Cognito refuses it with rotation"


def test_no_user_chooses_a_tenant(pipeline: Template) -> None:
    for client in _clients(pipeline).values():
        assert "custom:tenant" not in client["WriteAttributes"]
    assert "custom:tenant" in _clients(pipeline)[True]["ReadAttributes"]


def test_other_programs_sign_in_as_before(pipeline: Template) -> None:
    client = _clients(pipeline)[False]
    assert client.get("AllowedOAuthFlowsUserPoolClient") is False


def test_the_login_is_only_on_aws(pipeline: Template) -> None:
    assert pipeline["Conditions"][ON_AWS] == {"Fn::Equals": [{"Ref": "StudioSignIn"}, "cognito"]}
    conditional = {
        resource["Type"] for resource in pipeline["Resources"].values() if resource.get("Condition") == ON_AWS
    }
    assert conditional == {*LOGIN, "AWS::Cognito::UserPoolClient"}
    (domain,) = properties(pipeline, LOGIN[0]).values()
    assert domain["ManagedLoginVersion"] == 2


def test_the_authorizer_accepts_the_tokens_of_both_clients(pipeline: Template) -> None:
    (variables,) = [
        one["Environment"]["Variables"]
        for one in properties(pipeline, "AWS::Lambda::Function").values()
        if one["Handler"] == "lambdas.api.authorizer.handler"
    ]
    condition, both, one = variables["REELWORKS_USER_POOL_CLIENT_IDS"]["Fn::If"]
    ids = of_type(pipeline, "AWS::Cognito::UserPoolClient")
    assert condition == ON_AWS
    assert {part["Ref"] for part in both["Fn::Join"][1] if part != ","} == set(ids)
    assert "Condition" not in ids[one["Ref"]]


def test_pages_of_the_api_s_origin_read_films_and_send_files(
    pipeline: Template, hardened: dict[str, Template]
) -> None:
    def rules(template: Template) -> dict[str, Any]:
        return {
            bucket["BucketName"].split("-")[1]: bucket.get("CorsConfiguration", {}).get("CorsRules")
            for bucket in properties(template, "AWS::S3::Bucket").values()
        }

    for template in (pipeline, hardened["Pipeline"]):
        found = rules(template)
        assert found["logs"] is None
        assert [rule["AllowedMethods"] for rule in found["output"]] == [["GET", "HEAD"]]
        assert [rule["AllowedMethods"] for rule in found["input"]] == [["POST"]]
    (of_domain,) = rules(hardened["Pipeline"])["input"]
    assert of_domain["AllowedOrigins"] == ["https://video.example.com"]
    (of_api,) = rules(pipeline)["input"]
    (origin,) = of_api["AllowedOrigins"]
    assert "*" not in json.dumps(origin)
    assert ".execute-api." in json.dumps(origin)


def test_with_a_domain_it_is_there(hardened: dict[str, Template]) -> None:
    page = "https://video.example.com/studio/"
    assert hardened["Pipeline"]["Outputs"]["StudioUrl"]["Value"] == page
    assert _clients(hardened["Pipeline"])[True]["CallbackURLs"] == [page]


def test_switched_off_nothing_of_it_remains(account: None, tmp_path: Path) -> None:
    app = reelworks(outdir=str(tmp_path), context={**SOURCE_ONLY, "reelworks": {"studio": False}})
    app.synth()
    for path in tmp_path.glob("*.template.json"):
        assert "studio" not in path.read_text().lower(), path.name
    pipeline = json.loads((tmp_path / "Reelworks-Pipeline.template.json").read_text())
    types = {resource["Type"] for resource in pipeline["Resources"].values()}
    assert not types & set(LOGIN)
    assert len(properties(pipeline, "AWS::Cognito::UserPoolClient")) == 1
    assert not any(
        "CorsConfiguration" in bucket for bucket in properties(pipeline, "AWS::S3::Bucket").values()
    )
