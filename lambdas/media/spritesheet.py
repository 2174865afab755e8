"""Make the spritesheet: tiles of a film in one picture, for a player's seek bar."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from math import ceil

from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image
from pysubs2 import SSAEvent, SSAFile

from lambdas.domain.errors import ClipUnreadable
from lambdas.media.probe import Source, decoded, frame_rate, open_video

COLUMNS = 10
MOST_TILES = 100
# Longer side of a tile: its width for a landscape film, its height for a portrait one.
TILE_SIDE = 160
QUALITY = 75
INTERVALS = [Fraction(step) for step in ("1/4", "1/2", "1", "2", "5", "10", "15", "20", "30", "40", "60")]
# Engines' keyframes are two seconds apart. At shorter intervals, the film is decoded once without seeking.
SEEKING_FROM = 2
# From this interval on, a tile shows the last keyframe before its time, because decoding up to the exact time
# costs ten times as much.
KEYFRAMES_FROM = 10


@dataclass(frozen=True)
class Sheet:
    """A spritesheet. In `jpeg`, tile n (from 0) shows the film at n × `interval` seconds, in rows of COLUMNS
    tiles from the top left. Sizes are in pixels."""

    jpeg: bytes
    tiles: int
    tile_width: int
    tile_height: int
    interval: Fraction

    def vtt(self, url: str) -> str:
        """Return the WebVTT that maps times to tiles for players. `url` is the sheet's URL."""
        file = SSAFile()
        for index in range(self.tiles):
            x, y = _corner(index, self.tile_width, self.tile_height)
            text = f"{url}#xywh={x},{y},{self.tile_width},{self.tile_height}"
            start, end = (round(1000 * self.interval * n) for n in (index, index + 1))
            file.append(SSAEvent(start=start, end=end, text=text))
        return file.to_string("vtt", keep_ssa_tags=True)


def spritesheet(film: Source) -> Sheet:
    """Make a sheet of at most 100 tiles, at the shortest of INTERVALS that covers the whole film.

    Memory: one frame and the sheet. Raises ClipUnreadable, also for a film of more than 100 minutes.
    """
    with open_video(film) as (container, stream):
        # Not frames ÷ fps, because FFmpeg doesn't know the frame count of a fragmented film.
        if not (stream.duration and stream.time_base):
            raise ClipUnreadable("its length is unknown")
        duration = stream.duration * stream.time_base
        interval = next((step for step in INTERVALS if duration <= step * MOST_TILES), None)
        if interval is None:
            raise ClipUnreadable(f"it is too long for a spritesheet: {float(duration):.0f} s")
        tiles = ceil(duration / interval)
        scale = TILE_SIDE / max(stream.width, stream.height)
        width, height = (max(1, round(side * scale)) for side in (stream.width, stream.height))
        rows = ceil(tiles / COLUMNS)
        image = Image.new("RGB", (min(tiles, COLUMNS) * width, rows * height))
        for index, frame in enumerate(_moments(container, stream, interval, tiles)):
            tile = frame.reformat(width=width, height=height, format="rgb24", interpolation="AREA")
            image.paste(Image.fromarray(tile.to_ndarray()), _corner(index, width, height))
    file = BytesIO()
    image.save(file, "JPEG", quality=QUALITY)
    return Sheet(file.getvalue(), tiles, width, height, interval)


def _corner(index: int, width: int, height: int) -> tuple[int, int]:
    row, column = divmod(index, COLUMNS)
    return column * width, row * height


def _moments(
    container: InputContainer, stream: VideoStream, interval: Fraction, count: int
) -> Iterator[VideoFrame]:
    if stream.time_base is None:
        raise ClipUnreadable("it has no time base")
    if interval >= KEYFRAMES_FROM:
        stream.codec_context.skip_frame = "NONKEY"
    half_a_frame = 1 / (2 * frame_rate(stream) * stream.time_base)
    frames, shown = decoded(container, stream), None
    for index in range(count):
        moment = (stream.start_time or 0) + index * interval / stream.time_base
        if interval >= SEEKING_FROM:
            container.seek(int(moment), stream=stream)  # to the keyframe at or before it
            frames, shown = decoded(container, stream), None
        while shown is None or (interval < KEYFRAMES_FROM and (shown.pts or 0) + half_a_frame <= moment):
            following = next(frames, None)
            if following is None:
                break
            shown = following
        if shown is None:
            raise ClipUnreadable(f"it has no frame at {float(index * interval)} s")
        yield shown
