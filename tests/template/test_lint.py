"""cfn-lint and cdk-nag find nothing."""

import json
import subprocess
import sys
from pathlib import Path

from aws_cdk import Validations
from cdk_nag import AwsSolutionsChecks

from cdk.app import reelworks
from tests.template.conftest import STACKS, WITH_ENGINES

# W3005: CDK also adds an explicit dependency on a function's role, so that it waits for the role's policies.
IGNORED = "W3005"


def test_cfn_lint_passes(assembly: Path) -> None:
    templates = [str(assembly / f"Reelworks-{stack}.template.json") for stack in STACKS]
    cfn_lint = Path(sys.executable).parent / "cfn-lint"
    command = [str(cfn_lint), "--ignore-checks", IGNORED, "--", *templates]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_cdk_nag_passes_or_is_acknowledged(account: None, tmp_path: Path) -> None:
    app = reelworks(outdir=str(tmp_path), context=WITH_ENGINES)
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    app.synth()  # raises with the findings if one is not acknowledged
    (report,) = json.loads((tmp_path / "validation-report.json").read_text())["pluginReports"]
    assert report["conclusion"] == "success"
    answered = report["suppressedViolations"]
    assert answered, "the pack did not run"
    for finding in answered:
        assert len(finding["reason"]) > 30, finding["ruleName"]
