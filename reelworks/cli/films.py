"""`reel make` and the commands that make, list, show and download films."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from reelworks.cli import progress
from reelworks.cli.follow_film import finish
from reelworks.cli.options import Output, VideoId, Wait, read_json_file
from reelworks.cli.terminal import Json, Session, fail, out, print_json
from reelworks.client import Client

app = typer.Typer()


class Gate(StrEnum):
    """Where a film waits for its user, as the API has it."""

    STORYBOARD = "storyboard"
    PREVIEWS = "previews"


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
    given = None if storyboard is None else read_json_file(storyboard)
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
