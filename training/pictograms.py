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

# What is left out: feelings and gestures, of which one picture says too much, signs, letters and flags; and
# by name, faces, hours and whole landscapes, which the engine draws itself.
_LEFT_OUT = re.compile(
    r"face-(?!costume)|cat-face|monkey-face|heart|emotion|hand-|person-gesture|person-symbol|family|skin-tone"
    r"|hair-style|transport-sign|warning|arrow|religion|zodiac|av-symbol|gender|math|punctuation|currency"
    r"|other-symbol|keycap|alphanum|geometric|flag|country-flag|subdivision-flag"
)
_LEFT_OUT_BY_NAME = re.compile(
    r"-face\b|^face-|^person-|oclock$|thirty$|^(?:man|woman|men|women)-(?!s-)|-suit$|^input-|^pile-of-poo$"
    r"|^(?:middle|index|japanese|reversed|heart|joker|mahjong|flower-playing|cigarette)|^bomb$|pistol"
    r"|^bridge-at-night|^sun(?:rise|set)|^cityscape|^foggy$|^night-with|^milky-way|^national-park|^desert"
)
# Languages in which a name begins with its noun; elsewhere it ends with it.
_NOUN_FIRST = frozenset({"ar", "ca", "es", "fa", "fr", "he", "id", "it", "pt", "ro", "th", "vi"})
_MOST = 3  # pictures that share a word which is the name of none: a word of more says too little
_NAMES_KEPT = 4  # of those that a word names
SCALE = 64  # steps of a unit; a picture has 32 units on each side
# English words that a picture's keywords have as another part of speech or in another sense.
_AMBIGUOUS = """
above accessory across activity adult afraid after age along and angel animal anxious any around art ask
assembly at attraction away back balance ball bar beach beam beauty before begin below best better
beverage big black blue board body boring boulder bright bring broken brown building call calm can cancel
capital carry catch cell chain change check cheers child chime chop christma clean clear climbing close
closed clothing cold collect come complete compress control cool copy count country cover crook cross
culture curl curve cut cute cutting dam dance dancer danger dark date day dead deal death demonstration
department depth desktop direction dirty dish down draw drink drinking driving drop dry dull dupe eating
eight emotion empty end engine enter european evidence evil exhalation exit fall fast fear feel female
field file fill film find first fit five flash flat flight flirting float fluctuate fly food for forbidden
form fortune four frame free french fresh front fruit full fun funny game get give glow go going good
grain great green grow growth guide happy hard have head heat heavy help here hidden hide high highway hit
hold hole home-made hooray hot how hurt id idea in increasing index industrial insect instrument
intelligent it jack join joy jump keep key kick kind know landscape large last later laugh law lazy lead
leaves left lens less letter level liberty lie life lift light like limb line lip list little live lock
long look loose lost loud love low lowered lucky mad magic magnetic make male man marine mark marker match
meal mean measure medium metal mind minimum minute miss mix mobile moment money-back monster more move
multitask muscle mute nature navigation neck nervous net new nice night nine no noble note nothing noticed
now object off oil old on oncoming one open opening orange organ ostentatious out outgoing over pad page
paint pan part partying pass passenger patrol pause people person personal pest pick picture pin pink
place plain plant plate play playful please plus point pole popping post pound power press pretty prevent
print private proof protection protest proud public pull pulse purity purple push put question quick quiet
race racing raindrop rate ray reach read ready rebound receive recreational red reel reflection religion
religious remember reminder repercussion resort rest return rhythm rich ride right ring rise road roll
rotting round row rule run running sad safe safety sail same sand save scale school science score screen
search second secure security see sell semi send sense sent serene service set seven shake shallow shape
share sharp sheet ship shipping shooting shop short shot show shut sick side sign signal silent silly
silver simple sing sit six size skill sleep slice slot slow sly small smart smell soft solid sound speak
speed spell spin split sport spot spread spring spy square stand standing star start state station stay
steady steam step stick still stop store strike string strong stubborn style suction suit sweat sweet swim
switch tab take talk tall tangled tape target team tell ten test thank the thin think third thought three
tie time tip to together tool top touch track trade train-of travel trend trick true try turn twelve twist
two type uncomfortable under unlucky up upward use useless vegetable vehicle veil vice view visit wait
wake walk walking wall warm wash waste watch water wave way weak wear weather weight welcome welding west
wet what where white win wind wise wish with woman work world worried write wrong year yellow yes young
zap zero
"""
# English words that no keyword has, or whose first picture is another thing than most films mean.
_PREFERRED = """
alarm=alarm-clock asteroid=comet bag=handbag ball=soccer-ball bill=receipt boat=sailboat book=open-book
box=package budget=money-bag candidate=ballot-box-with-ballot clock=alarm-clock
clockmaker=mantelpiece-clock cloth=t-shirt company=office-building computer=laptop contract=page-with-curl
course=graduation-cap cup=hot-beverage cup_final=trophy customer=shopping-bags data=bar-chart
deadline=hourglass-not-done dinosaur=t-rex earthquake=volcano election=ballot-box-with-ballot
employee=office-worker energy=high-voltage expense=receipt forklift=package furniture=couch-and-lamp
grandfather=old-man grandmother=old-woman home=house homework=memo house=house interview=microphone
invoice=receipt job=briefcase lamp=light-bulb leaf=leaf-fluttering-in-wind lesson=books library=books
market=convenience-store medicine=pill mug=hot-beverage note=memo oven=fire password=locked-with-key
pasta=spaghetti phone=mobile-phone photosynthesis=seedling plan=calendar plane=airplane recipe=cook
report=bar-chart rice=cooked-rice sea=water-wave secret=locked shirt=t-shirt shoe=running-shoe
smartwatch=watch soup=pot-of-food sourdough=bread stock_market=bar-chart stone=rock
strategy=chess-pawn student=graduation-cap sun=sun table=chair tax=receipt tea=teacup-without-handle
teamwork=handshake thief=ninja ticket=ticket train=locomotive tram=tram tree=deciduous-tree
truck=delivery-truck trust=handshake vaccine=syringe wallet=purse warehouse=package
weather=sun-behind-cloud win_the_cup=trophy world_cup=trophy
"""
# The same words, where a picture's own name says what they mean.
_KEPT = """
ship train plane house school key lock water fruit food plant star bank crane leaf building person child
"""

