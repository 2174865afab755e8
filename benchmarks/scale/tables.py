"""The tables of the reckoning, in Markdown: printed, and in docs/scale.md."""

import math
from collections.abc import Iterable, Mapping, Sequence

from benchmarks.scale.calls import UPKEEP_RUN
from benchmarks.scale.count import Count, Difference, differences
from benchmarks.scale.film import DRAFT, RENDERED, Film
from benchmarks.scale.limits import Limit
from benchmarks.scale.reckoning import Load, clips_that_fit, idle_cost
from benchmarks.scale.state_machine import MOST_EVENTS
from cdk.settings import DeploymentSettings

DAYS = (100, 10_000, 1_000_000)
_FIRST = 2  # limits that the answer in short names
_SHOWN = 0.005  # a limit that is used less than this, at the largest load, is not in the tables


class Reckoned:
    """A kind of film at several loads."""

    def __init__(self, film: Film, settings: DeploymentSettings, days: Sequence[float], peak: float) -> None:
        self.film = film
        self.loads = [Load(film, each, settings, peak) for each in days]

    @property
    def largest(self) -> Load:
        return max(self.loads, key=lambda load: load.films_per_day)

    def limits(self) -> list[Limit]:
        """Return the limits that matter, the first to break before the others."""
        load = self.largest
        found = [limit for limit in load.limits if limit.use(load) >= _SHOWN]
        return sorted(found, key=lambda limit: (load.breaks_at(limit), -limit.use(load)))


def first_table(reckoned: Reckoned) -> str:
    """What breaks, first things first."""
    head = [
        "what breaks",
        "whose",
        "at films a day",
        *(f"at {number(load.films_per_day)}" for load in reckoned.loads),
    ]
    load = reckoned.largest
    rows = [
        [
            limit.name,
            "ours" if limit.ours else "AWS",
            _films(load.breaks_at(limit)),
            *(percent(limit.use(each)) for each in reckoned.loads),
        ]
        for limit in reckoned.limits()
    ]
    return table(head, rows)


def asked_table(reckoned: Reckoned) -> str:
    """The quotas to ask for, in the account of each cell."""
    cells = [load.cell for load in reckoned.loads]
    head = ["quota", "code", "default", *map(_of_cells, reckoned.loads), "note"]
    rows = []
    for limit in reckoned.limits():
        asked = [_ask(limit, cell) for cell in cells]
        if not limit.ours and any(asked):
            code = f"`{limit.service} {limit.code}`" if limit.code else f"`{limit.service}`"
            default = f"[{number(limit.most)} {limit.unit}]({limit.source})"
            wanted = (number(each) if each else "enough" for each in asked)
            rows.append([limit.name, code, default, *wanted, limit.remedy])
    return table(head, rows) if rows else "The default quotas are enough."


def _of_cells(load: Load) -> str:
    where = f", each of {number(load.cells)} cells" if load.cells > 1 else ""
    return f"for {number(load.films_per_day)}{where}"


def ours_table(reckoned: Reckoned) -> str:
    """The limits of our own design, and what to do about each."""
    rows = [
        [limit.name, f"{number(limit.most)} {limit.unit}", f"`{limit.source}`", limit.remedy]
        for limit in reckoned.limits()
        if limit.ours
    ]
    return table(["limit", "value", "set in", "what to do"], rows)


def size_table(reckoned: Reckoned) -> str:
    """What runs at each load."""
    rows = [
        ["films a second at the peak", *(_figure(load.films_per_second) for load in reckoned.loads)],
        ["minutes a film takes", *(_figure(load.film_seconds / 60) for load in reckoned.loads)],
        ["films being made at the peak", *(number(load.open_films) for load in reckoned.loads)],
        ["requests a second at the peak", *(_figure(load.requests_per_second) for load in reckoned.loads)],
        ["functions at once at the peak", *(_figure(load.functions_at_once) for load in reckoned.loads)],
    ]
    if reckoned.film.rendered:
        rows += [
            [
                "instances, films wait at the peak",
                *(number(load.average_instances) for load in reckoned.loads),
            ],
            ["instances, no film waits", *(number(load.instances) for load in reckoned.loads)],
        ]
    rows.append(["cells (accounts), all else raised", *(number(load.cells) for load in reckoned.loads)])
    return table(["", *(f"{number(load.films_per_day)} a day" for load in reckoned.loads)], rows)


