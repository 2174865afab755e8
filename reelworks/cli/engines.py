"""`reel engines`: the engines of a deployment."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from reelworks.cli import progress
from reelworks.cli.operating import operating
from reelworks.cli.options import Since, ago
from reelworks.cli.terminal import Json, err, fail, out, print_json

engines_app = typer.Typer(help="Show, warm, cool and test the engines.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Engine name, for example cogvideox-5b.")]


@engines_app.command("list")
def list_engines(as_json: Json = False) -> None:
    """List the engines that requests may name, and where each renders."""
    from reelworks.operations.engines import Engines

    with operating() as deployment:
        offered = Engines(deployment).offered()
    if as_json:
        print_json(offered)
        return
    table = Table("engine", "renders in", "state", "makes")
    for one in offered:
        where = str(one["endpoint"] or "a function")
        table.add_row(*map(escape, (str(one["name"]), where, str(one["status"]), str(one["summary"]))))
    out.print(table)


@engines_app.command()
def status(
    name: Annotated[str | None, typer.Argument(help="Engine name. Default: all engines.")] = None,
    as_json: Json = False,
) -> None:
    """Show endpoints: instances, clips waiting or in progress and, for one engine, its latest failures."""
    from reelworks.operations.engines import Engines

    with operating() as deployment:
        engines = Engines(deployment)
        states = engines.states(name)
        failures = engines.failures(name) if name else []
    if as_json:
        documents = [state.document() for state in states]
        print_json(documents[0] | {"failures": [f.document() for f in failures]} if name else documents)
        return
    table = Table("engine", "state", "instances", "wanted", "bounds", "backlog", "warm until (UTC)")
    for state in states:
        bounds = "" if state.most is None else f"{state.least} to {state.most}"
        backlog = "?" if state.backlog is None else str(state.backlog)
        cells = (
            state.name,
            f"{state.status} {state.reason}".strip(),
            str(state.instances),
            str(state.wanted),
        )
        table.add_row(*map(escape, (*cells, bounds, backlog, state.warm_until or "")))
    out.print(table)
    for film in failures:
        clock = time.strftime("%Y-%m-%d %H:%M", time.localtime(film.at_ms / 1000))
        told = f"{clock} {film.video_id}: {film.failure.code}: {film.failure.reason}"
        out.print(escape(told), soft_wrap=True)


@engines_app.command()
def warm(
    name: Name,
    instances: Annotated[int, typer.Option(help="Instances to keep.")] = 1,
    minutes: Annotated[int, typer.Option(min=5, max=7 * 24 * 60, help="How long to keep them.")] = 60,
    as_json: Json = False,
) -> None:
    """Keep instances for a while, so that clips don't wait for one. They cost money from now on."""
    from reelworks.operations.engines import Engines

    with operating() as deployment:
        until = Engines(deployment).warm(name, instances, timedelta(minutes=minutes))
    if as_json:
        print_json({"engine": name, "instances": instances, "until": until.isoformat()})
    else:
        out.print(f"{name}: at least {instances} until {until.astimezone():%Y-%m-%d %H:%M}")


@engines_app.command()
def cool(
    name: Name,
    force: Annotated[bool, typer.Option("--force", help="Also interrupt clips in progress.")] = False,
    as_json: Json = False,
) -> None:
    """Release all instances now. The next clip starts one again."""
    from reelworks.operations.engines import Engines

    with operating() as deployment:
        Engines(deployment).cool(name, even_if_busy=force)
    print_json({"engine": name, "instances": 0}) if as_json else out.print(f"{name}: releasing all instances")


@engines_app.command("try")
def try_engine(
    name: Name,
    prompt: Annotated[str, typer.Option(help="What the clip shows.")] = "A bee lands on a yellow flower.",
    steps: Annotated[int | None, typer.Option(min=1, help="Denoising steps. Default: the engine's.")] = None,
    timeout: Annotated[int, typer.Option(min=1, max=3600, help="Seconds to wait.")] = 1800,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to save the clip to.")] = None,
    as_json: Json = False,
) -> None:
    """Send one short clip straight to an engine's endpoint and time it. No film is made."""
    from lambdas.media.probe import probe
    from reelworks.operations.engines import Engines

    with operating() as deployment:
        tried = Engines(deployment).try_out(name, prompt, steps=steps, seconds=timeout)
        clip = probe(tried.clip)
    if output is not None:
        try:
            output.write_bytes(tried.clip)
        except OSError as error:
            fail(f"cannot write {output}: {error.strerror}")
    if as_json:
        print_json(
            {
                "engine": name,
                "seconds": round(tried.seconds, 3),
                "frames": clip.frames,
                "size": f"{clip.width}x{clip.height}",
                "bytes": len(tried.clip),
            }
        )
    else:
        shape = f"{clip.frames} frames of {clip.width}x{clip.height}"
        out.print(f"{name}: {shape} in {tried.seconds:.1f} s, waiting included")


@engines_app.command()
def logs(
    name: Name,
    since: Since = "1h",
    text: Annotated[str | None, typer.Option(help="Show only lines that contain this text.")] = None,
    as_json: Json = False,
) -> None:
    """Show what an engine logged, oldest first, with the instance that logged it."""
    from reelworks.operations.engine_logs import engine_log_events
    from reelworks.operations.engines import Engines

    start = int(ago(since).timestamp() * 1000)
    end = int(datetime.now(UTC).timestamp() * 1000)
    with operating() as deployment:
        Engines(deployment).states(name)
        lines = [*engine_log_events(deployment, name, start, end, text=text)]
    if as_json:
        print_json(lines)
        return
    if not lines:
        err.print(f"{escape(name)} has logged nothing since {since}.", soft_wrap=True)
    for line in lines:
        clock = time.strftime("%H:%M:%S", time.localtime(line["at_ms"] / 1000))
        told = f"{clock} {line['instance']} {progress.log_line(line['message'])}"
        out.print(escape(told), soft_wrap=True)
