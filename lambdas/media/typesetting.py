"""Set lines of text in any script: fonts that have its letters, right-to-left order, shapes, pixels.

HarfBuzz shapes and rasterises, so a letter looks the same on every machine. Pillow's own shaping needs
FriBiDi from the system, which Lambda doesn't have.
"""

import os
import sys
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib.resources import files
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

import numpy as np
import uharfbuzz as hb
from bidi import algorithm as bidi
from numpy.typing import NDArray

from lambdas.domain.fonts import Lettered
from lambdas.media.font import FONT, listed
from lambdas.media.lines import graphemes

_LISTED = 50  # fonts listed in a message
# Heights of a line, as fractions of the letter size, between which a font's own are used: room for marks that
# are rarely stacked so high would tear lines apart.
_ASCENT, _DESCENT = (1.0, 1.16), (0.25, 0.5)
CAPTIONS_WEIGHT = 600  # of variable fonts: semi-bold, as the bundled font is
_STYLES = ("SemiBold", "Bold", "Medium", "Regular")  # of a font's files, the best one for captions first
_OUTLINES = {"glyf", "CFF ", "CFF2"}  # a font of pictures only can't be outlined
# What joins or separates the letters around it. Other format characters are left out.
_JOINERS = "\u200c\u200d"
_RIGHT_TO_LEFT = ("R", "AL")
_SYSTEM_FONTS = {
    "win32": ("%WINDIR%/Fonts", "%LOCALAPPDATA%/Microsoft/Windows/Fonts"),
    "darwin": ("~/Library/Fonts", "/Library/Fonts", "/System/Library/Fonts"),
}
_FONTCONFIG = ("~/.local/share/fonts", "~/.fonts", "/usr/local/share/fonts", "/usr/share/fonts")


class FontMissing(Exception):
    """There is no font of that name; the message has those that there are."""


class FontUnreadable(Exception):
    """A file is no font with outlines."""


@dataclass(frozen=True, eq=False)
class Face:
    """One typeface of a font file. Heights are fractions of the letter size."""

    family: str
    style: str
    font: hb.Font = field(repr=False)
    letters: hb.Set = field(repr=False)
    per_unit: float  # letter sizes
    ascent: float
    descent: float

    def has(self, cluster: str) -> bool:
        """Return whether it has what a reader sees as one letter."""
        return all(ord(char) in self.letters for char in cluster if not _is_ignorable(char))


def face_of(data: bytes | Path, index: int = 0) -> Face:
    """Return a typeface of a font file (TrueType, OpenType or a collection). Raises FontUnreadable."""
    try:
        blob = hb.Blob.from_file_path(str(data)) if isinstance(data, Path) else hb.Blob(data)
        face = hb.Face(blob, index)
        letters = face.unicodes
    except (hb.HarfBuzzError, OSError, MemoryError) as error:
        raise FontUnreadable(str(error)) from error
    if not _OUTLINES & set(face.table_tags) or not len(letters):
        raise FontUnreadable("it has no outlines of letters")
    font = hb.Font(face)
    font.set_variations({"wght": CAPTIONS_WEIGHT})
    extents = font.get_font_extents("ltr")
    up, down = (
        min(most, max(least, height / face.upem))
        for (least, most), height in ((_ASCENT, extents.ascender), (_DESCENT, -extents.descender))
    )
    names = hb.OTNameIdPredefined
    family = face.get_name(names.TYPOGRAPHIC_FAMILY) or face.get_name(names.FONT_FAMILY)
    style = face.get_name(names.TYPOGRAPHIC_SUBFAMILY) or face.get_name(names.FONT_SUBFAMILY)
    return Face(family or "", style or "", font, letters, 1 / face.upem, up, down)


def font_kind(data: bytes) -> Literal["ttf", "otf", "ttc"]:
    """Return the kind of a font file: a key of FONT_TYPES."""
    if data[:4] == b"OTTO":
        return "otf"
    return "ttc" if data[:4] == b"ttcf" else "ttf"


def fonts_of(lettered: Lettered, language: str, file: Callable[[str], bytes]) -> "Fonts":
    """Return the typefaces of what is lettered. `file` returns the content of its own font by its key.

    Raises FontMissing if there is no font of that name, or its file can't be read.
    """
    if lettered.font_file is not None:
        try:
            return Fonts(language, face_of(file(lettered.font_file.key)))
        except FontUnreadable as error:
            raise FontMissing(str(error)) from error
    return Fonts(language, None if lettered.font is None else _named(lettered.font))


