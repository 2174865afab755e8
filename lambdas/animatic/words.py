"""Read from a text's words what to draw: place, light, weather, subjects and camera move.

Words for places, light and weather are English plus the most common ones of German, French and Spanish; the
first matching word wins. Subjects are the pictograms that a text in any language names, and a few figures
drawn by hand.

A prompt may have passed through a text model or the rule-based director, which add sentences about camera and
light. Terms of filming that share a word with a subject ("crane move", "planes of the image") name none. A
test reads every sentence of the director.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from lambdas.animatic.palettes import Colour, rgb
from lambdas.animatic.pictograms import kind, named
from lambdas.domain.sentences import sentences

PLACES = {
    "flowers": (
        "flower blossom bloom rose tulip daisy poppy sunflower petal bouquet garden blume blute "
        "garten fleur jardin flor"
    ),
    "forest": (
        "forest wood woodland tree jungle pine oak rainforest grove wald baum foret arbre bosque arbol selva"
    ),
    "underwater": "underwater coral reef seabed jellyfish octopus submarine diver",
    "beach": "beach shore sand tropical palm strand plage playa",
    "ocean": "ocean sea wave lake harbour harbor bay coast river island meer mer mar kuste surf",
    "city": (
        "city street town urban skyline skyscraper downtown traffic alley avenue market metro tokyo "
        "london paris york berlin stadt strasse gasse ville rue ciudad calle"
    ),
    "snow": (
        "snow snowy winter ice icy frost frozen arctic glacier ski penguin christmas schnee neige nieve"
    ),
    "mountains": "mountain peak summit alps cliff canyon valley volcano berg montagne montana kingdom",
    "desert": "desert dune sahara camel cactus oasis pyramid wuste",
    "space": (
        "space star planet galaxy cosmos cosmic universe moon mars orbit alien nebula satellite "
        "weltraum espace espacio"
    ),
    "fire": "fire flame campfire bonfire lava ember forge feuer feu fuego",
    "room": (
        "room kitchen office desk indoors table cafe library studio window bedroom laptop computer "
        "interior restaurant zimmer kuche buro chambre cuisine bureau cocina piano"
    ),
    "hills": (
        "meadow field hill farm village country countryside grass prairie landscape road park sky "
        "cloud wiese feld dorf champ campo himmel ciel cielo"
    ),
}

LIGHTS = {
    "neon": "neon cyberpunk",
    "night": "night midnight moonlight moonlit dark darkness starry stars evening nacht nuit noche dunkel",
    "storm": "storm stormy thunder lightning tempest hurricane gewitter sturm orage tormenta",
    "sunset": "sunset dusk golden twilight sundown glowing sonnenuntergang abend crepuscule atardecer",
    "dawn": "dawn sunrise morning daybreak morgen aube matin amanecer",
    "mist": "mist misty fog foggy haze hazy nebel brume niebla grey gray overcast",
    "autumn": "autumn october herbst automne otono",
    "day": "daylight noon sunny sun bright summer midday sonne soleil sol sommer",
}

WEATHERS = {
    "rain": "rain rainy storm stormy drizzle downpour regen pluie lluvia wet gewitter",
    "snow": "snow snowy blizzard winter christmas snowfall schnee neige nieve",
    "petals": "petal blossom cherry spring sakura",
    "leaves": "autumn leaf herbst october",
    "sparks": "fire spark flame campfire ember burning magic fireworks lava forge feuer feu fuego",
    "fireflies": "firefly fairy enchanted glowing",
    "bubbles": "underwater bubble reef coral fish",
}

# Subjects that are drawn by hand, because they move; pictograms show all others.
SUBJECTS = {
    "bee": "bee bumblebee honeybee wasp insect biene abeille abeja hummel",
    "butterfly": "butterfly moth dragonfly fairy schmetterling papillon mariposa",
    "bird": ("bird hawk crow raven gull seagull sparrow crane vogel oiseau pajaro"),
    "fish": "fish goldfish salmon koi fisch poisson pez",
    "lighthouse": "lighthouse leuchtturm phare faro",
    "person": (
        "person children men women man woman girl boy child kid people traveler traveller hiker "
        "walker sailor knight king queen dancer student "
        "wizard witch lady mann frau madchen junge homme femme enfant hombre mujer nino she he couple "
        "family runner princess prince hero"
    ),
}

# Default place of a subject if no word names a place: of hand-drawn ones and some pictograms by name, of
# other pictograms by kind. The rest stand on a card.
HOMES = {
    "bee": "flowers",
    "butterfly": "flowers",
    "bird": "hills",
    "fish": "underwater",
    "lighthouse": "ocean",
    "person": "hills",
    "spouting-whale": "ocean",
    "whale": "ocean",
    "dolphin": "ocean",
    "train": "hills",
    "locomotive": "hills",
    "tractor": "hills",
    "rocket": "space",
    "flying-saucer": "space",
    "satellite": "space",
    "astronaut": "space",
    "castle": "mountains",
    "house": "hills",
    "kite": "hills",
}
FLOWER_SIZED = frozenset({"bee", "butterfly"})  # flowers are shown close up; larger subjects get a meadow
_KIND_HOMES = {
    "animal-mammal": "hills",
    "animal-bird": "hills",
    "animal-reptile": "hills",
    "animal-amphibian": "hills",
    "animal-marine": "underwater",
    "animal-bug": "flowers",
    "transport-ground": "city",
    "transport-water": "ocean",
    "transport-air": "hills",
    "place-building": "city",
}

MOVES = {
    "in": (
        "zoom push closer close closeup approach into toward towards enter inside detail macro intimate naher"
    ),
    "out": "pull reveal wide away leave leaving backward panorama vast",
    "rise": "rise rising up upward ascend climb climbing grow growing lift tall launch soar steigt haut",
    "fall": "fall falling down downward descend sink dive drop fallt",
    "pan": (
        "pan drive driving run running walk walking sail sailing ride riding follow race racing "
        "across along travel chase lauft fahrt swim swimming"
    ),
    "arc": (
        "fly flying flight float floating drift drifting orbit around circle hover spin dance turn "
        "fliegt dream"
    ),
}

PACES = {
    0.6: "slow slowly calm gentle gently quiet still peaceful soft langsam lentement",
    1.35: "fast quick quickly run running race racing rush speed hurry chase action schnell vite rapido",
}

COLOURS = {
    "red": "#D8343B", "rot": "#D8343B", "rouge": "#D8343B", "rojo": "#D8343B",
    "blue": "#2F6FD6", "blau": "#2F6FD6", "bleu": "#2F6FD6", "azul": "#2F6FD6",
    "green": "#3B9B5A", "grun": "#3B9B5A", "vert": "#3B9B5A", "verde": "#3B9B5A",
    "yellow": "#F5BE2E", "gelb": "#F5BE2E", "golden": "#E8B23A", "gold": "#E8B23A",
    "orange": "#F0802E", "pink": "#F27BA8", "purple": "#8452C9", "violet": "#8452C9",
    "white": "#F4F1EA", "black": "#2A2B33", "grey": "#8A9099", "gray": "#8A9099", "brown": "#8A5A3A",
    "silver": "#B9C2CC", "turquoise": "#2FB7AE", "teal": "#1F8A8A",
}  # fmt: skip


MANY = frozenset(
    [
        "flock",
        "school",
        "herd",
        "swarm",
        "two",
        "three",
        "four",
        "five",
        "many",
        "some",
        "several",
        "people",
        "couple",
        "family",
        "zwei",
        "drei",
    ]
)

# Terms of filming and figures of speech with a word that would be drawn, as `_words` reads them.
_NOT_DRAWN = re.compile(
    r"\b(?:"
    r"(?:(?:camera|jib|boom) )?cranes? (?:moves?|movements?|shots?|up|down|in|out)"
    r"|cranes (?:up|down|in|out|over|past|above|toward)|(?:camera|jib) cranes?"
    r"|cranes? (?:lifts?|rises?|sweeps?|style)"
    r"|hero (?:shots?|images?|lights?|frames?)|eagle eyed?|swan songs?"
    r"|(?:bird|worm|fish|cat)(?: s)? eye(?: views?| lens)?"
    r"|(?:lights?|sunlight|shadows?|reflections?|dust|colou?rs?|flames?) (?:that )?(?:dances?|dancing)"
    r"|dances? of (?:lights?|sunlight|shadows?|reflections?|dust|colou?rs?|flames?)"
    r"|(?:same|horizontal|vertical|diagonal|back) planes?"
    r"|planes? of|(?:focal|focus|picture|image|film) planes?"
    r"|home (?:reels?|movies?|videos?|pages?)|depth of field|fields? of view"
    r"|(?:empty|negative|open|outer edge of the) space(?! station)"
    r"|leaves (?:plenty|half|time|room|the|a|no|it|him|her|them)"
    r"|train (?:of thought|(?:your|the|an?) eyes?)|crowns?|stages?|star(?:es?|filter)|star filters?"
    r"|jet black|dog days|butterfly light(?:ing)?"
    r")\b"
)

Concept = TypeVar("Concept")


@dataclass(frozen=True)
class Subject:
    kind: str
    colour: Colour | None  # set if a colour word comes right before it
    many: bool


@dataclass(frozen=True)
class Look:
    """What to draw. None means that the text doesn't say."""

    place: str | None
    light: str | None
    weather: str | None
    subject: Subject | None
    landmark: str | None  # a building in the scene besides the subject
    pictures: tuple[str, ...]  # the pictograms that its words name, the most telling first
    move: str | None
    pace: float

    @property
    def known(self) -> bool:
        """Return whether the text names anything that can be drawn."""
        return bool(self.place or self.light or self.weather or self.subject or self.pictures)


