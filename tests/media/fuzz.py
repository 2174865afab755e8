"""Damage clips and films in many ways and pass them to every reader: a separate program, since it may crash.

`python -m tests.media.fuzz [NUMBER]` reads all files, or only that one. Each file's number is printed
before it is read, so the last number printed is the file that crashed the process.
"""

import faulthandler
import random
import resource
import sys
import traceback
from collections.abc import Callable, Iterator
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import numpy as np

from containers.diffusion.export import mp4 as exported
from lambdas.domain.assembly import Fit, Transition, TransitionKind
from lambdas.domain.errors import MediaError
from lambdas.media.captions import Cue, timed_text
from lambdas.media.conform import FilmFormat, conform
from lambdas.media.continuity import even_out, repeats_last_frame
from lambdas.media.encode import encode
from lambdas.media.frames import last_frame, poster
from lambdas.media.join import join
from lambdas.media.mp4.merge import Chapter, Piece, lay_out
from lambdas.media.probe import probe
from lambdas.media.sound import silence
from lambdas.media.source import BytesSource, Source
from lambdas.media.splice import splice
from lambdas.media.spritesheet import spritesheet
from tests.media.clips import pictures
from tests.media.files import recorded, with_sound

FILES = 560
MEMORY = 3 * 1024**3
"""Bytes of address space."""
RESIDENT = 500 * 1024
"""KiB."""
SECONDS = 30
"""For one file; it takes a twentieth of a second."""
SEED = 20_250_101

Damage = Callable[[bytes, random.Random], bytes]


def healthy() -> dict[str, bytes]:
    size = {"width": 48, "height": 32}
    draft = encode(pictures(9, **size), **size, fps=8, metadata={"title": "A bee"}, keyframes={0, 4})
    frames = np.stack(list(pictures(9, **size)))
    sound = BytesIO()
    silence(Fraction(9, 8), sound)
    captions = timed_text([Cue(Fraction(0), Fraction(1), "A bee")], Fraction(9, 8), language="en")
    film = [
        lay_out(
            [Piece(BytesSource(draft), 0)],
            sound=BytesSource(sound.getvalue()),
            captions=[BytesSource(captions)],
            chapters=[Chapter(Fraction(0), "One")],
            metadata={},
            fragmented=fragmented,
        )
        for fragmented in (False, True)
    ]
    return {
        "draft": draft,
        "engine's": exported(frames, 8, {}),
        "film": b"".join(film[0].stream()),
        "fragmented film": b"".join(film[1].stream()),
        "with sound": with_sound(),
        "B-frames": recorded(pictures(12, **size)),
        "mpeg4": recorded(pictures(5, **size), codec="mpeg4"),
        # A different size: x265 writes past its memory for pictures smaller than its 64-pixel blocks.
        "hevc": recorded(pictures(5), codec="libx265"),
        "vp9": recorded(pictures(5, **size), codec="libvpx-vp9"),
    }


def boxes(mp4: bytes) -> list[tuple[int, int]]:
    """Return start and end of all boxes in the file, at any depth."""
    found = []

    def walk(start: int, end: int) -> None:
        while start + 8 <= end:
            size = int.from_bytes(mp4[start : start + 4])
            if not 8 <= size <= end - start:
                return
            found.append((start, start + size))
            if mp4[start + 4 : start + 8] in b"moov trak mdia minf stbl edts dinf mvex moof traf udta":
                walk(start + 8, start + size)
            start += size

    walk(0, len(mp4))
    return found


def index_of(mp4: bytes) -> tuple[int, int]:
    """Return the position of `moov`."""
    return next((start, end) for start, end in boxes(mp4) if mp4[start + 4 : start + 8] == b"moov")


def flip_index(mp4: bytes, rng: random.Random) -> bytes:
    start, end = index_of(mp4)
    return _flipped(mp4, rng, start, end, rng.randint(1, 8))


def flip_anywhere(mp4: bytes, rng: random.Random) -> bytes:
    return _flipped(mp4, rng, 0, len(mp4), rng.randint(1, 40))


