"""`reel storyboard`, `approve`, `retry`, `regenerate` and `previews`: review and change films."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from reelworks.cli import progress, review_session
from reelworks.cli.follow_film import check_output, finish
from reelworks.cli.options import MaxCost, Output, VideoId, Wait, existing_file, read_storyboard
from reelworks.cli.terminal import Json, Session, fail, out, print_json
from reelworks.video_words import describe

if TYPE_CHECKING:
    from reelworks.client import Client, Video

app = typer.Typer()
storyboard_app = typer.Typer(help="Show or edit a film's storyboard.", no_args_is_help=True)


@storyboard_app.command("show")
def show_storyboard(video_id: VideoId, as_json: Json = False) -> None:
    """Show a film's storyboard: what is said and shown in each scene."""
    with Session() as client:
        document, _ = client.storyboard(video_id)
    print_json(document.to_dict()) if as_json else review_session.show_storyboard(document)


@storyboard_app.command("edit")
def edit_storyboard(
    video_id: VideoId,
    file: Annotated[
        Path | None,
        existing_file("JSON file with the new storyboard, instead of opening an editor."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Edit a film's storyboard in your editor (VISUAL or EDITOR). Nothing is filmed until you approve."""
    document = None if file is None else read_storyboard(file)
    with Session() as client:
        if file is None:
            changed = review_session.edit_storyboard(client, video_id)
        else:
            changed = review_session.put_file(client, video_id, document)
        video = client.status(video_id)
    if as_json:
        print_json({**video.to_dict(), "changed": changed})
    elif changed:
        out.print("\n".join(progress.edited_lines(video)), soft_wrap=True)
    else:
        out.print("unchanged")


@app.command()
def approve(
    video_id: VideoId,
    max_cost: MaxCost = None,
    output: Output = None,
    wait: Wait = True,
    as_json: Json = False,
) -> None:
    """Approve a film that waits for your review, or re-render the edits to one that has ended."""
    if wait:
        check_output(output, video_id)
    with Session() as client:
        video = client.approve(video_id, max_cost=max_cost)
        _go_on(client, video, output, wait=wait, as_json=as_json)


@app.command()
def retry(
    video_id: VideoId,
    max_cost: MaxCost = None,
    output: Output = None,
    wait: Wait = True,
    as_json: Json = False,
) -> None:
    """Resume a failed or cancelled film. Everything already made is reused. A limit counts all attempts."""
    if wait:
        check_output(output, video_id)
    with Session() as client:
        video = client.retry(video_id, max_cost=max_cost)
        _go_on(client, video, output, wait=wait, as_json=as_json)


@app.command()
def regenerate(
    video_id: VideoId,
    scene: Annotated[int, typer.Argument(min=1, help="Scene number, starting at 1.")],
    part: Annotated[Literal["text", "voice", "still"], typer.Argument(help="Part to regenerate.")],
    note: Annotated[str | None, typer.Option(help="Note to the text model: what should change.")] = None,
    voice: Annotated[str | None, typer.Option(help="New voice for the scene.")] = None,
    speed: Annotated[float | None, typer.Option(help="Voice speed, 0.5 to 2.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the still. Default: a different one.")] = None,
    output: Output = None,
    wait: Wait = True,
    as_json: Json = False,
) -> None:
    """Regenerate one scene's text, voice or still."""
    if wait:
        check_output(output, video_id)
    with Session() as client:
        from reelworks.client import ApiError

        try:
            video = client.regenerate(
                video_id, scene - 1, part, note=note, voice=voice, speed=speed, seed=seed
            )
        except ApiError as error:
            if error.param == "scene":  # the API's message counts scenes from 0
                fail(f"scene {scene} does not exist; see reel storyboard show {video_id}")
            raise
        _go_on(client, video, output, wait=wait, as_json=as_json)


@app.command()
def previews(
    video_id: VideoId,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Folder to save to. Default: films/VIDEO_ID/previews.", file_okay=False
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Download the voices and stills made so far."""
    with Session() as client:
        video = client.status(video_id)
        found = review_session.fetch_previews(client, video, folder)
        storyboard = client.storyboard(video_id)[0] if found else None
    if as_json:
        print_json(found)
    elif storyboard:
        review_session.show_previews(storyboard, found)
    else:
        out.print(f"No previews yet: {video_id} is {video.stage}.")


def _go_on(client: "Client", video: "Video", output: Path | None, *, wait: bool, as_json: bool) -> None:
    """Follow a video that was just approved, retried or regenerated, or print what comes next."""
    ended = video.status in ("completed", "failed")
    if wait and not ended:
        finish(client, video.id, output, as_json=as_json)
    elif as_json:
        print_json(video.to_dict())
    elif ended:
        out.print("\n".join(progress.edited_lines(video)), soft_wrap=True)
    else:
        out.print(f"{video.id}: {describe(video)}", soft_wrap=True)
