"""`reel make` and the other commands that make, list, show and download films."""

from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from lambdas.domain.control_characters import visible
from reelworks import saved_file
from reelworks.cli import progress
from reelworks.cli.follow_film import check_output, download_attempt, download_shape, finish
from reelworks.cli.options import (
    ClipSound,
    MaxCost,
    Output,
    VideoId,
    Wait,
    existing_file,
    read_brand,
    read_json_file,
    read_storyboard,
)
from reelworks.cli.quality import show_quality
from reelworks.cli.terminal import Json, Session, err, fail, out, print_json
from reelworks.cloud.home import install_command
from reelworks.music_beds import BedMissing, bed
from reelworks.video_words import estimated_lines

if TYPE_CHECKING:
    from reelworks.client import Client, Video, VideoEstimate
    from reelworks.client.models import CreateFields

app = typer.Typer()


class Gate(StrEnum):
    """Where a film waits for its user's review, as named in the API."""

    STORYBOARD = "storyboard"
    PREVIEWS = "previews"


@app.command()
def make(
    prompt: Annotated[
        str | None, typer.Argument(help="What the film shows. Alternatives: --topic, --storyboard.")
    ] = None,
    topic: Annotated[
        str | None,
        typer.Option(help="Subject of a film of several scenes; its storyboard is written for you."),
    ] = None,
    tone: Annotated[
        str | None, typer.Option(help="Tone of the film, for example 'warm and curious'.")
    ] = None,
    scenes: Annotated[int | None, typer.Option(help="Number of scenes.")] = None,
    storyboard: Annotated[
        Path | None,
        existing_file("JSON file with a storyboard. With --topic, only the parts you don't want generated."),
    ] = None,
    narrate: Annotated[bool | None, typer.Option(help="Write narration.")] = None,
    captions: Annotated[
        bool | None,
        typer.Option("--captions", help="Add captions of the narration, in the film and as files beside it."),
    ] = None,
    language: Annotated[str | None, typer.Option(help="Narration language, for example en-US.")] = None,
    voice: Annotated[str | None, typer.Option(help="Narration voice, for example Joanna.")] = None,
    voice_engine: Annotated[
        str | None, typer.Option(help="Voice engine: standard, neural, long-form or generative.")
    ] = None,
    speech_speed: Annotated[
        float | None, typer.Option(help="Voice speed, 0.5 to 2; 1 is the voice's normal speed.")
    ] = None,
    narration_fit: Annotated[
        str | None,
        typer.Option(
            help="If narration is longer than its scene: extend (the scene), faster (speech) or refuse."
        ),
    ] = None,
    lexicon: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help='JSON file that says how words are pronounced: {"GIF": "jif", "Nguyen": {"ipa": "ŋwiən"}}.',
        ),
    ] = None,
    sample_rate: Annotated[
        int | None, typer.Option(help="Speech sample rate in Hz: 8000, 16000, 22050 or 24000.")
    ] = None,
    stills: Annotated[
        str | None,
        typer.Option(help="Stills to draw as each scene's first frame: none, standard or premium."),
    ] = None,
    text_model: Annotated[str | None, typer.Option(help="Text model that writes the storyboard.")] = None,
    temperature: Annotated[float | None, typer.Option(help="Text model temperature, 0 to 1.")] = None,
    top_p: Annotated[float | None, typer.Option(help="Text model top-p, 0 to 1.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Longest text model answer, in tokens.")] = None,
    context_size: Annotated[
        int | None, typer.Option(help="Text model context size in tokens (PC only).")
    ] = None,
    engine: Annotated[str | None, typer.Option(help="Engine that renders the clips.")] = None,
    seconds: Annotated[int | None, typer.Option(help="Film length in seconds.")] = None,
    size: Annotated[str | None, typer.Option(help="Film size as WIDTHxHEIGHT, for example 1280x720.")] = None,
    aspect: Annotated[
        str | None, typer.Option(help="Film shape as WIDTH:HEIGHT, for example 9:16, instead of --size.")
    ] = None,
    fit: Annotated[
        str | None,
        typer.Option(
            help="How the engine's picture fills a film of another shape: cover (crop), contain (bars) or "
            "blur (blurred bars)."
        ),
    ] = None,
    shape: Annotated[
        list[str] | None,
        typer.Option(
            help="Deliver the film in this shape, too: 16:9, 9:16, 1:1, 4:5 or 21:9; with contain or blur to "
            "show all of the picture, for example 9:16:blur. Can be repeated."
        ),
    ] = None,
    focal_point: Annotated[
        str | None,
        typer.Option(help="What a crop to --shape keeps in view: left, right, top, bottom, or 0.3,0.5."),
    ] = None,
    fps: Annotated[int | None, typer.Option(help="Frames per second, 8 to 60.")] = None,
    fps_mode: Annotated[
        str | None,
        typer.Option(help="How the engine's frames become another rate's: repeat or blend."),
    ] = None,
    draft_for: Annotated[
        str | None,
        typer.Option(help="Engine for which this is a draft: show what its picture would leave."),
    ] = None,
    image: Annotated[
        Path | None,
        existing_file("Image for the first frame."),
    ] = None,
    last_frame: Annotated[
        Path | None,
        existing_file("Image for the last frame, for engines that take one."),
    ] = None,
    negative_prompt: Annotated[str | None, typer.Option(help="What the film must not show.")] = None,
    seed: Annotated[int | None, typer.Option(help="Random seed; the same seed gives the same film.")] = None,
    steps: Annotated[int | None, typer.Option(help="Denoising steps per clip.")] = None,
    guidance: Annotated[float | None, typer.Option(help="How closely to follow the prompt.")] = None,
    speed: Annotated[
        str | None,
        typer.Option(help="Rendering speed: exact, balanced or fast. The last two skip some work."),
    ] = None,
    lora: Annotated[
        list[str] | None,
        typer.Option(help="Adapter in the model's folder, as NAME or NAME:SCALE. Can be repeated."),
    ] = None,
    voice_over: Annotated[
        Path | None,
        existing_file("Recording of the storyboard's whole narration, cut at its scenes and played in them."),
    ] = None,
    enhance: Annotated[bool | None, typer.Option(help="Let a text model expand the prompt.")] = None,
    transition: Annotated[
        str | None,
        typer.Option(
            help="Transition between clips that don't continue each other: none, crossfade, fade or wipe."
        ),
    ] = None,
    transition_seconds: Annotated[float | None, typer.Option(help="Transition length in seconds.")] = None,
    even_out: Annotated[
        bool, typer.Option("--even-out", help="Even out the light where one clip continues another.")
    ] = False,
    fragmented: Annotated[
        bool, typer.Option("--fragmented", help="Write a fragmented MP4, for streaming players.")
    ] = False,
    music: Annotated[
        Path | None,
        existing_file("Music to play under the film, softer during speech."),
    ] = None,
    music_mood: Annotated[
        str | None,
        typer.Option(
            help="Instead of --music, simple music made for the film: calm, dreamy, uplifting, playful, "
            "tense, sad, epic or driving."
        ),
    ] = None,
    music_bed: Annotated[
        str | None,
        typer.Option(
            help="Instead of --music, a piece of the extra reelworks[music]: a mood (calm, energetic, happy, "
            "nostalgic or tender) or a piece's name."
        ),
    ] = None,
    music_level: Annotated[
        float | None, typer.Option(help="Music level against speech, -40 to 0 dB. Default: -6.")
    ] = None,
    music_start: Annotated[
        float | None, typer.Option(help="Second of the music file at which to start.")
    ] = None,
    music_fade_in: Annotated[
        float | None, typer.Option(help="Seconds in which the music fades in. Default: 0.")
    ] = None,
    music_fade_out: Annotated[
        float | None, typer.Option(help="Seconds in which the music fades out. Default: 3.")
    ] = None,
    cut_on_beats: Annotated[
        bool | None,
        typer.Option("--cut-on-beats", help="Let cuts between scenes fall on the music's beats."),
    ] = None,
    brand: Annotated[
        Path | None,
        existing_file(
            "JSON file with the film's brand: colours, font, logo, intro and outro.", envvar="REELWORKS_BRAND"
        ),
    ] = None,
    clip_sound: ClipSound = None,
    stems: Annotated[
        bool | None,
        typer.Option("--stems", help="Deliver narration, music and the clips' sound apart, too, as WAV."),
    ] = None,
    burn_captions: Annotated[
        bool | None, typer.Option("--burn-captions", help="Draw captions into the pictures.")
    ] = None,
    caption_style: Annotated[
        str | None,
        typer.Option(
            help="How captions follow the voice: plain, karaoke (each word lit as it is spoken) or pop "
            "(a few large words in the middle). Default: plain."
        ),
    ] = None,
    caption_position: Annotated[
        str | None,
        typer.Option(help="Where captions are: bottom, middle or top. Default: as the style has it."),
    ] = None,
    caption_size: Annotated[
        float | None, typer.Option(help="Times the captions' usual size: 0.5 to 2. Default: 1.")
    ] = None,
    caption_colour: Annotated[
        str | None, typer.Option(help="The captions' colour, such as #FFDD00. Default: white.")
    ] = None,
    caption_outline: Annotated[
        str | None,
        typer.Option(help="The colour of the captions' outline, or box for black on a half-transparent box."),
    ] = None,
    caption_outline_width: Annotated[
        float | None,
        typer.Option(help="The outline's width: 0 to 0.25 of the letters' size. Default: 0.1."),
    ] = None,
    caption_font: Annotated[
        str | None,
        typer.Option(
            help="The captions' font: its name, or a file (.ttf, .otf, .ttc). Default: one that has their "
            "letters."
        ),
    ] = None,
    review_all: Annotated[
        bool,
        typer.Option(
            "--review",
            help="Wait for your review twice: of the storyboard, then of the voices and stills.",
        ),
    ] = False,
    review_at: Annotated[
        list[Gate] | None, typer.Option(help="Wait for your review only at this gate. Can be repeated.")
    ] = None,
    on_warning: Annotated[
        str | None,
        typer.Option(
            help="If the quality report warns: keep (deliver the film), retry_once (render clips that warn "
            "again, and keep the better try) or review (wait for you before it is delivered). Default: keep."
        ),
    ] = None,
    vision_check: Annotated[
        bool | None,
        typer.Option(
            "--vision-check", help="Ask a model that sees pictures whether clips show what their prompts say."
        ),
    ] = None,
    max_cost: MaxCost = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what the film would take and cost. Nothing is made.")
    ] = False,
    output: Output = None,
    wait: Wait = True,
    as_json: Json = False,
) -> None:
    """Make a film from a prompt or topic, follow its progress and download it."""
    given = None if storyboard is None else read_storyboard(storyboard)
    if wait and not dry_run:
        check_output(output)
    font_file = _font_file(caption_font)
    if music_bed is not None:
        if music is not None:
            fail("--music-bed must be omitted when --music is set: a film has one piece of music")
        music = _bed(music_bed, seed)
    fields: CreateFields = {
        "topic": topic,
        "tone": tone,
        "scenes": scenes,
        "storyboard": given,
        "narrate": narrate,
        "captions": captions,
        "language": language,
        "voice": voice,
        "voice_engine": voice_engine,
        "speech_speed": speech_speed,
        "narration_fit": narration_fit,
        "lexicon": None if lexicon is None else read_json_file(lexicon),
        "sample_rate": sample_rate,
        "stills": stills,
        "text_model": text_model,
        "temperature": temperature,
        "top_p": top_p,
        "max_tokens": max_tokens,
        "context_size": context_size,
        "model": engine,
        "seconds": seconds,
        "size": size,
        "aspect": aspect,
        "fit": fit,
        "shapes": [_shape(text) for text in shape] if shape else None,
        "focal_point": focal_point,
        "fps": fps,
        "fps_mode": fps_mode,
        "draft_for": draft_for,
        "negative_prompt": negative_prompt,
        "seed": seed,
        "steps": steps,
        "guidance": guidance,
        "speed": speed,
        "loras": [_lora(text) for text in lora] if lora else None,
        "enhance": enhance,
        "transition": transition,
        "transition_seconds": transition_seconds,
        "even_out": even_out,
        "music_mood": music_mood,
        "music_level": music_level,
        "music_start": music_start,
        "music_fade_in": music_fade_in,
        "music_fade_out": music_fade_out,
        "cut_on_beats": cut_on_beats,
        "brand": None if brand is None else read_brand(brand),
        "clip_sound": clip_sound,
        "stems": stems,
        "fragmented": fragmented,
        "burn_captions": burn_captions,
        "caption_style": caption_style,
        "caption_position": caption_position,
        "caption_size": caption_size,
        "caption_colour": caption_colour,
        "caption_outline": caption_outline,
        "caption_outline_width": caption_outline_width,
        "caption_font": None if font_file else caption_font,
        "on_warning": on_warning,
        "vision_check": vision_check,
        "max_cost": max_cost,
        "review": list(Gate) if review_all else review_at or None,
    }
    files = {"image": image, "last_frame": last_frame, "music": music, "caption_font_file": font_file}
    with Session() as client, TemporaryDirectory() as folder:
        if voice_over is not None:
            fields["storyboard"] = _cut(client, voice_over, given, Path(folder), voice)
            fields["narrate"] = bool(narrate)  # no voice speaks in the other scenes, unless that is asked for
        if dry_run:
            _estimated(
                client.estimate(prompt, **files, **fields),
                as_json=as_json,
            )
        else:
            video = client.submit(prompt, **files, **fields)
            _made(client, video, output, wait=wait, as_json=as_json)


