"""Pictograms: flat pictures of a thousand things, found by the words for them in many languages.

`pictograms.zip` holds what `python -m training.pictograms` prepared: outlines, and by language the words that
name each picture.
"""

import json
import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from PIL import Image, ImageDraw
from snowballstemmer import stemmer

FILE = Path(__file__).parent / "pictograms.zip"
SIDE = 2048  # of a picture's box, in the steps of its outlines

# The stemmer of each language whose words are inflected. English has none, only plurals: "training" is no
# train, "being" no bee.
_STEMMERS = {
    "ar": "arabic", "ca": "catalan", "cs": "czech", "da": "danish", "de": "german", "el": "greek",
    "es": "spanish", "et": "estonian", "fa": "persian", "fi": "finnish", "fr": "french", "hi": "hindi",
    "hu": "hungarian", "id": "indonesian", "it": "italian", "lt": "lithuanian", "nl": "dutch",
    "no": "norwegian", "pl": "polish", "pt": "portuguese", "ro": "romanian", "ru": "russian",
    "sr": "serbian", "sv": "swedish", "ta": "tamil", "tr": "turkish",
}  # fmt: skip
# Written without spaces: words are found within the text.
UNSPACED = frozenset({"ja", "th", "zh"})
LANGUAGES = tuple(sorted({*_STEMMERS, *UNSPACED, "bg", "en", "he", "hr", "ko", "sk", "sl", "uk", "vi"}))
_SAME = {"cmn": "zh", "yue": "zh", "arb": "ar", "nb": "no", "nn": "no"}

# The languages of a text that is not in the film's: by its letters, and those in Latin letters in turn.
_SCRIPTS = (
    (re.compile("[\u3040-\u30ff]"), ("ja",)),
    (re.compile("[\u4e00-\u9fff]"), ("zh",)),
    (re.compile("[\uac00-\ud7af]"), ("ko",)),
    (re.compile("[\u0e00-\u0e7f]"), ("th",)),
    (re.compile("[\u0600-\u06ff]"), ("ar", "fa")),
    (re.compile("[\u0590-\u05ff]"), ("he",)),
    (re.compile("[\u0400-\u04ff]"), ("ru", "uk", "bg", "sr")),
    (re.compile("[\u0370-\u03ff]"), ("el",)),
    (re.compile("[\u0900-\u097f]"), ("hi",)),
    (re.compile("[\u0b80-\u0bff]"), ("ta",)),
)
# Words by which a text in Latin letters shows its language. They name nothing, though some look like food
# ("como") or thread ("fil").
_FUNCTION_WORDS = {
    "de": "der die das den dem des ein eine einen einem einer und oder mit für aus von vom im am zu zum zur "
    "auf über wie warum ist sind nicht wir",
    "fr": "le la les un une des du de et ou à au aux en dans pour sur avec sans par comme comment pourquoi "
    "est sont qui que",
    "es": "el la los las un una unos unas de del y o con en para por sin sobre como cómo qué que es son al",
    "pt": "o a os as um uma uns umas de do da dos das e ou com em no na para por como que é são ao",
    "it": "il lo la i gli le un una uno di del della dei e o con in nel nella per come perché che è sono al",
    "nl": "de het een en of van met voor naar in op te hoe waarom is zijn",
    "en": "a an the of and or with for from to in on at by how why is are as its it that who we you your",
}
_NAME_NOTHING = {code: frozenset(words.split()) for code, words in _FUNCTION_WORDS.items()}
_LONGEST = 4  # words of a term


def named(text: str, language: str) -> list[tuple[str, ...]]:
    """Return for each word or term that names pictograms their names, the most fitting first.

    `language`: BCP 47, of the film. A text whose letters or function words show another language is read in
    that first.
    """
    asked = language.partition("-")[0]
    own = _SAME.get(asked, asked)
    shown = _languages(text)
    for code in (own, *shown) if own in shown else (*shown, own):
        if code in LANGUAGES and (found := [*_read(text, code)]):
            return found
    return []


def _languages(text: str) -> tuple[str, ...]:
    for script, codes in _SCRIPTS:
        if script.search(text):
            return codes
    words = re.findall(r"\w+", text.casefold())
    shown = {code: sum(word in names for word in words) for code, names in _NAME_NOTHING.items()}
    return tuple(code for code, count in shown.items() if count and count == max(shown.values()))