def read(text: str, language: str = "en-US") -> Look:
    """Return what a text asks to be drawn. `language`: BCP 47, of the film; the text may be in another."""
    plain = _plain(text)
    words = re.findall(r"[a-z]+", plain)
    pictures = tuple(dict.fromkeys(names[0] for names in named(_meant(text), language)))
    subject = _subject(words, pictures)
    place = _first(PLACES, words)
    if place == "flowers" and subject and subject.kind not in FLOWER_SIZED:
        place = "hills"
    place = place or (_home(subject.kind) if subject else None)
    buildings = [name for name in pictures if kind(name) == "place-building"]
    landmark = "lighthouse" if _first(_LIGHTHOUSES, words) else next(iter(buildings), None)
    if place == "flowers" or (subject and subject.kind == landmark):
        landmark = None  # a building smaller than a flower would look like a toy
    return Look(
        place=place,
        light=_first(LIGHTS, words),
        weather=_first(WEATHERS, words),
        subject=subject,
        landmark=landmark if subject else None,
        pictures=pictures,
        move=_first(MOVES, words),
        pace=_first(PACES, words) or 1.0,
    )


def read_opening(text: str, language: str = "en-US") -> Look:
    """Return the look of a prompt's first sentence that does not only say how it is filmed. Those after it
    tell of light and air, whose words ("cloud", "leaves") name other places and weathers."""
    opening = next((said for said in sentences(text) if not FILMED.search(said)), "")
    return read(opening, language)