def _named(name: str) -> Face:
    """Return the typeface of a font's name, in the weight nearest to semi-bold unless the name has one."""
    here = list(Fonts().faces())
    whole = [one for one in here if f"{one.family} {one.style}".casefold() == name.casefold()]
    family = [one for one in here if one.family.casefold() == name.casefold()]
    found = sorted(whole or family, key=lambda one: _STYLES.index(one.style) if one.style in _STYLES else 9)
    if not found:
        families = sorted({one.family for one in here})
        more = f" and {len(families) - _LISTED} more" if len(families) > _LISTED else ""
        raise FontMissing(", ".join(families[:_LISTED]) + more)
    return found[0]


@cache
def _bundled(path: Path) -> Face:
    return face_of(path)


def _bundled_paths() -> Iterator[Path]:
    """Yield the font files that come with Reelworks: that of its own texts first, symbols last."""
    yield FONT
    noto = [Path(str(one)) for one in files("manimgx_fonts").iterdir() if one.name.endswith("[wght].ttf")]
    upright = [path for path in noto if "Italic" not in path.name]
    scripts = [path for path in upright if not path.name.startswith(("NotoEmoji", "NotoSansSymbols"))]
    yield from sorted(scripts)
    yield from (Path(str(one)) for one in files("manimgx_fonts_cjk").iterdir() if ".otf" in one.name)
    yield from sorted(set(upright) - set(scripts), reverse=True)


@cache
def _system_faces() -> tuple[Face, ...]:
    """Return the typefaces that the machine has; none in Lambda."""
    found = []
    for folder in _SYSTEM_FONTS.get(sys.platform, _FONTCONFIG):
        root = Path(os.path.expandvars(folder)).expanduser()
        for path in sorted(root.rglob("*.*")) if root.is_dir() else ():
            if path.suffix.lower() in (".ttf", ".otf", ".ttc"):
                try:
                    found.append(face_of(path))
                except FontUnreadable:
                    continue
    return tuple(found)


@dataclass(frozen=True)
class Fonts:
    """The typefaces of a text: `own` alone, or those that come with Reelworks and then the machine's.
    `language` (BCP 47) decides how letters that languages share are drawn, such as 直 in Chinese and
    Japanese."""

    language: str = "en"
    own: Face | None = None

    def faces(self) -> Iterator[Face]:
        if self.own is not None:
            yield self.own
            return
        for path in _bundled_paths():
            yield _bundled(path)
        yield from _system_faces()

    def lacks(self, text: str) -> str | None:
        """Say which letters of a text no font has, or return None if each is in one."""
        alone = [one for one in graphemes(drawn(text)) if not one.isspace() and self.face(one) is None]
        missing = list(dict.fromkeys(alone))
        if not missing:
            return None
        return f"{f'the font {self.own.family}' if self.own else 'every font here'} lacks {listed(missing)}"

    def face(self, cluster: str, before: Face | None = None) -> Face | None:
        """Return the typeface of a letter; None if there is none. `before`: that of the text's letter before
        it, in which its marks, digits and spaces are set, too."""
        if before is not None and not cluster[0].isalpha() and before.has(cluster):
            return before
        if self.own is not None:
            return self.own if self.own.has(cluster) else None
        return _found(cluster)


@lru_cache(maxsize=4096)
def _found(cluster: str) -> Face | None:
    return next((face for face in Fonts().faces() if face.has(cluster)), None)


def drawn(text: str) -> str:
    """Return the text as drawn: accents composed with their letters, without format characters."""
    return "".join(
        char
        for char in unicodedata.normalize("NFC", text)
        if unicodedata.category(char) != "Cf" or char in _JOINERS or 0xE0020 <= ord(char) <= 0xE007F
    )


def runs_right_to_left(text: str) -> bool:
    """Return whether most of the text's letters do: a foreign name at its start turns nothing round."""
    kinds = [unicodedata.bidirectional(char) for char in text]
    return sum(kind in _RIGHT_TO_LEFT for kind in kinds) > kinds.count("L")


@dataclass(frozen=True)
class _Glyph:
    face: Face
    number: int
    x: float  # of its origin from the line's left end, in letter sizes
    y: float
    letter: int  # index of its first letter in the text


