"""The app: three stacks, of which the first is the same on AWS and on a PC."""

import json
import os
from collections.abc import Mapping
from typing import Any

from aws_cdk import App, DefaultStackSynthesizer, Environment

from cdk.code import ROOT
from cdk.engines_stack import EnginesStack
from cdk.operations_stack import OperationsStack
from cdk.pipeline_stack import PipelineStack
from cdk.settings import DeploymentSettings


def reelworks(*, outdir: str | None = None, context: Mapping[str, Any] | None = None) -> App:
    """The app by the context of cdk.json, by what the CLI gives over it, and by `context` over both.

    Raises SettingsError for a setting that is unknown or wrong.
    """
    defaults = json.loads((ROOT / "cdk.json").read_text())["context"]
    # No analytics: the CLI would add a resource, and the template be another one than without it.
    app = App(outdir=outdir, context=defaults, post_cli_context=context, analytics_reporting=False)
    settings = DeploymentSettings.of_context(defaults["reelworks"], app.node.get_context("reelworks"))
    common: dict[str, Any] = {
        "settings": settings,
        "env": Environment(
            account=os.environ.get("CDK_DEFAULT_ACCOUNT"), region=os.environ.get("CDK_DEFAULT_REGION")
        ),
    }
    pipeline = PipelineStack(app, "Reelworks-Pipeline", synthesizer=_synthesizer(), **common)
    if settings.endpoint_engines:
        EnginesStack(app, "Reelworks-Engines", notices=pipeline.notices, synthesizer=_synthesizer(), **common)
    OperationsStack(app, "Reelworks-Operations", pipeline=pipeline, synthesizer=_synthesizer(), **common)
    return app


def _synthesizer() -> DefaultStackSynthesizer:
    """Without the rule that looks up the bootstrap version in SSM: the CLI checks it anyway, and a
    local cloud is not bootstrapped."""
    return DefaultStackSynthesizer(generate_bootstrap_version_rule=False)
