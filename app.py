"""The CDK app. Run it with `cdk`, or with `python app.py` to write cdk.out without the CLI."""

import sys

from cdk.app import reelworks
from cdk.settings import SettingsError

try:
    reelworks().synth()
except SettingsError as error:
    sys.exit(str(error))
