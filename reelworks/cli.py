"""`reel`: the PC's cloud, and films from any Reelworks API.

By default the commands speak to the PC's cloud; REELWORKS_BASE_URL and REELWORKS_API_KEY (or the options
of the same names) point them at a deployment on AWS.
"""

import json
import os
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from reelworks import progress
from reelworks.client import Address, ApiError, Client

app = typer.Typer(
    help="Prompt in, finished film out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
keys_app = typer.Typer(help="API keys and their tenants.", no_args_is_help=True)
app.add_typer(keys_app, name="keys")
models_app = typer.Typer(help="The engines' models.", no_args_is_help=True)
app.add_typer(models_app, name="models")
storyboard_app = typer.Typer(help="What is said and shown in a film's scenes.", no_args_is_help=True)
app.add_typer(storyboard_app, name="storyboard")

# What reads a pipe wants whole lines: they are as long as they get, not 80 characters.
_out = Console(highlight=False, width=None if sys.stdout.isatty() else 10_000)
_err = Console(stderr=True, highlight=False)

_YEAR = 366 * 24 * 60  # minutes

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead.")]


def _print_json(document: Any) -> None:
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False))


def _fail(message: str) -> NoReturn:
    _err.print(f"[red]error:[/red] {escape(message)}", soft_wrap=True)
    raise typer.Exit(1)


def _address() -> Address:
    """The API that is meant: of the environment, else the PC's cloud."""
    base_url, api_key = os.environ.get("REELWORKS_BASE_URL"), os.environ.get("REELWORKS_API_KEY")
    if base_url or api_key:
        if not (base_url and api_key):
            _fail("set both REELWORKS_BASE_URL and REELWORKS_API_KEY, or neither for the PC's cloud")
        if not api_key.isascii():
            _fail("REELWORKS_API_KEY has characters that no key has")
        return Address(base_url, api_key)
    from reelworks.cloud import daemon, home

    found = daemon.status(home.Home.locate())
    if found.base_url is None or found.api_key is None:
        _fail("the PC's cloud is down: start it with `reel up`")
    return Address(found.base_url, found.api_key)


class _Session:
    """A client whose errors end the command with the API's own words."""

    def __enter__(self) -> Client:
        self._client = Client(_address())
        return self._client

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._client.__exit__(None, None, None)
        if isinstance(error, ApiError):
            _fail(f"{error.message} (field: {error.param})" if error.param else error.message)


# --- the PC's cloud


@app.command()
def up(
    port: Annotated[int | None, typer.Option(help="The port to use; else 4566 or a free one.")] = None,
    as_json: Json = False,
) -> None:
    """Start the PC's cloud, deploy the pipeline to it, and resume what was unfinished."""
    from reelworks.cloud import daemon, home

    began = time.monotonic()
    try:
        status = daemon.up(home.Home.locate(), port=port)
    except home.CloudError as error:
        _fail(f"{error.message} {error.advice}")
    if as_json:
        _print_json(status.document())
    else:
        _out.print(f"up at {status.base_url} ({time.monotonic() - began:.1f} s)")


@app.command()
def down(as_json: Json = False) -> None:
    """Stop the PC's cloud; unfinished videos go on at the next `reel up`."""
    from reelworks.cloud import daemon, home

    try:
        daemon.down(home.Home.locate())
    except home.CloudError as error:
        _fail(f"{error.message} {error.advice}")
    if as_json:
        _print_json({"state": "down"})
    else:
        _out.print("down")


@app.command()
def status(as_json: Json = False) -> None:
    """Whether the PC's cloud is up, where it is, and the key to it."""
    from reelworks.cloud import daemon, home

    found = daemon.status(home.Home.locate())
    if as_json:
        _print_json(found.document())
    elif found.state == "up":
        _out.print(
            f"up at {found.base_url}\nOPENAI_BASE_URL={found.base_url}\nOPENAI_API_KEY={found.api_key}"
        )
    else:
        _out.print("down")


