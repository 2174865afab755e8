"""Join clips with crossfades as the assembly does, encoding only the frames that change.

python -m benchmarks.joiners.crossfades DIRECTORY OUTPUT FRAMES
"""

import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.joiners.clock import clocked
from lambdas.domain.assembly import Transition, TransitionKind
from lambdas.media.mp4.merge import Piece, lay_out
from lambdas.media.source import FileSource
from lambdas.media.splice import splice


def main() -> None:
    directory, output = map(Path, sys.argv[1:3])
    crossfade = Transition(TransitionKind.CROSSFADE, int(sys.argv[3]))
    joints = output.with_suffix(".joints")
    joints.mkdir()

    def keep(number: int, make: Callable[[], bytes]) -> FileSource:
        joint = joints / f"{number:04}.mp4"
        joint.write_bytes(make())
        return FileSource(joint)

    with clocked(), output.open("wb", buffering=0) as film:
        clips = [Piece(FileSource(clip), number) for number, clip in enumerate(sorted(directory.iterdir()))]
        pieces = splice(clips, [crossfade] * (len(clips) - 1), keep)
        for chunk in lay_out(pieces, metadata={}).stream():
            film.write(chunk)


if __name__ == "__main__":
    main()
