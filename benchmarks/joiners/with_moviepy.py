"""Join clips with MoviePy, as its documentation shows and with its own settings.

    python -m benchmarks.joiners.with_moviepy DIRECTORY OUTPUT [SECONDS]

With SECONDS, joins with crossfades of that length; otherwise with hard cuts.
"""

import sys
from pathlib import Path

from moviepy import VideoFileClip, concatenate_videoclips, vfx

from benchmarks.joiners.clock import clocked


def main() -> None:
    directory, output, *seconds = sys.argv[1:]
    with clocked():
        clips = [VideoFileClip(str(path)) for path in sorted(Path(directory).iterdir())]
        if seconds:
            fade = float(seconds[0])
            faded = [clips[0], *(clip.with_effects([vfx.CrossFadeIn(fade)]) for clip in clips[1:])]
            film = concatenate_videoclips(faded, method="compose", padding=-fade)
        else:
            film = concatenate_videoclips(clips)
        film.write_videofile(output, audio=False, logger=None)
        for clip in clips:  # each has its own FFmpeg, whose CPU time is known once it has ended
            clip.close()


if __name__ == "__main__":
    main()
