"""A check that schemathesis loads (SCHEMATHESIS_HOOKS): who sends no valid key gets nothing."""

from typing import Any

import schemathesis


@schemathesis.check
def refused(context: Any, response: Any, case: Any) -> None:
    if response.status_code < 400:
        raise AssertionError(f"answered {response.status_code} without a key")
