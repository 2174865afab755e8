"""Hundreds of damaged files each end in a result or a named error. A crash or a hang would end the program
that reads them, so a separate program reads them, not pytest."""

import re
import subprocess
import sys
from pathlib import Path

from tests.media.fuzz import FILES

ROOT = Path(__file__).parents[2]
# Takes 9 s on two cores.
PATIENCE = 300


def test_damaged_files_neither_crash_nor_hang_nor_fill_the_memory() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "tests.media.fuzz"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    *files, summary = run.stdout.splitlines() or [""]
    assert run.returncode == 0, f"{summary}\n{files[-1:]}\n{run.stderr[-3000:]}"
    assert len(files) == FILES >= 500
    # If every reader rejected nearly all files, or one reader hardly any, the damage would test little.
    found = re.fullmatch(r"refused by some: (\d+), by all: (\d+), failed: 0, resident: \d+ KiB", summary)
    assert found, summary
    by_some, by_all = map(int, found.groups())
    assert by_some > FILES / 2
    assert by_all < FILES * 3 / 4