def _cut(client: "Client", voice_over: Path, storyboard: Any, folder: Path, voice: str | None) -> Any:
    from lambdas.domain.errors import SoundUnreadable
    from reelworks.voice_over import NotCut, cut

    try:
        with err.status("finding the scenes in the voice-over"):
            return cut(client, voice_over, storyboard, folder, voice=voice)
    except NotCut as error:
        fail(str(error))
    except SoundUnreadable as error:
        fail(error.message)


def _bed(name: str, seed: int | None) -> Path:
    try:
        piece = bed(name, seed)
    except BedMissing as error:
        fail(str(error))
    err.print(f"music: {piece.stem}")
    return piece


def _font_file(font: str | None) -> Path | None:
    """Return the file that names a font; None if it is named by its name."""
    if font is None or not font.lower().endswith((".ttf", ".otf", ".ttc")):
        return None
    if not (path := Path(font)).is_file():
        fail(
            f"there is no file {font}. Name a font file, or a font that comes with Reelworks or is installed."
        )
    return path


def _estimated(estimate: "VideoEstimate", *, as_json: bool) -> None:
    """Print what a film would take."""
    if as_json:
        print_json(estimate.to_dict())
        return
    out.print(f"{escape(estimate.model)}, {escape(estimate.size)}, {escape(estimate.seconds)} s")
    out.print(progress.estimate_table(estimate))
    for line in estimated_lines(estimate):
        out.print(escape(visible(line)), soft_wrap=True)


