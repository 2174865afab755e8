"""Make films of every kind for three tenants while everything fails, then check that nothing was lost.

    python -m tests.chaos --minutes 15 --seed 7 --faults kills,aws,backends

The same seed plans the same films and faults. What happens is written as lines of JSON to the folder that the
first line names, which is kept if the run fails.
"""

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.chaos.faults import KINDS, Injector
from tests.chaos.films import Films
from tests.chaos.invariants import check
from tests.chaos.site import Site

AT_ONCE = 6  # films under way
SETTLE_SECONDS = 300  # after the last fault, each film must have ended


def main() -> int:
    asked = argparse.ArgumentParser(prog="make chaos", description=__doc__.partition("\n")[0])
    asked.add_argument("--minutes", type=float, default=15)
    asked.add_argument("--seed", type=int, default=None)
    asked.add_argument("--faults", default=",".join(KINDS), help=f"some of {', '.join(KINDS)}")
    asked.add_argument("--keep", action="store_true", help="keep the folder")
    options = asked.parse_args()
    kinds = options.faults.split(",")
    if unknown := set(kinds) - set(KINDS):
        asked.error(f"unknown faults: {', '.join(sorted(unknown))}; there are {', '.join(KINDS)}")
    seed = random.SystemRandom().randrange(10_000) if options.seed is None else options.seed
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    print(f"seed {seed}, folder {folder}", flush=True)
    with Site(folder, seed) as site:
        found = _run(site, seed, options.minutes * 60, kinds)
    found["problems"] += site.left_processes()
    print(json.dumps(found, indent=1), flush=True)
    if found["problems"]:
        print(f"FAILED. Again with the same plan: make chaos SEED={seed} MINUTES={options.minutes:g}")
        return 1
    if not options.keep:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def _run(site: Site, seed: int, seconds: float, kinds: list[str]) -> dict[str, Any]:
    films = Films(site, random.Random(seed))
    faults = Injector(site, random.Random(seed + 1), kinds)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        faults.step()
        films.step(AT_ONCE)
        time.sleep(0.5)
    faults.end()
    last = time.monotonic()
    while films.open and time.monotonic() < last + SETTLE_SECONDS:
        films.step(0)
        time.sleep(1)
    settled = time.monotonic() - last
    checked = check(site, films)
    checked["problems"] += faults.problems
    return {
        "seed": seed,
        "seconds": round(seconds),
        "settled_seconds": round(settled),
        "films": films.report(),
        "faults": faults.report(),
        **checked,
    }


if __name__ == "__main__":
    sys.exit(main())
