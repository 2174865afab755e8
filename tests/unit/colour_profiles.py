"""ICC profiles as cameras, phones and printers embed them, and their arithmetic in NumPy."""

import struct
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Curve = Callable[[Numbers], Numbers]  # from stored values to light, both 0 to 1

D50 = (0.9642, 1.0, 0.8249)


def srgb_light(stored: Numbers) -> Numbers:
    return np.where(stored <= 0.04045, stored / 12.92, ((stored + 0.055) / 1.055) ** 2.4)


def power(gamma: float) -> Curve:
    return lambda stored: stored**gamma


# Columns: the XYZ of red, green and blue, adapted to D50.
SRGB = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])
SPACES: dict[str, tuple[Numbers, Curve]] = {
    "Display P3": (
        np.array([[0.51512, 0.29198, 0.15710], [0.24120, 0.69225, 0.06657], [-0.00105, 0.04189, 0.78407]]),
        srgb_light,
    ),
    "Adobe RGB": (
        np.array([[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]]),
        power(563 / 256),
    ),
    "ProPhoto": (
        np.array([[0.79767, 0.13519, 0.03134], [0.28804, 0.71188, 0.00009], [0.0, 0.0, 0.82491]]),
        power(1.8),
    ),
}


def stored_in(space: str, srgb: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return the 8-bit values that show a colour of sRGB in another space."""
    matrix, light = SPACES[space]
    wanted = np.linalg.solve(matrix, SRGB @ srgb_light(np.array(srgb) / 255))
    scale = np.linspace(0, 1, 100_001)
    red, green, blue = (round(255 * value) for value in np.interp(wanted, light(scale), scale))
    return red, green, blue


def rgb_profile(space: str) -> bytes:
    matrix, light = SPACES[space]
    tags = {f"{name}XYZ": _xyz(matrix[:, index]) for index, name in enumerate("rgb")}
    tags |= {f"{name}TRC": _curve(light) for name in "rgb"}
    return _profile(b"mntr", b"RGB ", b"XYZ ", tags)


def grey_profile(light: Curve) -> bytes:
    return _profile(b"mntr", b"GRAY", b"XYZ ", {"kTRC": _curve(light)})


def ink_profile(lab: dict[tuple[int, int, int, int], tuple[float, float, float]]) -> bytes:
    """Return the profile of a printer with the given colour (Lab) for each overprint of full inks (CMYK, 0 or
    1); all others are black."""
    grid = bytearray()
    for number in range(16):
        inks = (number >> 3 & 1, number >> 2 & 1, number >> 1 & 1, number & 1)
        light, a, b = lab.get(inks, (0, 0, 0))
        grid += bytes((round(light * 2.55), round(a + 128), round(b + 128)))
    identity = struct.pack(">9i", *(65536 if index % 4 == 0 else 0 for index in range(9)))
    ramp = bytes(range(256))
    table = b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + identity + 4 * ramp + bytes(grid) + 3 * ramp
    return _profile(b"prtr", b"CMYK", b"Lab ", {"A2B0": table, "A2B1": table})


def of_lab(light: float, a: float, b: float) -> tuple[int, int, int]:
    """Return a Lab colour (D50) as 8-bit sRGB."""
    y = (light + 16) / 116
    ratios = np.array((y + a / 500, y, y - b / 200))
    xyz = np.where(ratios > 6 / 29, ratios**3, (ratios - 4 / 29) * 108 / 841) * D50
    linear = np.clip(np.linalg.solve(SRGB, xyz), 0, 1)
    scale = np.linspace(0, 1, 100_001)
    red, green, blue = (round(255 * value) for value in np.interp(linear, srgb_light(scale), scale))
    return red, green, blue


def _profile(kind: bytes, space: bytes, connection: bytes, tags: dict[str, bytes]) -> bytes:
    tags = {"desc": _description(b"Test"), "cprt": b"text" + bytes(4) + b"CC0\0", "wtpt": _xyz(D50)} | tags
    index, body, at = b"", b"", 132 + 12 * len(tags)
    for name, content in tags.items():
        content += bytes(-len(content) % 4)
        index += struct.pack(">4sII", name.encode(), at + len(body), len(content))
        body += content
    header = struct.pack(">I4sI4s4s4s", at + len(body), b"test", 0x02400000, kind, space, connection)
    header += bytes(12) + b"acsp" + bytes(28) + _fixed(D50) + bytes(48)
    assert len(header) == 128
    return header + struct.pack(">I", len(tags)) + index + body


def _description(text: bytes) -> bytes:
    return b"desc" + bytes(4) + struct.pack(">I", len(text) + 1) + text + bytes(1 + 78)


def _xyz(values: object) -> bytes:
    return b"XYZ " + bytes(4) + _fixed(values)


def _fixed(values: object) -> bytes:
    return struct.pack(">3i", *(round(float(value) * 65536) for value in np.asarray(values)))


def _curve(light: Curve) -> bytes:
    points = np.round(65535 * light(np.linspace(0, 1, 1024))).astype(">u2")
    return b"curv" + bytes(4) + struct.pack(">I", len(points)) + points.tobytes()
