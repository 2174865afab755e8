"""cfn-lint and cdk-nag find nothing, whatever the settings."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.template.conftest import PACKS, SETTINGS, assembled

# W3005: CDK also adds an explicit dependency on a function's role, so that it waits for the role's policies.
IGNORED = "W3005"


@pytest.mark.parametrize("settings", SETTINGS)
def test_cfn_lint_passes(account: None, settings: str) -> None:
    templates = sorted(map(str, assembled(settings).glob("*.template.json")))
    assert len(templates) >= 2
    cfn_lint = Path(sys.executable).parent / "cfn-lint"
    command = [str(cfn_lint), "--ignore-checks", IGNORED, "--", *templates]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("settings", SETTINGS)
def test_cdk_nag_passes_or_is_acknowledged(account: None, settings: str) -> None:
    reports = json.loads((assembled(settings) / "validation-report.json").read_text())["pluginReports"]
    assert {report["pluginName"] for report in reports} >= set(PACKS)
    for report in reports:
        assert report["conclusion"] == "success"
        answered = report.get("suppressedViolations", [])
        assert answered or report["pluginName"] not in PACKS, "the pack did not run"
        for finding in answered:
            assert len(finding["reason"]) > 30, finding["ruleName"]


def test_settings_answer_findings_instead_of_acknowledging_them(account: None) -> None:
    by_setting = {"APIGWExecutionLoggingEnabled", "CloudWatchLogGroupEncrypted", "LambdaInsideVPC"}
    assert by_setting <= _acknowledged("default")
    assert not by_setting & _acknowledged("hardened")


def _acknowledged(settings: str) -> set[str]:
    reports = json.loads((assembled(settings) / "validation-report.json").read_text())["pluginReports"]
    return {
        finding["ruleName"].rpartition("-")[2]
        for report in reports
        for finding in report.get("suppressedViolations", [])
    }