def cost_table(kinds: Iterable[Reckoned]) -> str:
    """The cost of a film by part, in USD."""
    by_kind = {one.film.name: one.loads[0].cell.cost() for one in kinds}
    parts = next(iter(by_kind.values()))
    rows = [[part, *(f"{cost[part]:.4f}" for cost in by_kind.values())] for part in parts]
    rows.append(["**a film**", *(f"**{sum(cost.values()):.2f}**" for cost in by_kind.values())])
    return table(["USD", *by_kind], rows)


def idle_table(settings: DeploymentSettings) -> str:
    cost = idle_cost(settings)
    rows = [[part, f"{usd:.2f}"] for part, usd in cost.items()]
    return table(["USD a month", "idle"], [*rows, ["**in all**", f"**{sum(cost.values()):.2f}**"]])


def calls_table(kinds: Sequence[Reckoned]) -> str:
    """The calls of a film."""
    calls = [one.loads[0].calls for one in kinds]
    names = sorted({name for each in calls for name in each})
    rows = [[f"`{name}`", *(_figure(each.get(name, 0)) for each in calls)] for name in names]
    load = [one.loads[0] for one in kinds]
    rows += [
        ["requests to the API", *(_figure(1 + each.reads) for each in load)],
        ["state transitions", *(_figure(each.transitions) for each in load)],
        [f"events of the execution, of {MOST_EVENTS:,}", *(_figure(each.events) for each in load)],
        ["DynamoDB's write units", *(_figure(each.cell.write_units) for each in load)],
        ["clips until the execution is full", *(number(clips_that_fit(each.film)) for each in load)],
    ]
    return table(["of a film", *(one.film.name for one in kinds)], rows)


def upkeep_table(reckoned: Reckoned) -> str:
    """What Upkeep calls each minute at the peak."""
    calls = [load.upkeep_calls() for load in reckoned.loads]
    names = sorted({name for each in calls for name in each})
    rows = [
        [f"`{name}`", _figure(UPKEEP_RUN.get(name, 0)), *(_figure(each.get(name, 0)) for each in calls)]
        for name in names
    ]
    return table(["a minute", "idle", *(number(load.films_per_day) for load in reckoned.loads)], rows)


def counted_table(counted: Count) -> str:
    """The model beside the count: for each film all its calls, and where they differ most."""
    rows = []
    found: dict[str, list[Difference]] = {}
    for one in differences(counted):
        found.setdefault(one.film, []).append(one)
    for film, each in found.items():
        worst = max(each, key=lambda one: abs(one.counted - one.model))
        off = abs(worst.counted - worst.model)
        most = f"`{worst.what}`: {number(worst.counted)}, model {_figure(worst.model)}" if off else "none"
        counts, model = sum(one.counted for one in each), sum(one.model for one in each)
        outside = sum(not one.tolerated for one in each)
        rows.append([film, number(counts), number(model), most, number(outside)])
    return table(["film", "counted", "model", "the largest difference", "outside the tolerance"], rows)


def differences_table(counted: Count) -> str:
    """Everything that was counted, with its difference."""
    rows = [
        [
            one.film,
            f"`{one.what}`",
            number(one.counted),
            _figure(one.model),
            "" if one.tolerated else "**off**",
        ]
        for one in differences(counted)
    ]
    return table(["film", "what", "counted", "model", "tolerated"], rows)


def summary(reckoned: Reckoned) -> str:
    """A line for each load: what breaks, first things first."""
    lines = []
    for load in reckoned.loads:
        broken = [limit for limit in reckoned.limits() if limit.use(load) > 1]
        names = "; ".join(f"{limit.name} ({'ours' if limit.ours else 'AWS'})" for limit in broken)
        lines.append(f"- {number(load.films_per_day)} films a day: {names or 'nothing breaks'}.")
    return "\n".join(lines)


