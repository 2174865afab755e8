"""Joins the clips of a video into its film."""

import textwrap
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.adapters import stores
from lambdas.adapters.objects import Objects
from lambdas.adapters.videos import Videos
from lambdas.domain import keys
from lambdas.domain.engines import CATALOGUE
from lambdas.domain.errors import ClipMismatch, ClipUnreadable
from lambdas.domain.storyboard import Storyboard, film_hash
from lambdas.domain.video import Document, Stage
from lambdas.media.frames import poster
from lambdas.media.join import join
from lambdas.settings import StoreSettings
from lambdas.tasks.clips import load_storyboard
from lambdas.tasks.task import VideoTask, task
from lambdas.telemetry import logger

_LONGEST_TITLE = 120  # characters; players show it in a window's title


class FilmMade(Document):
    """What the state machine is told of the film."""

    film: str  # key in the output bucket
    reused: bool


@task
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    request = VideoTask.model_validate(event)
    settings = StoreSettings.from_env()
    made = assemble(request.tenant, request.video_id, stores.videos(settings), stores.outputs(settings))
    return made.model_dump()


def assemble(tenant: str, video_id: str, videos: Videos, outputs: Objects) -> FilmMade:
    """Raises ArtifactMissing, ClipMismatch, VideoClosed; ClipUnreadable, ClipsDiffer with a clip's index."""
    videos.advance(tenant, video_id, Stage.ASSEMBLING)
    storyboard = load_storyboard(outputs, tenant, video_id)
    content = film_hash(storyboard)
    film, thumbnail = keys.film(tenant, content), keys.poster(tenant, content)
    if outputs.exists(film) and outputs.exists(thumbnail):
        logger.info("film reused", extra={"film": film})
        return FilmMade(film=film, reused=True)
    with TemporaryDirectory() as folder:
        joined = _join(storyboard, outputs, Path(folder))
        outputs.put(thumbnail, poster(joined), "image/webp")
        with joined.open("rb") as file:
            outputs.put(film, file, "video/mp4")
    logger.info("film assembled", extra={"film": film, "clips": len(storyboard.clips)})
    return FilmMade(film=film, reused=False)


def _join(storyboard: Storyboard, outputs: Objects, folder: Path) -> Path:
    clips = []
    for clip in storyboard.clips:
        path = folder / f"{clip.index:03d}.mp4"
        path.write_bytes(outputs.get(keys.clip(storyboard.tenant, clip.key_hash)))
        clips.append(path)
    film = folder / "film.mp4"
    try:
        with film.open("w+b") as output:
            joined = join(clips, output, metadata=metadata(storyboard))
    except ClipUnreadable as error:
        if error.clip is not None:
            # Else the next attempt would find the broken artifact and use it again.
            outputs.delete(keys.clip(storyboard.tenant, storyboard.clips[error.clip].key_hash))
        raise
    frames = sum(clip.film_frames for clip in storyboard.clips)
    if joined.frames != frames:
        raise ClipMismatch(f"the film has {joined.frames} frames, its storyboard {frames}")
    return film


def metadata(storyboard: Storyboard) -> dict[str, str]:
    """What the MP4 says of itself: nothing but what is part of the film's content address."""
    text = " ".join(scene.text for scene in storyboard.scenes)
    said = {
        "title": textwrap.shorten(text, _LONGEST_TITLE, placeholder=" …"),
        "description": text,
        "reelworks_engine": storyboard.engine,
    }
    if CATALOGUE[storyboard.engine].draft:
        said |= {"comment": "Draft storyboard film, not a rendered video", "reelworks_draft": "true"}
    return said
