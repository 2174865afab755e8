"""Prepare the draft engine's pictograms from npm packages: what they look like, and the words that name them.

    pip install fonttools
    python -m training.pictograms

fetches the packages with `npm pack` and writes lambdas/animatic/pictograms/pictograms.zip, always the same
bytes. docs/decisions/0065-pictograms.md says why these packages.
"""

import json
import re
import subprocess
import tarfile
import tempfile
import unicodedata
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from fontTools.pens.recordingPen import RecordingPen
from fontTools.svgLib.path import parse_path

from lambdas.animatic.pictograms import FILE, LANGUAGES, UNSPACED, terms

PICTURES = "@iconify-json/fluent-emoji-flat@1.2.6"  # MIT, Microsoft
KINDS = "emojibase-data@17.0.0"  # MIT
WORDS = ("cldr-annotations-full@48.2.0", "cldr-annotations-derived-full@48.2.0")  # Unicode licence v3
# Later releases name more in English that a picture only hints at ("where" and "simple" for a house).
ENGLISH = ("cldr-annotations-full@45.0.0", "cldr-annotations-derived-full@45.0.0")

# What is left out: feelings and gestures, of which one picture says too much, signs, letters and flags.
_LEFT_OUT = re.compile(
    r"face-(?!costume)|cat-face|monkey-face|heart|emotion|hand-|person-gesture|person-symbol|family|skin-tone"
    r"|hair-style|transport-sign|warning|arrow|religion|zodiac|av-symbol|gender|math|punctuation|currency"
    r"|other-symbol|keycap|alphanum|geometric|flag|country-flag|subdivision-flag"
)
_PLAIN_PICTURE = re.compile(
    r"-face\b|^face-|^person-|oclock$|thirty$|^(?:man|woman|men|women)-(?!s-)|-suit$|^input-|^pile-of-poo$"
    r"|^(?:middle|index)-|^(?:japanese|reversed|heart|joker|mahjong|flower-playing|cigarette|bomb$|pistol|water-pistol)"
)
_MOST = 3  # pictures that share a word which is the name of none: a word of more says too little
_NAMES_KEPT = 4  # of those that a word names
SCALE = 64  # steps of a unit; a picture has 32 units on each side
# English words that a picture's keywords have as another part of speech or in another sense.
AMBIGUOUS = frozenset(
    """
    above across after along and any around at away back before below best better big black blue bring broken brown
    call can cancel carry catch change check cheers clean clear close closed cold collect come complete control cool
    copy count country cover cut cute dance date day dead deal direction dirty down draw drop dry dull empty end
    enter evil exit fall fast feel file fill find fit flat fly for free fresh front full fun funny game get give go
    going good great green grow happy hard have head heavy help here hide high hit hold home-made hot how hurt in
    increasing it join joy jump keep kick kind know last later laugh lead left less letter lie lift light like line
    list little live long look loose lost loud love low lucky mad magic make mark match mean measure medium minimum
    mind miss mix money-back more move mute new nice night no note now nothing off old on one open orange out over
    paint part pass people pick pin pink place plain play plus point post power press prevent print private proof
    public pull purple push put quiet quick race rate reach read ready red remember rest return rich ride right ring
    rise roll round row rule run sad safe sail same save scale score screen search second secure see sell send
    service set shake shape share sharp sheet ship shipping shop short show shut side sign silent simple sing sit
    size sleep slice slow small smart smell soft sound speak speed spell spin split spread spring square stand star
    start state station stay steady step stick still stop strike strong style sweet swim switch take talk tall team
    tell test the thin think thought tie time tip to together top touch track trade train-of travel trend trick true
    try turn type under up upward use view visit wait walk warm wash waste watch water wave way weak wear welcome
    west wet what where white wind win wish with work world write wrong yellow yes young zero
    art body form key leaves lock object person personal school science sport tool man woman child adult male female
    beverage clothing dish drink food meal drinking eating driving racing running walking climbing building vehicle
    first third five four six seven eight nine ten twelve two three plate hole protection life bar ask ball assembly
    attraction balance beauty board boring bright boulder christma compress culture danger dark death demonstration
    department engine evidence exhalation european fear field film flash flight float fluctuate forbidden fortune
    french frame glow growth guide hidden idea index industrial intelligent jack landscape large law lazy level
    liberty limb lip lowered magnetic marine marker metal mobile monster multitask muscle navigation neck net
    noble oil oncoming opening ostentatious outgoing pad pan partying passenger patrol pest playful please pole
    popping pretty proud pulse purity ray rebound receive recreational reflection reminder repercussion
    resort rhythm rotting round security semi sent shooting shot sick signal silly skill slot sly solid spot
    spy standing steam string stubborn suit suction sweat tab tangled tape target thank twist unlucky useless
    vice wall welding wise zap protest pound cell crook cross curve curl chop chain chime dam dupe draw page
    afraid anxious emotion nervous worried uncomfortable flirting desktop minute cutting organ square
    dancer angel guide beach sand road highway accessory animal instrument insect plant fruit vegetable nature weather religion religious activity
    """.split()
)
# English words that no keyword has, or whose first picture is another thing than most films mean.
PREFERRED = {
    "alarm": "alarm-clock", "asteroid": "comet", "bag": "handbag", "ball": "soccer-ball", "bill": "receipt",
    "boat": "sailboat", "book": "open-book", "box": "package", "budget": "money-bag", "candidate": "ballot-box-with-ballot",
    "clock": "alarm-clock", "city": "cityscape", "clockmaker": "mantelpiece-clock", "cloth": "t-shirt", "company": "office-building",
    "computer": "laptop", "contract": "page-with-curl", "course": "graduation-cap", "customer": "shopping-bags",
    "data": "bar-chart", "deadline": "hourglass-not-done", "dinosaur": "t-rex", "earthquake": "volcano",
    "election": "ballot-box-with-ballot", "employee": "office-worker", "energy": "high-voltage", "expense": "receipt",
    "forklift": "package", "furniture": "couch-and-lamp", "grandfather": "old-man", "grandmother": "old-woman",
    "history": "scroll", "homework": "memo", "interview": "microphone", "invoice": "receipt", "job": "briefcase",
    "leaf": "leaf-fluttering-in-wind", "lesson": "books", "library": "books", "market": "chart-increasing",
    "medicine": "pill", "mug": "hot-beverage", "note": "memo", "oven": "fire", "password": "locked-with-key", "pasta": "spaghetti",
    "phone": "mobile-phone", "photosynthesis": "seedling", "plan": "calendar", "plane": "airplane", "recipe": "cook",
    "report": "bar-chart", "rice": "cooked-rice", "sale": "shopping-bags", "sea": "water-wave", "secret": "locked", "shirt": "t-shirt", "shoe": "running-shoe",
    "smartwatch": "watch", "soup": "pot-of-food", "sourdough": "bread", "stone": "rock", "strategy": "chess-pawn",
    "student": "graduation-cap", "sun": "sun", "table": "chair", "tax": "receipt", "tea": "teacup-without-handle",
    "teamwork": "handshake", "thief": "ninja", "ticket": "ticket", "tram": "tram", "tree": "deciduous-tree", "trust": "handshake",
    "truck": "delivery-truck", "vaccine": "syringe", "wallet": "purse", "warehouse": "package", "weather": "sun-behind-cloud",
}  # fmt: skip
# The same words, where a picture's own name says what they mean.
KEPT = frozenset(
    "ship train plane house school key lock water fruit food plant star bank crane leaf building person child".split()
)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        icons = _json(path, PICTURES, "icons.json")["icons"]
        names = _json(path, PICTURES, "chars.json")
        kinds = _kinds(path)
        chosen = {name: code for code, name in sorted(names.items()) if _is_chosen(code, name, kinds)}
        drawn = {name: shapes for name in chosen if (shapes := _shapes(icons[name]["body"])) is not None}
        entries = {f"pictures/{name}": shapes for name, shapes in drawn.items()}
        entries["kinds"] = json.dumps({name: kinds[chosen[name]] for name in drawn}, sort_keys=True)
        for language in LANGUAGES:
            packages = ENGLISH if language == "en" else WORDS
            annotations: dict[str, Any] = {}
            for package in packages:
                key = "annotationsDerived" if "derived" in package else "annotations"
                found = _json(path, package, f"{key}/{language}/annotations.json")
                annotations |= found[key]["annotations"]
            named = {name: annotations[char] for name in drawn if (char := _char(chosen[name])) in annotations}
            words = _index(named, language)
            if missing := {one for names in words.values() for one in names.split()} - drawn.keys():
                raise ValueError(f"there are no pictograms {', '.join(sorted(missing))}")
            entries[f"words/{language}"] = json.dumps(words, ensure_ascii=False, sort_keys=True)
    with zipfile.ZipFile(FILE, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for entry in sorted(entries):
            archive.writestr(zipfile.ZipInfo(entry), entries[entry], zipfile.ZIP_DEFLATED, 9)
    print(f"{len(drawn)} pictograms, {len(LANGUAGES)} languages, {FILE.stat().st_size:,} bytes")


def _json(folder: Path, package: str, member: str) -> Any:
    archive = folder / (package.replace("@", "_").replace("/", "_") + ".tgz")
    if not archive.exists():
        packed = subprocess.run(
            ["npm", "pack", "--silent", package], cwd=folder, check=True, capture_output=True, text=True
        )
        (folder / packed.stdout.split()[-1]).rename(archive)
    with tarfile.open(archive) as files:
        found = files.extractfile(f"package/{member}")
        assert found is not None
        return json.load(found)


def _kinds(folder: Path) -> dict[str, str]:
    """Return each character's kind, such as `animal-bug`."""
    kinds = _json(folder, KINDS, "meta/groups.json")["subgroups"]
    found = _json(folder, KINDS, "en/data.json")
    return {_bare(one["hexcode"]): kinds[str(one["subgroup"])] for one in found if "subgroup" in one}


def _bare(code: str) -> str:
    """Return a sequence of code points without those that only choose a presentation."""
    return "-".join(part for part in code.lower().split("-") if part != "fe0f")


def _char(code: str) -> str:
    return "".join(chr(int(part, 16)) for part in code.split("-"))


def _is_chosen(code: str, name: str, kinds: Mapping[str, str]) -> bool:
    kind = kinds.get(code)
    return kind is not None and not _LEFT_OUT.match(kind) and not _PLAIN_PICTURE.search(name)


# --- the pictures


def _shapes(body: str) -> str | None:
    """Return a picture's shapes, one on each line: colour, opacity (0 to 255), and the commands of its outline
    (M, L, C, Z) in steps of 1/SCALE unit; None for pictures with gradients, clips or filters."""
    root = ElementTree.fromstring(f'<g xmlns:xlink="x">{body}</g>')  # noqa: S314 - a pinned package's file
    lines = []
    for element, colour, opacity in _painted(root, None, 1.0):
        path = _path(element)
        if path is None or colour is None or not re.fullmatch("#[0-9a-f]{3,6}", colour):
            return None
        digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
        lines.append(f"{digits} {round(opacity * 255)} {_outline(path)}")
    return "\n".join(lines)


def _painted(
    element: ElementTree.Element, colour: str | None, opacity: float
) -> Iterator[tuple[ElementTree.Element, str | None, float]]:
    fill = element.get("fill", colour)
    opacity *= float(element.get("opacity", 1)) * float(element.get("fill-opacity", 1))
    if element.tag == "g" and not {"transform", "clip-path", "filter", "mask"} & set(element.attrib):
        for child in element:
            yield from _painted(child, fill, opacity)
    else:
        yield element, fill, opacity


def _path(element: ElementTree.Element) -> str | None:
    get = element.attrib.get
    if {"transform", "clip-path", "filter", "mask", "stroke"} & set(element.attrib):
        return None
    if element.tag == "path":
        return get("d")
    if element.tag in ("circle", "ellipse"):
        x, y = float(get("cx", "0")), float(get("cy", "0"))
        rx, ry = (float(get(radius) or get("r") or 0) for radius in ("rx", "ry"))
        return f"M{x - rx} {y}A{rx} {ry} 0 1 1 {x + rx} {y}A{rx} {ry} 0 1 1 {x - rx} {y}Z"
    if element.tag == "rect":
        x, y, wide, high = (float(get(name, "0")) for name in ("x", "y", "width", "height"))
        r = min(float(get("rx", "0")), wide / 2, high / 2)
        corner = f"a{r} {r} 0 0 1" if r else None
        if corner is None:
            return f"M{x} {y}h{wide}v{high}h{-wide}Z"
        return (
            f"M{x + r} {y}h{wide - 2 * r}{corner} {r} {r}v{high - 2 * r}{corner} {-r} {r}"
            f"h{2 * r - wide}{corner} {-r} {-r}v{2 * r - high}{corner} {r} {-r}Z"
        )
    return None


def _outline(path: str) -> str:
    pen = RecordingPen()
    parse_path(path, pen)
    said, at = [], (0.0, 0.0)
    for command, points in pen.value:
        if command == "qCurveTo":  # as a cubic curve
            control, end = points
            points = (*(tuple(a + (b - a) * 2 / 3 for a, b in zip(p, control)) for p in (at, end)), end)
        if command in ("closePath", "endPath"):
            said.append("Z")
            continue
        letter = {"moveTo": "M", "lineTo": "L", "curveTo": "C", "qCurveTo": "C"}[command]
        said.append(letter + " " + " ".join(str(round(v * SCALE)) for point in points for v in point))
        at = points[-1]
    return " ".join(said)


# --- the words


def _index(named: Mapping[str, Mapping[str, list[str]]], language: str) -> dict[str, str]:
    """Return, by word or words, the pictures that they name, the most fitting first. Words are stemmed as
    `terms` does."""
    ranks: defaultdict[str, dict[str, int]] = defaultdict(dict)
    spaced = language not in UNSPACED
    for picture, words in named.items():
        name = terms(words["tts"][0], language)
        for keyword in dict.fromkeys([words["tts"][0], *words["default"]]):
            stems = terms(keyword, language)
            if not stems:
                continue
            term = " ".join(stems)
            if stems == name:
                rank = 0
            elif len(stems) == 1 and stems[0] in (name[0], name[-1]):
                rank = 1
            else:
                part = set(stems) <= set(name) if spaced else term in "".join(name)
                rank = 2 if part else 3
            ranks[term][picture] = min(rank, ranks[term].get(picture, rank))
    index = {}
    for term, pictures in ranks.items():
        hinted = min(pictures.values()) == 3
        if (hinted and len(pictures) > _MOST) or term.isdigit():
            continue
        if language == "en" and term in AMBIGUOUS and not (term in KEPT and not hinted):
            continue
        if len(term) < 2 and unicodedata.category(term) != "Lo":
            continue
        index[term] = " ".join(sorted(pictures, key=pictures.__getitem__)[:_NAMES_KEPT])
    if language == "en":
        for word, first in PREFERRED.items():
            index[word] = " ".join(dict.fromkeys([first, *index.get(word, "").split()]))
    return index


if __name__ == "__main__":
    main()