@dataclass(frozen=True)
class Line:
    """A line of text, shaped, with lengths as fractions of the letter size."""

    glyphs: tuple[_Glyph, ...]
    width: float
    ascent: float
    descent: float

    def mask(
        self,
        size: tuple[int, int],
        letters: float,
        left: float,
        base: float,
        only: tuple[int, int] | None = None,
    ) -> NDArray[np.float32]:
        """Return the line as a mask (0 to 1) of that width and height: in letters of `letters` pixels, from
        `left` on, on the baseline `base` from the top. `only`: from which letter of its text to which."""
        width, height = size
        raster = hb.RasterDraw()
        raster.extents = hb.RasterExtents(x_origin=0, y_origin=0, width=width, height=height)
        for glyph in self.glyphs:
            if only is None or only[0] <= glyph.letter < only[1]:
                scale = letters * glyph.face.per_unit
                x, y = left + glyph.x * letters, height - base + glyph.y * letters
                raster.transform = (scale, 0, 0, scale, x, y)
                raster.draw_glyph(glyph.face.font, glyph.number)
        image = raster.render()
        rows = np.frombuffer(image.buffer, np.uint8) if image.extents.width else np.zeros(0, np.uint8)
        if not rows.size:  # nothing but space
            return np.zeros((height, width), np.float32)
        rows = rows.reshape(image.extents.height, image.extents.stride)[:, :width]
        return rows[::-1].astype(np.float32) / np.float32(255)


@lru_cache(maxsize=4096)
def set_line(text: str, fonts: Fonts, *, right_to_left: bool) -> Line:
    """Return a line of text, which must be `drawn`. `right_to_left`: the order of its parts."""
    glyphs: list[_Glyph] = []
    x = 0.0
    up, down = _ASCENT[0], _DESCENT[0]
    for begin, part, level, face in _in_visual_order(_parts(text, fonts, right_to_left=right_to_left)):
        up, down = max(up, face.ascent), max(down, face.descent)
        buffer = hb.Buffer()
        buffer.add_str(part)
        buffer.direction = "rtl" if level % 2 else "ltr"
        buffer.language = fonts.language
        buffer.guess_segment_properties()
        hb.shape(face.font, buffer)
        for info, place in zip(buffer.glyph_infos, buffer.glyph_positions, strict=True):
            glyphs.append(
                _Glyph(
                    face,
                    info.codepoint,
                    x + place.x_offset * face.per_unit,
                    place.y_offset * face.per_unit,
                    begin + info.cluster,
                )
            )
            x += place.x_advance * face.per_unit
    return Line(tuple(glyphs), x, up, down)


_Part = tuple[int, str, int, Face]  # where it begins, its text, its level, its typeface


def _parts(text: str, fonts: Fonts, *, right_to_left: bool) -> list[_Part]:
    """Return the parts of one direction and typeface, in the order in which they are read."""
    levels = _levels(text, right_to_left=right_to_left)
    placed: list[tuple[int, str, tuple[int, Face]]] = []
    at = 0
    before = None
    for cluster in graphemes(text):
        face = fonts.face(cluster, before) or before or next(fonts.faces())
        placed.append((at, cluster, (levels[at], face)))
        before = face if cluster[0].isalpha() else before
        at += len(cluster)
    return [
        (first[0], "".join([first[1], *(cluster for _, cluster, _ in rest)]), *key)
        for key, (first, *rest) in ((key, list(group)) for key, group in groupby(placed, lambda one: one[2]))
    ]


def _in_visual_order(parts: Sequence[_Part]) -> list[_Part]:
    """Return the parts from left to right: rule L2 of the bidirectional algorithm (UAX 9)."""
    ordered = list(parts)
    for lowest in range(max((one[2] for one in parts), default=0), 0, -1):
        turned: list[_Part] = []
        for one in ordered:
            # A part of that level or higher goes before those that it follows directly.
            place = len(turned)
            while one[2] >= lowest and place and turned[place - 1][2] >= lowest:
                place -= 1
            turned.insert(place, one)
        ordered = turned
    return ordered


def _levels(text: str, *, right_to_left: bool) -> list[int]:
    """Return the embedding level of each character (UAX 9): odd ones run from right to left."""
    base = int(right_to_left)
    if not base and not any(unicodedata.bidirectional(char) in (*_RIGHT_TO_LEFT, "AN") for char in text):
        return [0] * len(text)
    storage: dict[str, Any] = bidi.get_empty_storage()
    storage["base_level"], storage["base_dir"] = base, "LR"[base]
    bidi.get_embedding_levels(text, storage)
    for index, char in enumerate(storage["chars"]):
        char["index"] = index
    bidi.explicit_embed_and_overrides(storage)
    bidi.resolve_weak_types(storage)
    bidi.resolve_neutral_types(storage, False)
    bidi.resolve_implicit_levels(storage, False)
    found = {char["index"]: char["level"] for char in storage["chars"]}
    levels: list[int] = []
    for index in range(len(text)):  # joiners have none of their own
        levels.append(found.get(index, levels[-1] if levels else base))
    return levels


def _is_ignorable(char: str) -> bool:
    return unicodedata.category(char) == "Cf" or "\ufe00" <= char <= "\ufe0f"