@dataclass(frozen=True)
class Shot:
    """How a prompt says that its scene is filmed, in its own words; empty if it doesn't."""

    view: str
    camera: str

    @property
    def size(self) -> str | None:
        """`close`, `wide`, `above`, `low`, `behind`, or None."""
        return _said(_SIZES, f"{self.view} {self.camera}")

    @property
    def move(self) -> str | None:
        """A name of `camera.move_for`, or None."""
        return _said(_CAMERA_MOVES, self.camera or self.view)


UNSAID = Shot("", "")


def read_shot(prompt: str) -> Shot:
    """Return how a prompt says that its scene is filmed."""
    said = sentences(prompt)
    camera = next((one for one in said if _CAMERA.search(one)), "")
    view = next((one for one in said if one != camera and FILMED.search(one)), "")
    return Shot(view, camera)


# A sentence about how the scene is filmed.
_CAMERA = re.compile(r"\bcamera\b", re.IGNORECASE)
FILMED = re.compile(
    r"\bthe camera\b|^an? (?:[\w-]+,? ){0,3}(?:view|shot|angle|close-?up|pan|lens)\b"
    r"|\b(?:view|shot|angle|close-?up) (?:shows?|at|takes?|looks?|brings?|holds?|leads?|places?|leaves)\b",
    re.IGNORECASE,
)
_SIZES = {
    "low": r"low (?:view|angle|shot)|from below|close to the ground|looks? up|starts low|stays low|rises",
    "above": r"above|overhead|aerial|bird s eye|descends",
    "close": r"close|closer|closeup|macro|details?|moves in|pushes in|intimate",
    "behind": r"opposite|other side|turns around|from behind|circles?|arcs?",
    "wide": r"wide|whole|(?:draws?|pulls?) back|establishing|panoram\w+|(?:from a|into the) distance",
}
_CAMERA_MOVES = {
    "out": r"(?:draws?|pulls?|moves?|zooms?) (?:slowly )?(?:back|away|out)",
    "in": r"(?:moves?|pushes|zooms?|eas\w+) (?:\w+ )?(?:in|closer|towards?)|closes in|approaches",
    "rise": r"rises|rising|climbs|lifts|cranes? (?:up|move)|ascends",
    "fall": r"descends|descending|sinks|lowers|cranes? down",
    "arc": r"turns?|arcs?|circles?|orbits?|around",
    "pan": r"pans?|glides?|tracks?|tracking|follows?|alongside|sideways|travels?|walks?|drifts?|sweeps?",
}


