"""Print what so many films a day need, or count the calls of real films.

python -m benchmarks.scale [--films 100 10000 1000000] [--peak 3] [--json]
python -m benchmarks.scale --count [--save] [--json]    # 15 minutes; fails if the model is wrong
python -m benchmarks.scale --write                      # the tables of docs/scale.md
"""

import argparse
import json
import math
import sys
from dataclasses import asdict
from typing import Any

from benchmarks.scale import count, page, tables
from benchmarks.scale.reckoning import PEAK, idle_cost
from benchmarks.scale.tables import DAYS, Reckoned
from cdk.settings import DeploymentSettings


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__.splitlines()[0])
    parser.add_argument("--films", type=_positive, nargs="+", default=DAYS, help="films a day")
    parser.add_argument("--peak", type=_peak, default=PEAK, help="how much busier the busiest hour is")
    parser.add_argument("--json", action="store_true", help="print one object")
    parser.add_argument("--count", action="store_true", help="count the calls of real films on a local cloud")
    parser.add_argument("--save", action="store_true", help="with --count: keep the count, for the tests")
    parser.add_argument("--write", action="store_true", help="write the tables of docs/scale.md")
    options = parser.parse_args()
    if options.save and not options.count:
        parser.error("--save requires --count")
    if options.count:
        _count(options)
    settings = DeploymentSettings.of_checkout({})
    if options.write:
        page.write(tables.blocks(settings, PEAK, count.saved()))
    elif not options.count:
        _print(settings, sorted(set(options.films)), options.peak, as_json=options.json)


def _count(options: argparse.Namespace) -> None:
    for counted in count.count():
        print(f"counted: {counted.films[-1].film.name}", file=sys.stderr)
        if options.save:  # also of what is counted before an interruption
            count.save(counted)
    off = [one for one in count.differences(counted) if not one.tolerated]
    if options.json:
        print(json.dumps({"counted": asdict(counted), "off": [asdict(one) for one in off]}))
    else:
        print(tables.differences_table(counted))
    if off:
        raise SystemExit(f"{len(off)} of the counts differ from the model.")


def _print(settings: DeploymentSettings, films: list[float], peak: float, *, as_json: bool) -> None:
    kinds = tables.kinds(settings, films, peak)
    if as_json:
        print(
            json.dumps({"kinds": [_document(one) for one in kinds], "idle_usd_a_month": idle_cost(settings)})
        )
        return
    for one in kinds:
        print(f"\n{tables.heading(one)}\n")
        print(tables.summary(one))
        for text in (tables.first_table(one), tables.asked_table(one), tables.size_table(one)):
            print(f"\n{text}")
    print(f"\n# What it costs\n\n{tables.cost_table(kinds)}\n\n{tables.idle_table(settings)}")


def _document(reckoned: Reckoned) -> dict[str, Any]:
    return {
        "film": asdict(reckoned.film),
        "loads": [
            {
                "films_a_day": load.films_per_day,
                "instances": load.instances,
                "average_instances": load.average_instances,
                "film_seconds": load.film_seconds,
                "open_films": load.open_films,
                "cells": load.cells,
                "usd_a_film": load.cell.cost(),
                "calls_a_film": dict(load.calls),
                "limits": [
                    {
                        "name": limit.name,
                        "ours": limit.ours,
                        "most": limit.most,
                        "used": limit.used(load),
                        "unit": limit.unit,
                        "breaks_at_films_a_day": _finite(load.breaks_at(limit)),
                        "source": limit.source,
                    }
                    for limit in load.limits
                ],
            }
            for load in reckoned.loads
        ],
    }


def _finite(value: float) -> float | None:
    return None if math.isinf(value) else value


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value <= 1e8:
        raise argparse.ArgumentTypeError(f"must be over 0, at most 100,000,000; got {text}")
    return value


def _peak(text: str) -> float:
    value = float(text)
    if not 1 <= value <= 24:
        raise argparse.ArgumentTypeError(f"must be from 1 to 24; got {text}")
    return value


if __name__ == "__main__":
    main()
