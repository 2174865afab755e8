"""`reel ops`: what an operator on call asks of a deployment."""

import time
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from reelworks.cli import progress
from reelworks.cli.operating import operating
from reelworks.cli.options import Since, VideoId, ago
from reelworks.cli.terminal import Json, err, fail, interactive, out, print_json

ops_app = typer.Typer(help="Operate a deployment, on AWS or on this PC.", no_args_is_help=True)

_MARKS = {
    "ok": "[green]✓[/green]",
    "warning": "[yellow]![/yellow]",
    "wrong": "[red]✗[/red]",
    "unknown": "[dim]?[/dim]",
}
Queue = Annotated[
    str | None, typer.Argument(help="Dead-letter queue, as `reel ops health` names it. Default: all of them.")
]
Tenant = Annotated[str | None, typer.Option(help="Only this tenant's films.")]


@ops_app.command()
def health(as_json: Json = False) -> None:
    """Show what is wrong now and what to do. The exit code is 1 if something is wrong."""
    from reelworks.operations.health import State, health

    with operating() as deployment:
        checks = health(deployment)
    wrong = any(check.state is State.WRONG for check in checks)
    if as_json:
        print_json({"healthy": not wrong, "checks": [check.document() for check in checks]})
    else:
        for check in checks:
            out.print(f"{_MARKS[check.state]} {escape(f'{check.name}: {check.found}')}", soft_wrap=True)
            if check.todo and check.state is not State.OK:
                out.print(f"    {escape(check.todo)}", soft_wrap=True)
    if wrong:
        raise typer.Exit(1)


@ops_app.command()
def failures(since: Since = "24h", tenant: Tenant = None, as_json: Json = False) -> None:
    """Show the films that failed, by code and step, with the reason of the latest."""
    from reelworks.operations.failures import failures_since

    start = ago(since)
    with operating() as deployment:
        found = failures_since(deployment, start, tenant=tenant)
    if as_json:
        print_json(found.document())
        return
    table = Table("films", "step", "code", "latest", "reason", "video")
    for code, step, films in found.groups:
        latest = films[0]
        reason = f"{latest.failure.reason} {latest.failure.advice}".strip()
        table.add_row(
            str(len(films)), *map(escape, (step, code, _clock(latest.at_ms), reason, latest.video_id))
        )
    if found.films:
        out.print(table)
    else:
        out.print(f"No film has failed since {since}.")
    if found.tried_again:
        out.print(f"{found.tried_again} more failed and have been tried again since.")


@ops_app.command()
def redrive(
    queue: Queue = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show the messages.")] = False,
    as_json: Json = False,
) -> None:
    """Resend the messages of the dead-letter queues.

    A message that came from another queue returns there. An event goes to the function that failed on it.
    Doing this twice is safe.
    """
    from reelworks.operations.dead_letters import DeadLetters, document

    with operating() as deployment:
        letters = DeadLetters(deployment)
        queues = letters.queues(queue)
        if dry_run:
            _show_letters({one.name: [*map(document, letters.peek(one))] for one in queues}, as_json)
            return
        done = [letters.redrive(one) for one in queues if one.messages]
    if as_json:
        print_json([one.document() for one in done])
    for one in () if as_json else done:
        out.print(escape(f"{one.queue}: {one.sent} sent again ({one.way})"), soft_wrap=True)
        for left in one.left:
            out.print(escape(f"    stays: {left['about'] or left['id']}: {left['reason']}"), soft_wrap=True)
        if one.problem:
            err.print(escape(f"    {one.problem}"), soft_wrap=True)
    if not done and not as_json:
        out.print("No dead letters.")
    if any(one.left or one.problem for one in done):
        raise typer.Exit(1)


@ops_app.command()
def purge(
    queue: Annotated[str, typer.Argument(help="Dead-letter queue, as `reel ops health` names it.")],
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    as_json: Json = False,
) -> None:
    """Delete all messages of one dead-letter queue. They can't be brought back."""
    from reelworks.operations.dead_letters import DeadLetters

    with operating() as deployment:
        letters = DeadLetters(deployment)
        [chosen] = letters.queues(queue)
        if not yes:
            if not interactive():
                fail(f"--yes is required where nobody can be asked; it deletes {chosen.messages} messages")
            typer.confirm(f"Delete {chosen.messages} messages of {chosen.name}?", abort=True)
        letters.purge(chosen)
    if as_json:
        print_json({"queue": chosen.name, "purged": chosen.messages})
    else:
        out.print(f"{chosen.name}: purged")


@ops_app.command()
def cost(
    by: Annotated[str, typer.Option(help="Group by tenant, day or engine.")] = "day",
    since: Since = "30d",
    as_json: Json = False,
) -> None:
    """Show what films cost, by list prices: their clips, stills, voices, texts and assembly. What endpoints
    cost while they are idle is in no film's cost, so it is shown separately. Days are in UTC."""
    from lambdas.domain.usage import By
    from reelworks.operations.costs import costs_since, idle_since

    if by not in list(By):
        fail(f"--by must be {', '.join(By)}; got {by!r}")
    start = ago(since)
    with operating() as deployment:
        costs = costs_since(deployment, start, By(by))
        idle = [one for one in idle_since(deployment, start) if one.instance_seconds]
    if as_json:
        print_json(
            {
                "by": by,
                "since": start.isoformat(),
                "costs": [one.document() for one in costs],
                "idle": [one.document() for one in idle],
            }
        )
        return
    table = Table(by, "films", "failed", "clips", "seconds", "USD", "of unknown cost")
    for one in costs:
        counts = (one.films, one.failed, one.clips, one.seconds)
        table.add_row(escape(one.group), *map(str, counts), f"{one.usd:.2f}", str(one.unknown or ""))
    out.print(table)
    for endpoint in idle:
        hours = f"{endpoint.idle_seconds / 3600:.1f} of {endpoint.instance_seconds / 3600:.1f} instance hours"
        usd = "an unknown price" if endpoint.usd is None else f"{endpoint.usd:.2f} USD"
        out.print(f"{endpoint.engine}: idle for {hours}, {usd}")


@ops_app.command()
def trace(
    video_id: VideoId,
    tenant: Annotated[str | None, typer.Option(help="The video's tenant, if it can't be found.")] = None,
    as_json: Json = False,
) -> None:
    """Show one timeline of a video: API, queue, execution, clips and its engine's log lines."""
    from reelworks.operations.trace import trace

    with operating() as deployment:
        events = trace(deployment, video_id, tenant=tenant)
    if as_json:
        print_json([event.document() for event in events])
        return
    for event in events:
        text = escape(progress.log_line(event.message))
        out.print(f"{_clock(event.at_ms)} [cyan]{event.source:<16}[/cyan] {text}", soft_wrap=True)


def _show_letters(queues: dict[str, list[dict[str, object]]], as_json: bool) -> None:
    if as_json:
        print_json(queues)
        return
    for name, messages in queues.items():
        out.print(f"{name}: {len(messages)} messages")
        for message in messages:
            function = str(message["function"] or "").rpartition(":function:")[2]
            told = f"{message['origin']} {function} {message['about']} {message['error']}"
            out.print(
                f"    {_clock(int(str(message['sent_ms'])))} {escape(' '.join(told.split()))}", soft_wrap=True
            )


def _clock(at_ms: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at_ms / 1000))