@app.command()
def remix(
    video_id: VideoId,
    prompt: Annotated[str, typer.Argument(help="What to change.")],
    clip_sound: ClipSound = None,
    max_cost: MaxCost = None,
    output: Output = None,
    wait: Wait = True,
    as_json: Json = False,
) -> None:
    """Make a new film from an existing one, with something changed."""
    if wait:
        check_output(output)
    with Session() as client:
        video = client.remix(video_id, prompt, max_cost=max_cost, clip_sound=clip_sound)
        _made(client, video, output, wait=wait, as_json=as_json)


@app.command()
def shapes(
    video_id: VideoId,
    shape: Annotated[
        list[str],
        typer.Argument(
            help="Shapes: 16:9, 9:16, 1:1, 4:5 or 21:9; with contain or blur to show all of the picture, for "
            "example 9:16:blur."
        ),
    ],
    output: Output = None,
    wait: Wait = True,
    as_json: Json = False,
) -> None:
    """Deliver an existing film in further shapes, too. Nothing is rendered again."""
    if wait:
        check_output(output)
    with Session() as client:
        video = client.add_shapes(video_id, [_shape(text) for text in shape])
        _made(client, video, output, wait=wait, as_json=as_json)


@app.command()
def edit(
    video_id: VideoId,
    prompt: Annotated[str, typer.Argument(help="What the pictures should become.")],
    clip_sound: ClipSound = None,
    max_cost: MaxCost = None,
    output: Output = None,
    wait: Wait = True,
    as_json: Json = False,
) -> None:
    """Make a new film by redrawing the pictures of an existing one."""
    if wait:
        check_output(output)
    with Session() as client:
        video = client.edit(video_id, prompt, max_cost=max_cost, clip_sound=clip_sound)
        _made(client, video, output, wait=wait, as_json=as_json)


