"""`reel`: the PC's cloud, and films from any Reelworks API.

By default the commands speak to the PC's cloud; REELWORKS_BASE_URL and REELWORKS_API_KEY (or the options
of the same names) point them at a deployment on AWS.
"""

import json
import time
from dataclasses import asdict, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.markup import escape
from rich.table import Table

from reelworks import progress, review
from reelworks.client import ApiError, Client
from reelworks.terminal import Json, Session, err, fail, out, print_json
from reelworks.waiting import finish

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

VideoId = Annotated[str, typer.Argument(help="As `reel make` and `reel list` show it.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Where to put the film.")]
Wait = Annotated[bool, typer.Option(help="Wait for the film and download it.")]


class Gate(StrEnum):
    """Where a film waits for its user, as the API has it."""

    STORYBOARD = "storyboard"
    PREVIEWS = "previews"


_YEAR = 366 * 24 * 60  # minutes

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
        fail(f"{error.message} {error.advice}")
    if as_json:
        print_json(status.document())
    else:
        out.print(f"up at {status.base_url} ({time.monotonic() - began:.1f} s)")


@app.command()
def down(as_json: Json = False) -> None:
    """Stop the PC's cloud; unfinished videos go on at the next `reel up`."""
    from reelworks.cloud import daemon, home

    try:
        daemon.down(home.Home.locate())
    except home.CloudError as error:
        fail(f"{error.message} {error.advice}")
    if as_json:
        print_json({"state": "down"})
    else:
        out.print("down")


@app.command()
def status(as_json: Json = False) -> None:
    """Whether the PC's cloud is up, where it is, and the key to it."""
    from reelworks.cloud import daemon, home

    found = daemon.status(home.Home.locate())
    if as_json:
        print_json(found.document())
    elif found.state == "up":
        out.print(f"up at {found.base_url}\nOPENAI_BASE_URL={found.base_url}\nOPENAI_API_KEY={found.api_key}")
    else:
        out.print("down")


@app.command()
def doctor(as_json: Json = False) -> None:
    """What this PC has, what is missing, and the command that gets it."""
    from reelworks.doctor import examine

    findings = examine()
    if as_json:
        print_json([finding.document() for finding in findings])
    else:
        for finding in findings:
            mark = "[green]✓[/green]" if finding.ok else "[red]✗[/red]" if finding.needed else "[dim]-[/dim]"
            out.print(f"{mark} {finding.what}: {escape(finding.found)}", soft_wrap=True)
            if not finding.ok and finding.todo:
                out.print(f"    to get it: {escape(finding.todo)}", soft_wrap=True)
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
    music: Annotated[
        Path | None,
        typer.Option(
            help="Played under the film, softer under speech.", exists=True, dir_okay=False, readable=True
        ),
    ] = None,
    burn_captions: Annotated[
        bool | None, typer.Option("--burn-captions", help="Captions drawn into the pictures.")
    ] = None,
    review_all: Annotated[
        bool,
        typer.Option(
            "--review",
            help="Wait for you twice: with the storyboard, then with the voices and stills.",
        ),
    ] = False,
    review_at: Annotated[
        list[Gate] | None, typer.Option(help="Wait for you there alone. May be given again.")
    ] = None,
    output: Output = None,
    wait: Wait = True,
    as_json: Json = False,
) -> None:
    """Make a film of a prompt or a topic, watch it come about, and download it."""
    given = None if storyboard is None else _read_json(storyboard)
    with Session() as client:
        video = client.create(
            prompt,
            image=image,
            music=music,
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
            burn_captions=burn_captions,
            review=list(Gate) if review_all else review_at or None,
        )
        _made(client, video, output, wait=wait, as_json=as_json)


@app.command()
def remix(
    video_id: VideoId,
    prompt: Annotated[str, typer.Argument(help="What is to be other than in that film.")],
    output: Output = None,
    wait: Wait = True,
    as_json: Json = False,
) -> None:
    """Make a new film of another, with something changed."""
    with Session() as client:
        _made(client, client.remix(video_id, prompt), output, wait=wait, as_json=as_json)


@app.command()
def edit(
    video_id: VideoId,
    prompt: Annotated[str, typer.Argument(help="What its pictures are to become.")],
    output: Output = None,
    wait: Wait = True,
    as_json: Json = False,
) -> None:
    """Make a new film of another, drawn anew over its pictures."""
    with Session() as client:
        _made(client, client.edit(video_id, prompt), output, wait=wait, as_json=as_json)


