"""The CDK app. `cdk` runs it; so does `python app.py`, which writes cdk.out without the CLI."""

from cdk.app import reelworks

reelworks().synth()
