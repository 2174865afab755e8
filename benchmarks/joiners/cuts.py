"""Join clips with hard cuts as the assembly does, by their sample tables.

python -m benchmarks.joiners.cuts DIRECTORY OUTPUT
"""

import sys
from pathlib import Path

from benchmarks.joiners.clock import clocked
from lambdas.media.mp4.merge import Piece, lay_out
from lambdas.media.source import FileSource


def main() -> None:
    directory, output = map(Path, sys.argv[1:])
    with clocked(), output.open("wb", buffering=0) as film:
        pieces = [Piece(FileSource(clip), number) for number, clip in enumerate(sorted(directory.iterdir()))]
        for chunk in lay_out(pieces, metadata={}).stream():
            film.write(chunk)


if __name__ == "__main__":
    main()