AMBIGUOUS, KEPT = frozenset(_AMBIGUOUS.split()), frozenset(_KEPT.split())
PREFERRED = dict(pair.replace("_", " ").split("=") for pair in _PREFERRED.split())


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
            named = {
                name: annotations[char] for name in drawn if (char := _char(chosen[name])) in annotations
            }
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
    return kind is not None and not _LEFT_OUT.match(kind) and not _LEFT_OUT_BY_NAME.search(name)


# --- the pictures


def _shapes(body: str) -> str | None:
    """Return a picture's shapes, one on each line: colour, opacity (0 to 255), and the commands of its
    outline (M, L, C, Z) in steps of 1/SCALE unit; None for pictures with gradients, clips or filters."""
    root = ElementTree.fromstring(f'<g xmlns:xlink="x">{body}</g>')
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
            points = (
                *(tuple(a + (b - a) * 2 / 3 for a, b in zip(p, control, strict=True)) for p in (at, end)),
                end,
            )
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
            elif len(stems) == 1 and stems[0] in (name[:1] if language in _NOUN_FIRST else name[-1:]):
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
        index[term] = " ".join(sorted(pictures, key=lambda name: (pictures[name], len(name)))[:_NAMES_KEPT])
    if language == "en":
        for word, first in PREFERRED.items():
            index[word] = " ".join(dict.fromkeys([first, *index.get(word, "").split()]))
    return index


if __name__ == "__main__":
    main()