def example(settings: DeploymentSettings, peak: float) -> str:
    """The beginning of what the command prints."""
    days = (500, 20_000)
    rendered = Reckoned(RENDERED, settings, days, peak)
    asked = " ".join(map(str, days))
    lines = [f"$ python -m benchmarks.scale --films {asked}", heading(rendered), "", summary(rendered), "…"]
    return "\n".join(["```console", *lines, "```"])


def heading(reckoned: Reckoned) -> str:
    film = reckoned.film
    return f"# {film.name}: {film.clips} clips, {film.scenes} narrated scenes, {film.stills} stills"


def short_table(kinds: Sequence[Reckoned]) -> str:
    """The answer in short: accounts and instances, and the first things to break."""
    rows = []
    for index, load in enumerate(kinds[0].loads):
        rows.append([number(load.films_per_day), *(_short(one, one.loads[index]) for one in kinds)])
    return table(["films a day", *(one.film.name for one in kinds)], rows)


def _short(reckoned: Reckoned, load: Load) -> str:
    broken = [limit for limit in reckoned.limits() if limit.use(load) > 1]
    runs = f"{number(load.cells)} {'account' if load.cells == 1 else 'accounts'}"
    if load.instances:
        runs += f", {number(load.instances)} instances at the peak"
    first = [limit.name for limit in broken[:_FIRST]]
    more = f" and {len(broken) - _FIRST} more" if len(broken) > _FIRST else ""
    return f"{runs}; {'breaks: ' + ', '.join(first) + more if broken else 'nothing breaks'}"


def kinds(settings: DeploymentSettings, days: Sequence[float], peak: float) -> list[Reckoned]:
    return [Reckoned(film, settings, days, peak) for film in (RENDERED, DRAFT)]


def blocks(settings: DeploymentSettings, peak: float, counted: Count) -> Mapping[str, str]:
    """Return the tables of docs/scale.md by the names of their places."""
    rendered, draft = both = kinds(settings, DAYS, peak)
    return {
        "example": example(settings, peak),
        "short": short_table(both),
        "first rendered": first_table(rendered),
        "first draft": first_table(draft),
        "ours": ours_table(rendered),
        "quotas rendered": asked_table(rendered),
        "quotas draft": asked_table(draft),
        "size rendered": size_table(rendered),
        "size draft": size_table(draft),
        "cost": cost_table(both),
        "idle": idle_table(settings),
        "calls": calls_table(both),
        "upkeep": upkeep_table(rendered),
        "counted": f"Counted on {counted.date}.\n\n{counted_table(counted)}",
    }


# --- words


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |".replace("|  |", "| |") for line in lines)


def number(value: float) -> str:
    """Return a count, with no more digits than it is good for."""
    if 0 < value < 1:
        return f"{value:.2g}"
    return f"{value:,.0f}"


def percent(share: float) -> str:
    if math.isinf(share):
        return "none is allowed"
    if share > 1:
        return f"**{share:,.1f} ×**" if share < 10 else f"**{share:,.0f} ×**"
    if share < 0.001:
        return "< 0.1 %"
    return f"{100 * share:.1f} %" if share < 0.1 else f"{100 * share:.0f} %"


def _figure(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value else "0"


def _films(breaks_at: float) -> str:
    if math.isinf(breaks_at):
        return "never"
    return f"{_rounded_down(breaks_at):,.0f}" if breaks_at >= 1 else "the first"


def _rounded_down(value: float) -> float:
    """Return a number rounded down to two digits."""
    unit = 10.0 ** (math.floor(math.log10(value)) - 1)
    return math.floor(value / unit) * unit


def _ask(limit: Limit, load: Load) -> float | None:
    """Return the value to ask for, or None if the default is enough or fixed."""
    if not limit.adjustable or limit.use(load) * limit.ask_for <= 1:
        return None
    wanted = limit.used(load) * limit.ask_for
    unit = 10.0 ** max(0, math.floor(math.log10(wanted)) - 1)
    return math.ceil(wanted / unit) * unit