@app.command()
def doctor(as_json: Json = False) -> None:
    """What this PC has, what is missing, and the command that gets it."""
    from reelworks.doctor import examine

    findings = examine()
    if as_json:
        _print_json([finding.document() for finding in findings])
    else:
        for finding in findings:
            mark = "[green]✓[/green]" if finding.ok else "[red]✗[/red]" if finding.needed else "[dim]-[/dim]"
            _out.print(f"{mark} {finding.what}: {escape(finding.found)}", soft_wrap=True)
            if not finding.ok and finding.todo:
                _out.print(f"    to get it: {escape(finding.todo)}", soft_wrap=True)
    if any(finding.needed and not finding.ok for finding in findings):
        raise typer.Exit(1)


# --- films


@app.command()
def make(
    prompt: Annotated[
        str | None, typer.Argument(help="What the film shows; or give --topic, --storyboard.")
    ] = None,
    topic: Annotated[
        str | None, typer.Option(help="What a film of several scenes is about: its storyboard is written.")
    ] = None,
    tone: Annotated[str | None, typer.Option(help="How it is told, such as warm and curious.")] = None,
    scenes: Annotated[int | None, typer.Option(help="How many scenes it has.")] = None,
    storyboard: Annotated[
        Path | None,
        typer.Option(
            help="A JSON file of a storyboard; with --topic, of the parts that are not to be written.",
            exists=True,
            dir_okay=False,
            readable=True,
        ),
    ] = None,
    narrate: Annotated[bool | None, typer.Option(help="Whether narration is written.")] = None,
    captions: Annotated[
        bool | None, typer.Option("--captions", help="Captions of the narration, in the film and beside it.")
    ] = None,
    language: Annotated[str | None, typer.Option(help="Of the narration, such as en-US.")] = None,
    voice: Annotated[str | None, typer.Option(help="Who narrates, such as Joanna.")] = None,
    voice_engine: Annotated[
        str | None, typer.Option(help="The voice's engine: standard, neural, long-form or generative.")
    ] = None,
    speech_speed: Annotated[float | None, typer.Option(help="0.5 to 2; 1 is the voice's own.")] = None,
    sample_rate: Annotated[
        int | None, typer.Option(help="Of the speech: 8000, 16000, 22050 or 24000.")
    ] = None,
    stills: Annotated[
        str | None, typer.Option(help="Each scene's first picture, drawn: none, standard or premium.")
    ] = None,
    text_model: Annotated[str | None, typer.Option(help="Who writes the storyboard.")] = None,
    temperature: Annotated[float | None, typer.Option(help="The text model's: 0 to 1.")] = None,
    top_p: Annotated[float | None, typer.Option(help="The text model's: 0 to 1.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="The most that the text model may answer.")] = None,
    context_size: Annotated[
        int | None, typer.Option(help="Tokens that the text model has in mind, on a PC.")
    ] = None,
    engine: Annotated[str | None, typer.Option(help="The engine that renders the clips.")] = None,
    seconds: Annotated[int | None, typer.Option(help="Length of the film.")] = None,
    size: Annotated[str | None, typer.Option(help="Width x height, such as 1280x720.")] = None,
    fps: Annotated[int | None, typer.Option(help="Frames per second.")] = None,
    image: Annotated[
        Path | None, typer.Option(help="The first frame.", exists=True, dir_okay=False, readable=True)
    ] = None,
    negative_prompt: Annotated[str | None, typer.Option(help="What the film must not show.")] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same film.")] = None,
    steps: Annotated[int | None, typer.Option(help="Denoising steps per clip.")] = None,
    guidance: Annotated[float | None, typer.Option(help="How closely the prompt is followed.")] = None,
    speed: Annotated[
        str | None, typer.Option(help="exact, balanced or fast: the last two leave work out.")
    ] = None,
    lora: Annotated[
        list[str] | None,
        typer.Option(help="An adapter in the model's folder, as name or name:scale. May be given again."),
    ] = None,
    enhance: Annotated[bool | None, typer.Option(help="Let a text model write the prompt out.")] = None,
    transition: Annotated[
        str | None,
        typer.Option(help="Between clips that don't go on from one another: crossfade, fade, wipe."),
    ] = None,
    transition_seconds: Annotated[float | None, typer.Option(help="How long a transition takes.")] = None,
    even_out: Annotated[
        bool, typer.Option("--even-out", help="Even out the light where a clip goes on from another.")
    ] = False,
    fragmented: Annotated[
        bool, typer.Option("--fragmented", help="A fragmented MP4, for players that stream.")
    ] = False,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Where to put the film.")] = None,
    wait: Annotated[bool, typer.Option(help="Wait for the film and download it.")] = True,
    as_json: Json = False,
) -> None:
    """Make a film of a prompt or a topic, watch it come about, and download it."""
    given = None if storyboard is None else _read_json(storyboard)
    with _Session() as client:
        video = client.create(
            prompt,
            image=image,
            topic=topic,
            tone=tone,
            scenes=scenes,
            storyboard=given,
            narrate=narrate,
            captions=captions,
            language=language,
            voice=voice,
            voice_engine=voice_engine,
            speech_speed=speech_speed,
            sample_rate=sample_rate,
            stills=stills,
            text_model=text_model,
            temperature=temperature,
            top_p=top_p,
            max_tokens=max_tokens,
            context_size=context_size,
            model=engine,
            seconds=None if seconds is None else str(seconds),
            size=size,
            fps=fps,
            negative_prompt=negative_prompt,
            seed=seed,
            steps=steps,
            guidance=guidance,
            speed=speed,
            loras=[_lora(text) for text in lora] if lora else None,
            enhance=enhance,
            transition=transition,
            transition_seconds=transition_seconds,
            even_out=even_out,
            fragmented=fragmented,
        )
        if not wait:
            _print_json(video) if as_json else _out.print(video["id"])
            return
        if not as_json:
            _out.print(f"{video['id']}: {video['model']}, {video['size']}, {video['seconds']} s")
        _finish(client, video["id"], output, as_json=as_json)


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        _fail(f"{path} can't be read: {error.strerror}")
    except (ValueError, RecursionError) as error:
        _fail(f"{path} is not valid JSON: {error}")


def _lora(text: str) -> dict[str, Any]:
    name, colon, scale = text.rpartition(":")
    try:
        return {"name": name, "scale": float(scale)} if colon else {"name": text}
    except ValueError:
        _fail(f"--lora takes name or name:scale, such as paper:0.8; {text!r} was given.")


def _finish(client: Client, video_id: str, output: Path | None, *, as_json: bool) -> None:
    """Follows a video to its end and downloads the film."""
    try:
        video = progress.watch(_err, client.follow(video_id))
    except KeyboardInterrupt:
        _err.print(f"\nThe film is still being made. Get it with: reel get {video_id}", soft_wrap=True)
        raise typer.Exit(130) from None
    if video["status"] == "failed":
        if as_json:
            _print_json(video)
            raise typer.Exit(1)
        _fail(progress.failure_text(video))
    path = output or Path("films")
    if path.is_dir() or output is None:
        path /= f"{video_id}.mp4"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        size = client.download(video_id, path)
        captions = _download_captions(client, video, path)
    except OSError as error:
        _fail(f"{path} can't be written: {error.strerror}. Get the film with: reel get {video_id} -o PATH")
    if as_json:
        files = {"path": str(path.resolve()), "captions_paths": [str(file.resolve()) for file in captions]}
        _print_json({**video, **files, "bytes": size})
        return
    by, note = video["enhance"]["by"], video["enhance"]["note"]
    _out.print(progress.stages_table(video))
    if by:
        _out.print(f"prompt enhanced by: {escape(by)}")
    if note:
        _out.print(f"prompt: {escape(note)}", soft_wrap=True)
    for line in progress.makers(video):
        _out.print(escape(line), soft_wrap=True)
    if video.get("draft"):
        _out.print("This film is a draft: drawn storyboard clips, not rendered video.")
    _out.print(f"film: {path.resolve()}", soft_wrap=True)
    for file in captions:
        _out.print(f"captions: {file.resolve()}", soft_wrap=True)
    weight = f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"
    _out.print(f"{weight}, {_duration(path)} s, {video['size']}")


def _download_captions(client: Client, video: dict[str, Any], film: Path) -> list[Path]:
    """Beside the film under its name, where players look for them."""
    if not video.get("captions"):
        return []
    files = {"captions": film.with_suffix(".vtt"), "captions_srt": film.with_suffix(".srt")}
    for variant, path in files.items():
        client.download(video["id"], path, variant=variant)
    return list(files.values())


def _duration(path: Path) -> str:
    """The length that the file itself has, in seconds."""
    from lambdas.media.probe import probe

    return f"{float(probe(path).duration):.3f}"


@app.command("list")
def list_videos(
    limit: Annotated[int, typer.Option(min=1, max=100)] = 20,
    after: Annotated[str | None, typer.Option(help="Go on after this video.")] = None,
    as_json: Json = False,
) -> None:
    """The newest videos."""
    with _Session() as client:
        page = client.list(limit=limit, after=after)
    if as_json:
        _print_json(page)
        return
    _out.print(progress.videos_table(page["data"]))
    if page["has_more"]:
        _out.print(f"more: reel list --after {page['last_id']}")


@app.command()
def show(video_id: str, as_json: Json = False) -> None:
    """All that is known of a video."""
    with _Session() as client:
        video = client.get(video_id)
    if as_json:
        _print_json(video)
        return
    table = Table(show_header=False)
    for name in (
        "id",
        "stage",
        "progress",
        "model",
        "size",
        "fps",
        "seconds",
        "seed",
        "speed",
        "draft",
        "prompt",
    ):
        if video.get(name) is not None:
            table.add_row(name, escape(str(video[name])))
    for lora in video.get("loras", []):
        table.add_row("lora", escape(f"{lora['name']}:{lora['scale']:g}"))
    for name in ("prompt", "by", "note"):
        if video["enhance"][name]:
            table.add_row(f"enhanced {name}", escape(video["enhance"][name]))
    for line in progress.makers(video):
        what, _, by = line.partition(": ")
        table.add_row(what, escape(by))
    for name in ("narrations", "stills"):
        for part in video.get(name, []):
            state = part["state"] + (", reused" if part["reused"] else "")
            table.add_row(f"{name.removesuffix('s')} {part['scene'] + 1}", state)
    for number, clip in enumerate(video["clips"], 1):
        state = clip["state"] + (", reused" if clip["reused"] else "")
        table.add_row(f"clip {number}", f"{state}, {clip['seconds']} s")
    for stage, seconds in progress.stage_seconds(video).items():
        table.add_row(f"time {stage}", f"{seconds} s")
    if video["status"] == "failed":
        table.add_row("failed", escape(progress.failure_text(video)))
    _out.print(table)


@app.command()
def get(
    video_id: str,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Where to put the film.")] = None,
    as_json: Json = False,
) -> None:
    """Wait for a video, if need be, and download its film."""
    with _Session() as client:
        _finish(client, video_id, output, as_json=as_json)


@app.command()
def cancel(video_id: str, as_json: Json = False) -> None:
    """End a video that is being made."""
    with _Session() as client:
        video = client.cancel(video_id)
    _print_json(video) if as_json else _out.print(f"{video_id}: {video['stage']}")


@app.command()
def logs(
    video_id: Annotated[str | None, typer.Argument(help="Only what concerns this video.")] = None,
    function: Annotated[str | None, typer.Option(help="Only this function, such as Plan.")] = None,
    minutes: Annotated[int, typer.Option(min=1, max=_YEAR, help="How far back to look.")] = 60,
    as_json: Json = False,
) -> None:
    """What the functions logged, in the order of time."""
    from reelworks.deployment import Deployment, DeploymentError

    try:
        events = list(Deployment.find().log_events(video_id=video_id, function=function, minutes=minutes))
    except DeploymentError as error:
        _fail(str(error))
    if as_json:
        _print_json(events)
        return
    if not events:
        about = f" of {video_id}" if video_id else ""
        _err.print(f"Nothing was logged{escape(about)} in the last {minutes} minutes.", soft_wrap=True)
    for event in events:
        clock = time.strftime("%H:%M:%S", time.localtime(event["at_ms"] / 1000))
        text = escape(progress.log_line(event["message"]))
        _out.print(f"{clock} [cyan]{event['function']:<14}[/cyan] {text}", soft_wrap=True)


# --- storyboards


@storyboard_app.command("show")
def show_storyboard(video_id: str, as_json: Json = False) -> None:
    """The storyboard of a film: what is said and shown in each scene."""
    with _Session() as client:
        document = client.storyboard(video_id)
    _print_json(document) if as_json else _out.print(progress.storyboard_table(document))


# --- keys


@keys_app.command("create")
def create_key(
    tenant: Annotated[str, typer.Argument(help="Whose videos the key opens: a-z, 0-9 and hyphens.")],
    name: Annotated[str, typer.Option(help="What the key is for.")] = "",
    as_json: Json = False,
) -> None:
    """Make an API key for a tenant. It is shown once and only its hash is stored."""
    from reelworks.deployment import Deployment, DeploymentError

    try:
        key = Deployment.find().create_key(tenant, name)
    except DeploymentError as error:
        _fail(str(error))
    _print_json({"api_key": key, "tenant": tenant}) if as_json else _out.print(key)


@keys_app.command("revoke")
def revoke_key(
    key: Annotated[str, typer.Argument(help="The key itself, or its SHA-256.")], as_json: Json = False
) -> None:
    """Make an API key invalid (within five minutes: the authorizer's answers are cached that long)."""
    from reelworks.deployment import Deployment, DeploymentError

    try:
        Deployment.find().revoke_key(key)
    except DeploymentError as error:
        _fail(str(error))
    _print_json({"revoked": True}) if as_json else _out.print("revoked")


# --- models

ModelName = Annotated[str, typer.Argument(help="The engine's name, such as cogvideox-5b.")]


@models_app.command("list")
def list_local_models(as_json: Json = False) -> None:
    """Which models are here; files are not read (see verify)."""
    from reelworks.cloud.home import Home
    from reelworks.models import list_models

    found = list_models(Home.locate().models)
    if as_json:
        _print_json([asdict(model) for model in found])
        return
    table = Table("Engine", "Model", "Size", "From")
    for model in found:
        size = f"{model.bytes / 1e9:.1f} GB" if model.bytes else ""
        origin = f"{model.repository} {(model.revision or '')[:12]}" if model.repository else ""
        table.add_row(model.name, model.state, size, origin)
    _out.print(table)


@models_app.command("pull")
def pull_model(name: ModelName, as_json: Json = False) -> None:
    """Get a model from the hub: the pinned revision, checked, with a manifest. Goes on where it broke off."""
    _model("pull", name, as_json=as_json)


@models_app.command("verify")
def verify_model(name: ModelName, as_json: Json = False) -> None:
    """Check every file of a model against its manifest, as its engine does before it loads it."""
    _model("verify", name, as_json=as_json)


@models_app.command("trust")
def trust_model(name: ModelName, as_json: Json = False) -> None:
    """Make the manifest of a model folder that you filled or added to yourself."""
    _model("trust", name, as_json=as_json)


@models_app.command("push")
def push_model(
    name: ModelName,
    bucket: Annotated[str | None, typer.Option(help="Another bucket than the deployment's.")] = None,
    prefix: Annotated[str | None, typer.Option(help="Another folder in it.")] = None,
    as_json: Json = False,
) -> None:
    """Upload a model to where the deployment's engines look for it (cdk.json). Goes on where it broke off."""
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    from reelworks import models
    from reelworks.cloud.home import Home

    home = Home.locate()
    try:
        session = boto3.Session()
        target = models.Target.of_deployment(home.checkout / "cdk.json", session)
        if bucket is not None:
            target = replace(target, bucket=bucket, own=True)
        if prefix is not None:
            target = replace(target, prefix=prefix)
        address, sent = models.push(home.models, name, target, session, _err.print)
    except (models.ModelError, BotoCoreError, ClientError) as error:
        _fail(str(error))
    if as_json:
        _print_json({"model": name, "address": address, "sent": sent})
    else:
        _out.print(f"{address} ({sent} files sent)", soft_wrap=True)


def _model(verb: Literal["pull", "verify", "trust"], name: str, *, as_json: bool) -> None:
    from reelworks import models
    from reelworks.cloud.home import Home

    folder = Home.locate().models
    try:
        if verb == "pull":
            manifest = models.pull(folder, name, _err.print)
        else:
            manifest = getattr(models, verb)(folder, name)
    except models.ModelError as error:
        _fail(str(error))
    if as_json:
        _print_json(
            {
                "model": name,
                "path": str(folder / name),
                "bytes": manifest.total_bytes,
                "revision": manifest.identity,
            }
        )
    else:
        size = f"{len(manifest.files)} files, {manifest.total_bytes / 1e9:.1f} GB"
        _out.print(f"{folder / name}: whole, {size}, {manifest.identity}", soft_wrap=True)
