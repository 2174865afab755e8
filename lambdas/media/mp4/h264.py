"""Parse an H.264 decoder's setup: `avcC` (ISO/IEC 14496-15, 5.3.3) and the SPS fields (ITU-T H.264, 7.3.2.1.1
and E.1.1) that must be equal for all clips of a track."""

from dataclasses import dataclass, fields
from functools import lru_cache

from lambdas.domain.errors import ClipUnreadable
from lambdas.media.limits import WIDEST
from lambdas.media.mp4.boxes import unpack

# Profiles whose SPS has extra fields about its samples (7.3.2.1.1).
_HIGH = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}
_EXTENDED_ASPECT = 255
# Value of absent colour fields in 7.4.2.1.1: "unspecified".
UNSPECIFIED = 2
_MAX_SET = 4096  # bytes; x264's are 30


@dataclass(frozen=True)
class Picture:
    """Picture properties that must be equal within a track. Field names appear in errors."""

    size: tuple[int, int]
    profile: int
    chroma_format: int
    bit_depths: tuple[int, int]
    progressive: bool
    aspect_ratio: tuple[int, int]
    colour: tuple[int, int, int, bool]
    """Primaries, transfer, matrix and full range, as numbered in ITU-T H.273."""

    def difference(self, other: "Picture") -> tuple[str, object, object] | None:
        """Return the first field that differs, with both values, or None."""
        for field in fields(self):
            mine, its = getattr(self, field.name), getattr(other, field.name)
            if mine != its:
                return field.name.replace("_", " "), mine, its
        return None


@dataclass(frozen=True)
class Setup:
    """One `avcC`. `length_size` is the bytes of each NAL unit's length; `parameter_sets` are SPS and PPS, as
    placed before a keyframe."""

    avcc: bytes
    level: int
    length_size: int
    parameter_sets: bytes
    picture: Picture


@lru_cache(maxsize=16)  # a film's clips have few kinds, usually one
def read_setup(avcc: bytes) -> Setup:
    """Parse an `avcC`. Raises ClipUnreadable."""
    version, _profile, _compatibility, level, lengths, count = unpack(">6B", avcc, 0, "avcC")
    if version != 1:
        raise ClipUnreadable(f"avcC version must be 1; got {version!r}")
    length_size = (int(lengths) & 3) + 1
    sequence, offset = _sets(avcc, 6, int(count) & 31)
    (count,) = unpack(">B", avcc, offset, "avcC")
    pictures, _ = _sets(avcc, offset + 1, int(count))
    if len(sequence) != 1 or not pictures:
        raise ClipUnreadable(
            f"avcC must have one SPS and at least one PPS; got {len(sequence)} and {len(pictures)}"
        )
    prefix = b"".join(len(one).to_bytes(length_size, "big") + one for one in sequence + pictures)
    return Setup(avcc, int(level), length_size, prefix, _read_sps(sequence[0]))


def _sets(avcc: bytes, offset: int, count: int) -> tuple[list[bytes], int]:
    found = []
    for _ in range(count):
        (length,) = unpack(">H", avcc, offset, "avcC")
        (content,) = unpack(f">{length}s", avcc, offset + 2, "avcC")
        if not 0 < int(length) <= _MAX_SET:
            raise ClipUnreadable(f"avcC has a parameter set of unsupported length, {length!r} bytes")
        found.append(bytes(content))
        offset += 2 + int(length)
    return found, offset


def _read_sps(sps: bytes) -> Picture:
    bits = _Bits(sps[1:].replace(b"\0\0\3", b"\0\0"))  # 7.4.1: the 3 only prevents start codes
    profile = bits.number(8)
    bits.number(16)  # constraints, level
    bits.golomb()  # id
    chroma, depths = 1, (8, 8)
    if profile in _HIGH:
        chroma = bits.golomb()
        if chroma == 3:
            bits.number(1)
        depths = (8 + bits.golomb(), 8 + bits.golomb())
        bits.number(1)
        if bits.number(1):
            for index in range(12 if chroma == 3 else 8):
                if bits.number(1):
                    _skip_scaling_list(bits, 16 if index < 6 else 64)
    bits.golomb()  # frame numbers
    order = bits.golomb()
    if order == 0:
        bits.golomb()
    elif order == 1:
        bits.number(1)
        bits.golomb()
        bits.golomb()
        for _ in range(min(bits.golomb(), 255)):
            bits.golomb()
    bits.golomb()  # reference frames
    bits.number(1)
    columns, rows = bits.golomb() + 1, bits.golomb() + 1
    progressive = bits.number(1)
    if not progressive:
        bits.number(1)
    bits.number(1)
    crop = [bits.golomb() for _ in range(4)] if bits.number(1) else [0] * 4
    unit_x, unit_y = (2 if chroma in (1, 2) else 1), (2 if chroma == 1 else 1) * (2 - progressive)
    width = 16 * columns - unit_x * (crop[0] + crop[1])
    height = 16 * rows * (2 - progressive) - unit_y * (crop[2] + crop[3])
    if not (0 < width <= WIDEST and 0 < height <= WIDEST):
        raise ClipUnreadable(f"its frame size of {width}x{height} is not supported")
    aspect, colour = _read_usability(bits) if bits.number(1) else ((1, 1), (UNSPECIFIED,) * 3 + (False,))
    return Picture((width, height), profile, chroma, depths, bool(progressive), aspect, colour)


def _read_usability(bits: "_Bits") -> tuple[tuple[int, int], tuple[int, int, int, bool]]:
    aspect, colour, full = (1, 1), (UNSPECIFIED, UNSPECIFIED, UNSPECIFIED), False
    if bits.number(1):
        known = bits.number(8)
        if known == _EXTENDED_ASPECT:
            aspect = (bits.number(16), bits.number(16))
        elif 1 < known < len(_ASPECTS):
            aspect = _ASPECTS[known]
    if bits.number(1):
        bits.number(1)
    if bits.number(1):
        bits.number(3)
        full = bool(bits.number(1))
        if bits.number(1):
            colour = (bits.number(8), bits.number(8), bits.number(8))
    return aspect, (*colour, full)


# Table E-1, from index 0.
_ASPECTS = [(1, 1), (1, 1), (12, 11), (10, 11), (16, 11), (40, 33), (24, 11), (20, 11), (32, 11), (80, 33)]
_ASPECTS += [(18, 11), (15, 11), (64, 33), (160, 99), (4, 3), (3, 2), (2, 1)]


def _skip_scaling_list(bits: "_Bits", size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            code = bits.golomb()
            following = (last + (-(code // 2) if code % 2 == 0 else code // 2 + 1)) % 256
        last = following or last


class _Bits:
    """Reads bits, highest bit first."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def number(self, count: int) -> int:
        if count > self._left:
            raise ClipUnreadable("SPS is too short")
        self._left -= count
        return self._value >> self._left & (1 << count) - 1

    def golomb(self) -> int:
        """Read an unsigned Exp-Golomb number (9.1)."""
        zeros = 0
        while not self.number(1):
            zeros += 1
            if zeros > 32:
                raise ClipUnreadable("SPS has a number longer than 32 bits")
        return (1 << zeros) - 1 + self.number(zeros)
