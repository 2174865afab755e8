"""The CDK app. Run it with `cdk`, or with `python app.py` to write cdk.out without the CLI."""

from cdk.app import reelworks

reelworks().synth()
