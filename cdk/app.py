"""The app: its stacks. The pipeline is the same on AWS and on a PC."""

import json
import os
from collections.abc import Mapping
from typing import Any

from aws_cdk import App, DefaultStackSynthesizer, Environment

from cdk.code import ROOT
from cdk.engines_stack import EnginesStack
from cdk.image_stack import ImageStack
from cdk.operations_stack import OperationsStack
from cdk.pipeline_stack import PipelineStack
from cdk.settings import DeploymentSettings


def reelworks(*, outdir: str | None = None, context: Mapping[str, Any] | None = None) -> App:
    """Return the app. The CLI's context overrides cdk.json's, and `context` overrides both.

    Raises SettingsError if a setting is unknown or invalid.
    """
    defaults = json.loads((ROOT / "cdk.json").read_text())["context"]
    # No analytics: with them, the CLI adds a resource, so the template would differ from one made without it.
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
        image = ImageStack(app, "Reelworks-Image", synthesizer=_synthesizer(), **common).image
        EnginesStack(
            app,
            "Reelworks-Engines",
            notices=pipeline.notices,
            image=image,
            synthesizer=_synthesizer(),
            **common,
        )
    OperationsStack(app, "Reelworks-Operations", pipeline=pipeline, synthesizer=_synthesizer(), **common)
    return app


def _synthesizer() -> DefaultStackSynthesizer:
    """Return a synthesizer without the rule that looks up the bootstrap version in SSM.

    The CLI checks that version anyway, and a local cloud is not bootstrapped.
    """
    return DefaultStackSynthesizer(generate_bootstrap_version_rule=False)