@app.command()
def extend(
    video_id: VideoId,
    prompt: Annotated[str, typer.Argument(help="What happens next.")],
    seconds: Annotated[int, typer.Option(help="How much longer the film becomes.")],
    output: Output = None,
    wait: Wait = True,
    as_json: Json = False,
) -> None:
    """Make a new film that goes on where another ends."""
    with Session() as client:
        _made(client, client.extend(video_id, prompt, seconds), output, wait=wait, as_json=as_json)


def _made(client: Client, video: dict[str, Any], output: Path | None, *, wait: bool, as_json: bool) -> None:
    """Of a video that was just asked for."""
    if not wait:
        print_json(video) if as_json else out.print(video["id"])
        return
    if not as_json:
        out.print(f"{video['id']}: {video['model']}, {video['size']}")
    finish(client, video["id"], output, as_json=as_json)


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        fail(f"{path} can't be read: {error.strerror}")
    except (ValueError, RecursionError) as error:
        fail(f"{path} is not valid JSON: {error}")


def _lora(text: str) -> dict[str, Any]:
    name, colon, scale = text.rpartition(":")
    try:
        return {"name": name, "scale": float(scale)} if colon else {"name": text}
    except ValueError:
        fail(f"--lora takes name or name:scale, such as paper:0.8; {text!r} was given.")


@app.command("list")
def list_videos(
    limit: Annotated[int, typer.Option(min=1, max=100)] = 20,
    after: Annotated[str | None, typer.Option(help="Go on after this video.")] = None,
    as_json: Json = False,
) -> None:
    """The newest videos."""
    with Session() as client:
        page = client.list(limit=limit, after=after)
    if as_json:
        print_json(page)
        return
    out.print(progress.videos_table(page["data"]))
    if page["has_more"]:
        out.print(f"more: reel list --after {page['last_id']}")


@app.command()
def show(video_id: VideoId, as_json: Json = False) -> None:
    """All that is known of a video."""
    with Session() as client:
        video = client.get(video_id)
    if as_json:
        print_json(video)
        return
    table = Table(show_header=False)
    for name, text in progress.details(video):
        table.add_row(name, escape(text))
    out.print(table)


@app.command()
def get(
    video_id: VideoId,
    output: Output = None,
    as_json: Json = False,
) -> None:
    """Wait for a video, or for what it waits for you with, and download its film."""
    with Session() as client:
        finish(client, video_id, output, as_json=as_json)


@app.command()
def cancel(video_id: VideoId, as_json: Json = False) -> None:
    """End a video that is being made."""
    with Session() as client:
        video = client.cancel(video_id)
    print_json(video) if as_json else out.print(f"{video_id}: {video['stage']}")


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
        fail(str(error))
    if as_json:
        print_json(events)
        return
    if not events:
        about = f" of {video_id}" if video_id else ""
        err.print(f"Nothing was logged{escape(about)} in the last {minutes} minutes.", soft_wrap=True)
    for event in events:
        clock = time.strftime("%H:%M:%S", time.localtime(event["at_ms"] / 1000))
        text = escape(progress.log_line(event["message"]))
        out.print(f"{clock} [cyan]{event['function']:<14}[/cyan] {text}", soft_wrap=True)


# --- review


@storyboard_app.command("show")
def show_storyboard(video_id: VideoId, as_json: Json = False) -> None:
    """The storyboard of a film: what is said and shown in each scene."""
    with Session() as client:
        document, _ = client.storyboard(video_id)
    print_json(document) if as_json else review.show_storyboard(document)