def _said(terms: Mapping[str, str], text: str) -> str | None:
    plain = _unaccented(text)
    return next((name for name, words in terms.items() if re.search(rf"\b(?:{words})\b", plain)), None)


_LIGHTHOUSES = {"lighthouse": SUBJECTS["lighthouse"]}


def _home(subject: str) -> str | None:
    if subject in HOMES:
        return HOMES[subject]
    return _KIND_HOMES.get(kind(subject))


def _plain(text: str) -> str:
    """Return a text's lower-case words without accents, so that "Blüte" and "blute" are the same word. Terms
    of filming are left out."""
    words = " ".join(re.findall(r"[a-z]+", _unaccented(text)))
    return _NOT_DRAWN.sub(" ", words)


def _meant(text: str) -> str:
    """Return a text's words in any script, without terms of filming."""
    return _NOT_DRAWN.sub(" ", " ".join(re.findall(r"[\w\u0300-\u036f\u0900-\u0dff]+", text.casefold())))


def _unaccented(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in plain if not unicodedata.combining(letter))


def _index(table: Mapping[Concept, str]) -> dict[str, Concept]:
    index: dict[str, Concept] = {}
    for concept, words in table.items():
        for word in words.split():
            index.setdefault(word, concept)
    return index


def _first(table: Mapping[Concept, str], words: list[str]) -> Concept | None:
    index = _index(table)
    return next((index[form] for word in words for form in _forms(word) if form in index), None)


_GERMAN_STEM = 4  # letters


def _forms(word: str) -> list[str]:
    """Return the word, followed by words it may be a plural or another case of. German endings need a stem of
    four letters: "been" is no bee, "sheen" no she, and "skin" has nothing to do with skis."""
    stems = [word[:-1]] if word.endswith("s") else []
    if word.endswith(("ses", "xes", "zes", "ches", "shes", "oes")):  # "cares" is no car
        stems.append(word[:-2])
    stems += [
        word[: -len(ending)]
        for ending in ("n", "en", "e", "es")
        if word.endswith(ending) and len(word) - len(ending) >= _GERMAN_STEM
    ]
    if word.endswith("ies"):
        stems.append(word[:-3] + "y")
    if word.endswith("ves"):
        stems.append(word[:-3] + "f")
    return [word, *(stem for stem in stems if len(stem) > 2)]


# Hand-drawn figures of what a pictogram shows, so that any language names them.
_BY_HAND = {"honeybee": "bee", "butterfly": "butterfly", "bird": "bird", "fish": "fish"}
_PRONOUNS = frozenset({"she", "he", "people"})  # which say less than any thing does


def _subject(words: list[str], pictures: tuple[str, ...]) -> Subject | None:
    """Return the hand-drawn figure that the words name, else what their first pictogram shows."""
    index = _index(SUBJECTS)
    someone: Subject | None = None
    for position, word in enumerate(words):
        for form in _forms(word):
            if form in index:
                before = words[position - 1] if position else ""
                colour = COLOURS.get(before)
                many = (form != word and word.endswith("s")) or before in MANY or word in MANY
                found = Subject(index[form], rgb(colour) if colour else None, many)
                if form not in _PRONOUNS:
                    return found
                someone = someone or found
    # Weather is drawn, not shown as a thing.
    things = [name for name in pictures if kind(name) != "sky-weather"]
    if not things:
        return someone
    return Subject(_BY_HAND.get(things[0], things[0]), None, many=bool(MANY & {*words}))
