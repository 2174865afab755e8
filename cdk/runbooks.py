"""Links from alarms to their runbooks in docs/runbooks/."""

from lambdas.domain import runbooks


def with_runbook(told: str, folder: str, page: str) -> str:
    """Return a description that ends with the link to its runbook. `folder` is the setting `runbooks`."""
    return f"{told} Runbook: {runbooks.link(folder, page)}"
