"""Copy the clips' bytes end to end: no way of joining them reads and writes less.

python -m benchmarks.joiners.copying DIRECTORY OUTPUT
"""

import os
import sys

from benchmarks.joiners.clock import clocked

BUFFER = 1024 * 1024


def main() -> None:
    directory, output = sys.argv[1:]
    with clocked(), open(output, "wb", buffering=0) as film:
        buffer = memoryview(bytearray(BUFFER))
        for name in sorted(os.listdir(directory)):
            with open(os.path.join(directory, name), "rb", buffering=0) as clip:
                while length := clip.readinto(buffer):
                    film.write(buffer[:length])


if __name__ == "__main__":
    main()
