"""Send what schemathesis makes of the API's document to the API, and check every answer against the document.

    python -m tests.api_fuzz [--examples 60]     on a cloud of its own, in a temporary home

It sends valid and invalid requests, each operation's examples, and sequences that use what earlier answers
gave; with a key, and then without one. An answer with a 5xx, an undocumented status, header or body, or a
request that gets past authentication is a failure. Nothing makes the films meanwhile.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.api import switch_off_dispatch
from benchmarks.pc import ROOT, Home

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
    "use_after_free",
    "ignored_auth",
)
WITHOUT_KEY = ("not_a_server_error", "status_code_conformance", "content_type_conformance", "refused")


@dataclass(frozen=True)
class Fuzzed:
    cases: int
    passed: bool
    output: str


def fuzz(origin: str, key: str | None, *, examples: int, phases: str, without: Sequence[str] = ()) -> Fuzzed:
    """Test the API at that origin, with `examples` cases at most of each kind and operation.

    `phases`: examples, coverage (every limit of every field), fuzzing, stateful (sequences). `without`: ids
    of operations to leave out.
    """
    checks = WITHOUT_KEY if key is None else CHECKS
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{origin}/openapi.json"]
    command += ["--url", f"{origin}/v1", "--phases", phases, "--max-examples", str(examples)]
    command += [
        "--checks",
        ",".join(checks),
        "--generation-deterministic",
        "--no-shrink",
        "--continue-on-failure",
    ]
    command += ["--max-redirects", "0", "--suppress-health-check", "all", "--warnings", "off", "--no-color"]
    command += ["--header", f"Authorization: Bearer {key or 'rk-nobody-has-this-key'}"]
    for operation in without:
        command += ["--exclude-operation-id", operation]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SCHEMATHESIS_HOOKS": "tests.api_fuzz_checks"}
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
    generated = re.search(r"([\d,]+) generated", done.stdout)
    cases = int(generated[1].replace(",", "")) if generated else 0
    return Fuzzed(cases, done.returncode == 0, done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--examples", type=int, default=60, help="cases of each kind and operation, at most")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        home = Home(Path(temporary))
        try:
            origin = home.reel("up")["base_url"].removesuffix("/v1")
            key = home.reel("keys", "create", "fuzz")["api_key"]
            os.environ["REELWORKS_HOME"] = temporary
            switch_off_dispatch()
            found = [
                fuzz(origin, one, examples=arguments.examples, phases="examples,coverage,fuzzing,stateful")
                for one in (key, None)
            ]
        finally:
            home.reel("down")
    for one in found:
        print(one.output)
    print("cases:", *(one.cases for one in found))
    raise SystemExit(0 if all(one.passed for one in found) else 1)


if __name__ == "__main__":
    main()