def _flipped(mp4: bytes, rng: random.Random, start: int, end: int, count: int) -> bytes:
    damaged = bytearray(mp4)
    for _ in range(count):
        damaged[rng.randrange(start, end)] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def extreme_number(mp4: bytes, rng: random.Random) -> bytes:
    """Change one or two of the index's fields."""
    damaged = bytearray(mp4)
    for _ in range(rng.randint(1, 2)):
        start, end = rng.choice([span for span in boxes(mp4) if mp4[span[0] + 4 : span[0] + 8] != b"mdat"])
        at = start + 4 * rng.randrange((end - start) // 4)
        number = rng.choice([0, 1, 2**16, 2**20, 2**31 - 1, 2**31, 2**32 - 16, 2**32 - 1])
        damaged[at : at + 4] = number.to_bytes(4)
    return bytes(damaged[: len(mp4)])


def lying_size(mp4: bytes, rng: random.Random) -> bytes:
    start, end = rng.choice(boxes(mp4))
    size = rng.choice([0, 1, 7, 8, end - start - 4, end - start + 4, 2 * (end - start), 2**31, 2**32 - 1])
    return mp4[:start] + size.to_bytes(4) + mp4[start + 4 :]


def cut_off(mp4: bytes, rng: random.Random) -> bytes:
    return mp4[: rng.randrange(len(mp4))]


def swapped_boxes(mp4: bytes, rng: random.Random) -> bytes:
    one, other = sorted(rng.sample(boxes(mp4), 2))
    if other[0] < one[1]:  # one contains the other
        return mp4[: one[0]] + mp4[other[0] : other[1]] + mp4[one[1] :]
    between = mp4[one[1] : other[0]]
    return b"".join((mp4[: one[0]], mp4[slice(*other)], between, mp4[slice(*one)], mp4[other[1] :]))


def other_kind(mp4: bytes, rng: random.Random) -> bytes:
    kinds = [mp4[start + 4 : start + 8] for start, _ in boxes(mp4)]
    start, _ = rng.choice(boxes(mp4))
    return mp4[: start + 4] + rng.choice(kinds) + mp4[start + 8 :]


def without_range(mp4: bytes, rng: random.Random) -> bytes:
    start, end = _range(mp4, rng)
    return mp4[:start] + mp4[end:]


def repeated_range(mp4: bytes, rng: random.Random) -> bytes:
    start, end = _range(mp4, rng)
    return mp4[:end] + mp4[start:]


def _range(mp4: bytes, rng: random.Random) -> tuple[int, int]:
    if rng.random() < 0.5:
        return rng.choice(boxes(mp4))
    start = rng.randrange(len(mp4))
    return start, min(len(mp4), start + rng.choice([1, 4, 100, 1000]))


def twice(mp4: bytes, rng: random.Random) -> bytes:
    return mp4 + mp4[rng.choice([0, rng.randrange(len(mp4))]) :]


DAMAGES: list[Damage] = [
    flip_index,
    flip_index,
    extreme_number,
    extreme_number,
    flip_anywhere,
    lying_size,
    cut_off,
    swapped_boxes,
    other_kind,
    without_range,
    repeated_range,
    twice,
]


def files() -> Iterator[tuple[str, bytes]]:
    """Return each file's description and its bytes; always the same."""
    bases = healthy()
    for number in range(FILES):
        rng = random.Random(SEED + number)
        name = list(bases)[number % len(bases)]
        damage = DAMAGES[number // len(bases) % len(DAMAGES)]
        yield f"{name}: {damage.__name__}", damage(bases[name], rng)


SMALL = FilmFormat(32, 16, Fraction(8))
FADE = Transition(TransitionKind.CROSSFADE, 2)


def read_all(data: bytes) -> list[bool]:
    """Return the readers that reject the file."""
    piece = Piece(BytesSource(data), 0)
    again = Piece(BytesSource(data), 1)

    def stored(index: int, make: Callable[[], bytes]) -> Source:
        return BytesSource(make())

    readers: list[Callable[[], object]] = [
        lambda: probe(data),
        lambda: last_frame(data),
        lambda: poster(data),
        lambda: spritesheet(data),
        lambda: conform(data, SMALL, Fit.COVER, BytesIO()),
        lambda: join([data, data], BytesIO(), metadata={}),
        lambda: [len(chunk) for chunk in lay_out([piece, again], metadata={}).stream()],
        lambda: splice([piece, again], [FADE], stored),
        lambda: repeats_last_frame(piece, again),
        lambda: even_out([piece, again], {1}, stored),
    ]
    return [_refuses(reader) for reader in readers]


def _refuses(reader: Callable[[], object]) -> bool:
    try:
        reader()
    except MediaError:
        return True
    return False


def _most_resident() -> int:
    """Return KiB used by this program only: getrusage also counts the process before its exec."""
    try:
        return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
    except FileNotFoundError:  # not Linux
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main(only: int | None) -> int:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    failed = by_some = by_all = 0
    for number, (what, data) in enumerate(files()):
        if only not in (None, number):
            continue
        print(number, what, flush=True)
        faulthandler.dump_traceback_later(SECONDS, exit=True)
        try:
            refused = read_all(data)
            by_some += any(refused)
            by_all += all(refused)
        except Exception:  # noqa: BLE001
            traceback.print_exc()
            failed += 1
    faulthandler.cancel_dump_traceback_later()
    resident = _most_resident()
    print(
        f"refused by some: {by_some}, by all: {by_all}, failed: {failed}, resident: {resident} KiB",
        flush=True,
    )
    return int(failed > 0 or resident > RESIDENT)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else None))