@storyboard_app.command("edit")
def edit_storyboard(
    video_id: VideoId,
    file: Annotated[
        Path | None,
        typer.Option(
            help="A JSON file to put in its place, without an editor.",
            exists=True,
            dir_okay=False,
            readable=True,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Change the storyboard in your editor (VISUAL or EDITOR). Nothing is filmed before you approve."""
    document = None if file is None else _read_json(file)
    with Session() as client:
        if file is None:
            changed = review.edit_storyboard(client, video_id)
        else:
            changed = review.put_file(client, video_id, document)
        video = client.get(video_id)
    if as_json:
        print_json({**video, "changed": changed})
    elif changed:
        out.print("\n".join(progress.edited_lines(video)), soft_wrap=True)
    else:
        out.print("unchanged")


@app.command()
def approve(video_id: VideoId, output: Output = None, wait: Wait = True, as_json: Json = False) -> None:
    """Let a film that waits for you go on, or film what was changed in one that has ended."""
    with Session() as client:
        _go_on(client, client.approve(video_id), output, wait=wait, as_json=as_json)


@app.command()
def retry(video_id: VideoId, output: Output = None, wait: Wait = True, as_json: Json = False) -> None:
    """Resume a film that failed or was cancelled: what it has is not made again."""
    with Session() as client:
        _go_on(client, client.retry(video_id), output, wait=wait, as_json=as_json)


@app.command()
def regenerate(
    video_id: VideoId,
    scene: Annotated[int, typer.Argument(min=1, help="Its number; the first is 1.")],
    part: Annotated[Literal["text", "voice", "still"], typer.Argument(help="What of it.")],
    note: Annotated[str | None, typer.Option(help="What is to become other, for the text model.")] = None,
    voice: Annotated[str | None, typer.Option(help="Another voice for the scene.")] = None,
    speed: Annotated[float | None, typer.Option(help="Of the voice: 0.5 to 2.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of the still; else another than it had.")] = None,
    output: Output = None,
    wait: Wait = True,
    as_json: Json = False,
) -> None:
    """Have one scene's text, voice or still made anew."""
    with Session() as client:
        wishes = {"note": note, "voice": voice, "speed": speed, "seed": seed}
        try:
            video = client.regenerate(video_id, scene - 1, part, **wishes)
        except ApiError as error:
            if error.param == "scene":  # the API's words count scenes from 0
                fail(f"there is no scene {scene}: see reel storyboard show {video_id}")
            raise
        _go_on(client, video, output, wait=wait, as_json=as_json)


@app.command()
def previews(
    video_id: VideoId,
    folder: Annotated[
        Path | None, typer.Option("--output", "-o", help="Else films/VIDEO_ID/previews.", file_okay=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Download the voices and stills that a film has so far."""
    with Session() as client:
        video = client.get(video_id)
        found = review.fetch_previews(client, video, folder)
        storyboard = client.storyboard(video_id)[0] if found else {"scenes": []}
    if as_json:
        print_json(found)
    elif found:
        review.show_previews(storyboard, found)
    else:
        out.print(f"There are none yet: {video_id} is {video['stage']}.")


def _go_on(client: Client, video: dict[str, Any], output: Path | None, *, wait: bool, as_json: bool) -> None:
    """Of a video that was just decided on."""
    ended = video["status"] in ("completed", "failed")
    if wait and not ended:
        finish(client, video["id"], output, as_json=as_json)
    elif as_json:
        print_json(video)
    elif ended:
        out.print("\n".join(progress.edited_lines(video)), soft_wrap=True)
    else:
        out.print(f"{video['id']}: {progress.describe(video)}", soft_wrap=True)


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
        fail(str(error))
    print_json({"api_key": key, "tenant": tenant}) if as_json else out.print(key)


@keys_app.command("revoke")
def revoke_key(
    key: Annotated[str, typer.Argument(help="The key itself, or its SHA-256.")], as_json: Json = False
) -> None:
    """Make an API key invalid (within five minutes: the authorizer's answers are cached that long)."""
    from reelworks.deployment import Deployment, DeploymentError

    try:
        Deployment.find().revoke_key(key)
    except DeploymentError as error:
        fail(str(error))
    print_json({"revoked": True}) if as_json else out.print("revoked")


# --- models

ModelName = Annotated[str, typer.Argument(help="The engine's name, such as cogvideox-5b.")]


@models_app.command("list")
def list_local_models(as_json: Json = False) -> None:
    """Which models are here; files are not read (see verify)."""
    from reelworks.cloud.home import Home
    from reelworks.models import list_models

    found = list_models(Home.locate().models)
    if as_json:
        print_json([asdict(model) for model in found])
        return
    table = Table("Engine", "Model", "Size", "From")
    for model in found:
        size = f"{model.bytes / 1e9:.1f} GB" if model.bytes else ""
        origin = f"{model.repository} {(model.revision or '')[:12]}" if model.repository else ""
        table.add_row(model.name, model.state, size, origin)
    out.print(table)


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
        address, sent = models.push(home.models, name, target, session, err.print)
    except (models.ModelError, BotoCoreError, ClientError) as error:
        fail(str(error))
    if as_json:
        print_json({"model": name, "address": address, "sent": sent})
    else:
        out.print(f"{address} ({sent} files sent)", soft_wrap=True)


def _model(verb: Literal["pull", "verify", "trust"], name: str, *, as_json: bool) -> None:
    from reelworks import models
    from reelworks.cloud.home import Home

    folder = Home.locate().models
    try:
        if verb == "pull":
            manifest = models.pull(folder, name, err.print)
        else:
            manifest = getattr(models, verb)(folder, name)
    except models.ModelError as error:
        fail(str(error))
    if as_json:
        print_json(
            {
                "model": name,
                "path": str(folder / name),
                "bytes": manifest.total_bytes,
                "revision": manifest.identity,
            }
        )
    else:
        size = f"{len(manifest.files)} files, {manifest.total_bytes / 1e9:.1f} GB"
        out.print(f"{folder / name}: whole, {size}, {manifest.identity}", soft_wrap=True)
