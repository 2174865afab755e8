"""The app: three stacks, of which the first is the same on AWS and on a PC."""

import json
import os
from pathlib import Path

from aws_cdk import App, DefaultStackSynthesizer, Environment

from cdk.pipeline_stack import PipelineStack
from cdk.settings import DeploymentSettings

ROOT = Path(__file__).parent.parent


def reelworks(*, outdir: str | None = None, **context: object) -> App:
    """The app with the context of cdk.json, under what the CLI and the caller give.

    Raises SettingsError for a deployment setting that is unknown or wrong.
    """
    defaults = json.loads((ROOT / "cdk.json").read_text())["context"]
    app = App(
        outdir=outdir,
        # The same template from the CLI and without it: no metadata resource that only one adds.
        analytics_reporting=False,
        context=defaults,
        post_cli_context=context,
    )
    settings = DeploymentSettings.of_context(defaults["reelworks"], app.node.get_context("reelworks"))
    environment = Environment(
        account=os.environ.get("CDK_DEFAULT_ACCOUNT"), region=os.environ.get("CDK_DEFAULT_REGION")
    )
    PipelineStack(app, "Reelworks-Pipeline", settings=settings, env=environment, synthesizer=_synthesizer())
    return app


def _synthesizer() -> DefaultStackSynthesizer:
    """Without the rule that looks up the bootstrap version in SSM: the CLI checks it anyway, and a
    local cloud is not bootstrapped."""
    return DefaultStackSynthesizer(generate_bootstrap_version_rule=False)