@app.command()
def extend(
    video_id: VideoId,
    prompt: Annotated[str, typer.Argument(help="What happens next.")],
    seconds: Annotated[int, typer.Option(help="Seconds to add.")],
    clip_sound: ClipSound = None,
    max_cost: MaxCost = None,
    output: Output = None,
    wait: Wait = True,
    as_json: Json = False,
) -> None:
    """Make a new film that continues where an existing one ends."""
    if wait:
        check_output(output)
    with Session() as client:
        video = client.extend(video_id, prompt, seconds, max_cost=max_cost, clip_sound=clip_sound)
        _made(client, video, output, wait=wait, as_json=as_json)


def _made(client: "Client", video: "Video", output: Path | None, *, wait: bool, as_json: bool) -> None:
    """Follow a video that was just requested, or print it."""
    if not wait:
        print_json(video.to_dict()) if as_json else out.print(video.id)
        return
    if not as_json:
        out.print(f"{video.id}: {video.model}, {video.size}")
        for note in video.notes:
            out.print(escape(f"note: {note}"))
    finish(client, video.id, output, as_json=as_json)


def _shape(text: str) -> dict[str, str]:
    aspect, _, fit = text.rpartition(":")
    return {"aspect": aspect, "fit": fit} if ":" in aspect else {"aspect": text}


