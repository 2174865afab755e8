"""The app: its stacks. The pipeline is the same on AWS and on a PC."""

import os
from collections.abc import Mapping
from typing import Any

from aws_cdk import App, DefaultStackSynthesizer, Environment, Stack, Tags
from aws_cdk import aws_iam as iam

from cdk.encryption import encrypt
from cdk.engines_stack import EnginesStack
from cdk.findings import acknowledge_findings
from cdk.image_stack import ImageStack
from cdk.network import place
from cdk.operations_stack import OperationsStack
from cdk.pipeline_stack import PipelineStack
from cdk.protection import protect
from cdk.settings import DeploymentSettings, cdk_json


def reelworks(*, outdir: str | None = None, context: Mapping[str, Any] | None = None) -> App:
    """Return the app. The CLI's context overrides cdk.json's, and `context` overrides both.

    Raises SettingsError if a setting is unknown or invalid.
    """
    defaults = cdk_json()
    # No analytics: with them, the CLI adds a resource, so the template would differ from one made without it.
    app = App(outdir=outdir, context=defaults, post_cli_context=context, analytics_reporting=False)
    settings = DeploymentSettings.of_context(defaults["reelworks"], app.node.get_context("reelworks"))
    common: dict[str, Any] = {
        "settings": settings,
        "env": Environment(
            account=os.environ.get("CDK_DEFAULT_ACCOUNT"), region=os.environ.get("CDK_DEFAULT_REGION")
        ),
    }
    pipeline = PipelineStack(app, settings.stack_name("Pipeline"), synthesizer=_synthesizer(), **common)
    operations = OperationsStack(
        app, settings.stack_name("Operations"), pipeline=pipeline, synthesizer=_synthesizer(), **common
    )
    if settings.endpoint_engines:
        kinds = dict.fromkeys(map(settings.image_stack_of, settings.endpoint_engines))
        images = {kind: ImageStack(app, kind, synthesizer=_synthesizer(), **common).image for kind in kinds}
        engines = EnginesStack(
            app,
            settings.stack_name("Engines"),
            notices=pipeline.notices,
            images=images,
            synthesizer=_synthesizer(),
            **common,
        )
        # Alarms first, for an endpoint that fails while it is created. They name it, without a reference.
        engines.add_stack_dependency(operations)
    for stack in app.node.children:
        if isinstance(stack, Stack):
            _apply(settings, stack)
    acknowledge_findings(app, settings)
    return app


def _apply(settings: DeploymentSettings, stack: Stack) -> None:
    """Apply what the account requires of every resource."""
    if settings.kms_key:
        encrypt(stack, settings.kms_key)
    if settings.vpc is not None:
        place(stack, settings.vpc)
    if settings.deletion_protection:
        protect(stack)
    if settings.permissions_boundary:
        boundary = iam.ManagedPolicy.from_managed_policy_arn(
            stack, "PermissionsBoundary", settings.permissions_boundary
        )
        iam.PermissionsBoundary.of(stack).apply(boundary)
    for key, value in settings.tags.items():
        Tags.of(stack).add(key, value)


def _synthesizer() -> DefaultStackSynthesizer:
    """Return a synthesizer without the rule that looks up the bootstrap version in SSM.

    The CLI checks that version anyway, and a local cloud is not bootstrapped.
    """
    return DefaultStackSynthesizer(generate_bootstrap_version_rule=False)