def kind(name: str) -> str:
    """Return what a pictogram shows, by Unicode's subgroups: `animal-bug`, `transport-water`."""
    return _kinds()[name]


def picture(name: str, side: float) -> Image.Image:
    """Draw a pictogram as an RGBA image of `side` pixels."""
    pixels = max(4, round(side))
    smooth = 4 if pixels < 200 else 3 if pixels < 500 else 2
    large = pixels * smooth
    image = Image.new("RGBA", (large, large))
    for line in _entry(f"pictures/{name}").splitlines():
        colour, opacity, *outline = line.split()
        red, green, blue = bytes.fromhex(colour)
        shape = _shape(outline, large / SIDE)
        if opacity == "255":
            ImageDraw.Draw(image).shape(shape, fill=(red, green, blue, 255))
            continue
        mask = Image.new("L", image.size)
        ImageDraw.Draw(mask).shape(shape, fill=int(opacity))
        glass = Image.new("RGBA", image.size, (red, green, blue, 255))
        glass.putalpha(mask)
        image.alpha_composite(glass)
    return image.convert("RGBa").reduce(smooth).convert("RGBA")


def terms(text: str, language: str) -> list[str]:
    """Return a text's words as they are looked up: in lower case, without accents or endings."""
    marks = "[\u0300-\u036f\u0900-\u0dff]+"  # which belong to words
    words = re.findall(rf"[^\W\d_]+(?:{marks}[^\W\d_]*)*", text.casefold())
    if language == "en":
        return [_singular(_plain(word)) for word in words]
    words = [word for word in words if word not in _NAME_NOTHING.get(language, ())]
    if language in _STEMMERS:
        words = _stemmer(language).stemWords(words)
    return [plain for word in words if (plain := _plain(word))]


def _read(text: str, language: str) -> Iterator[tuple[str, ...]]:
    index = _words(language)
    if language in UNSPACED:
        yield from _within(unicodedata.normalize("NFKC", text), index)
        return
    words = terms(text, language)
    at = 0
    while at < len(words):
        for count in range(min(_LONGEST, len(words) - at), 0, -1):
            term = " ".join(words[at : at + count])
            if term in index:
                yield tuple(index[term].split())
                at += count - 1
                break
        at += 1


_HAN = re.compile("[\u4e00-\u9fff]")
_LONGEST_UNSPACED = 10  # letters


def _within(text: str, index: dict[str, str]) -> Iterator[tuple[str, ...]]:
    """Read unspaced text. A single letter is a word only where it stands alone: 家 is a house, 国家 a
    state."""
    at = 0
    while at < len(text):
        for count in range(min(_LONGEST_UNSPACED, len(text) - at), 0, -1):
            term = text[at : at + count]
            around = text[max(0, at - 1) : at] + text[at + 1 : at + 2]
            if term in index and (count > 1 or not _HAN.search(around)):
                yield tuple(index[term].split())
                at += count - 1
                break
        at += 1


def _plain(word: str) -> str:
    """Return the word without accents, except in scripts whose marks are vowels."""
    letters = unicodedata.normalize("NFKD", word)
    return unicodedata.normalize("NFC", re.sub("[\u0300-\u036f\u064b-\u065f]", "", letters))


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith("ves") and len(word) > 4:
        return word[:-3] + "f"
    if word.endswith(("ses", "xes", "zes", "ches", "shes", "oes")) and not word.endswith(("shoes", "ouses")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


@lru_cache
def _stemmer(language: str) -> Any:
    return stemmer(_STEMMERS[language])


def _shape(commands: list[str], scale: float) -> Any:  # Pillow's outline, which has no type
    outline = ImageDraw.Outline()
    draw = {"M": outline.move, "L": outline.line, "C": outline.curve}
    at = 0
    while at < len(commands):
        command = commands[at]
        count = {"M": 2, "L": 2, "C": 6}.get(command, 0)
        if count:
            draw[command](*(int(step) * scale for step in commands[at + 1 : at + 1 + count]))
        else:
            outline.close()
        at += count + 1
    return outline


@lru_cache
def _kinds() -> dict[str, str]:
    return dict(json.loads(_entry("kinds")))


@lru_cache(maxsize=8)
def _words(language: str) -> dict[str, str]:
    return dict(json.loads(_entry(f"words/{language}")))


def _entry(name: str) -> str:
    with ZipFile(FILE) as archive:
        return archive.read(name).decode()