def _lora(text: str) -> dict[str, Any]:
    name, colon, scale = text.rpartition(":")
    try:
        return {"name": name, "scale": float(scale)} if colon else {"name": text}
    except ValueError:
        fail(f"--lora must be NAME or NAME:SCALE, for example paper:0.8; got {text!r}.")


@app.command("list")
def list_videos(
    limit: Annotated[int, typer.Option(min=1, max=100)] = 20,
    after: Annotated[str | None, typer.Option(help="List the videos after this one.")] = None,
    as_json: Json = False,
) -> None:
    """List the newest videos."""
    with Session() as client:
        page = client.list(limit=limit, after=after)
    if as_json:
        print_json(page.to_dict())
        return
    out.print(progress.videos_table(page.data))
    if page.has_more:
        out.print(f"more: reel list --after {page.last_id}")


@app.command()
def show(
    video_id: VideoId,
    quality: Annotated[
        bool, typer.Option("--quality", help="Show the quality report of its latest film instead.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show everything about a video."""
    with Session() as client:
        if quality:
            show_quality(client, video_id, as_json=as_json)
            return
        video = client.status(video_id)
    if as_json:
        print_json(video.to_dict())
        return
    table = Table(show_header=False)
    for name, text in progress.details(video):
        table.add_row(name, escape(visible(text, lines=True)))
    out.print(table)


@app.command()
def films(video_id: VideoId, as_json: Json = False) -> None:
    """List the films of a video: one for each completed attempt, before and after you edited it."""
    with Session() as client:
        found = client.films(video_id)
    if as_json:
        print_json([film.to_dict() for film in found])
        return
    if not found:
        out.print(f"{video_id} has no film yet.")
        return
    out.print(progress.films_table(found))
    if len(found) > 1:
        out.print(f"download: reel get {video_id} --attempt {found[-1].attempt}", soft_wrap=True)


@app.command()
def get(
    video_id: VideoId,
    attempt: Annotated[
        int | None, typer.Option(min=1, help="Attempt that made the film; see `reel films`.")
    ] = None,
    shape: Annotated[
        str | None, typer.Option(help="Download the film in this one of its shapes only, for example 9:16.")
    ] = None,
    output: Output = None,
    as_json: Json = False,
) -> None:
    """Wait for a video, pausing where it needs your review, and download its film in all its shapes."""
    check_output(output, video_id)
    with Session() as client:
        if shape is not None:
            download_shape(client, video_id, shape, output, attempt=attempt, as_json=as_json)
        elif attempt is None:
            finish(client, video_id, output, as_json=as_json)
        else:
            download_attempt(client, video_id, attempt, output, as_json=as_json)


@app.command()
def export(
    video_id: VideoId,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Zip file, or folder to save it in. Default: films/VIDEO_ID.zip."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Export a film as a project for video editors: timelines, clips, narration, music and captions."""
    if find_spec("opentimelineio") is None:
        fail(f"reel export needs OpenTimelineIO; install it with: {install_command('export')}")
    from reelworks.export.project import export as export_project

    path = output or Path("films")
    path = path / f"{video_id}.zip" if output is None or path.is_dir() else path
    with Session() as client:
        try:
            saved_file.check(path)
            path.parent.mkdir(parents=True, exist_ok=True)
            with err.status("downloading") as status:
                material = export_project(
                    client,
                    video_id,
                    path,
                    lambda done, files: status.update(f"downloaded {done} of {files} files"),
                )
        except OSError as error:
            fail(f"cannot write {path}: {error.strerror}. Choose another -o PATH.")
    for what in material.missing:
        err.print(escape(visible(f"not included: {what}")), soft_wrap=True)
    if as_json:
        print_json({"id": video_id, "path": str(path.resolve()), "clips": len(material.cuts)})
    else:
        out.print(f"project: {escape(visible(str(path.resolve())))}", soft_wrap=True)


@app.command()
def cancel(video_id: VideoId, as_json: Json = False) -> None:
    """Cancel a video in progress."""
    with Session() as client:
        video = client.cancel(video_id)
    print_json(video.to_dict()) if as_json else out.print(f"{video_id}: {video.stage}")
