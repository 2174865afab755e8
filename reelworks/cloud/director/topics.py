"""Classify a topic, so that a sentence about it is correct without understanding what it says."""

import re
from dataclasses import dataclass
from enum import Enum

from lambdas.domain.english import is_function_word, reads_as_english, words
from lambdas.domain.sentences import sentences
from lambdas.media.lines import beginning
from reelworks.cloud.director import vocabulary
from reelworks.cloud.director.prompts import find


class Kind(Enum):
    THEME = "about …"  # a noun, "how to …", or words in quotation marks
    MOMENT = "…: this happens"  # may be an independent clause, so it goes after a colon
    QUESTION = "…?"


@dataclass(frozen=True)
class Topic:
    kind: Kind
    text: str  # as it appears within a sentence, without its end mark
    title: str
    shown: str  # what the film shows, as a sentence
    story: tuple[str, ...] = ()  # the topic's own sentences, if it has several

    @property
    def sentence(self) -> str:
        """The topic as a sentence of its own, to be spoken."""
        return _sentence(self.text, "?" if self.kind is Kind.QUESTION else ".")


LONGEST_MOMENT, LONGEST_THEME, LONGEST_TITLE = 18, 9, 8  # words
_LONGEST_FOREIGN, _LONGEST_SEEN = 40, 80  # characters of text that is not understood

_REQUEST = re.compile(
    r"\A(?:please,? |can you |could you |i (?:want|need|would like) (?:you to )?|i'd like (?:you to )?)*"
    r"(?:(?:make|create|generate|write|produce|film|shoot|do|have) (?:me |us )?)?"
    r"(?:an? |the |some |my )?(?:[\w-]+ ){0,3}?"
    r"(?:video|film|movie|clip|documentary|short|storyboard|animation|reel|trailer)s? "
    r"(?:about|on|of|for|that (?:shows|explains|tells of)|showing|explaining|in which|where) ",
    re.IGNORECASE,
)
_ABOUT = re.compile(r"\Aabout (?=\S)", re.IGNORECASE)


def understand(text: str) -> Topic:
    """Return the topic of a film from a client's text, which must have at least one visible character."""
    text = _plain_quotes(_unwrapped(text))
    if text.isupper():
        text = text.lower()
    told = sentences(text)
    first = told[0].rstrip(" .!?…,;:-–—") or told[0]
    if not _english(text) or not _is_plain(first):
        quoted = f"“{beginning(shortened(text, 6), _LONGEST_FOREIGN).rstrip()}”"
        return Topic(Kind.THEME, quoted, quoted, f"“{_beginning(text)}”.")
    story = tuple(told) if len(told) > 1 and all(map(_is_plain, told)) else ()
    several = len(told) > 1 and not story
    shown = (
        _beginning(text) + "."
        if several
        else _sentence(shortened(first, LONGEST_MOMENT), "?" if told[0].endswith("?") else ".")
    )
    named = _without_form(first)
    title = _sentence(shortened(named, LONGEST_TITLE), "")
    if _is_question(told[0]):
        asked = shortened(first, LONGEST_MOMENT)
        return Topic(Kind.QUESTION, _lowered(asked), f"{title}?", shown, story)
    if not story and words(named)[:1] and words(named)[0] in _PLAIN_VERBS and len(words(named)) > 1:
        said = shortened(named, LONGEST_THEME)
        return Topic(Kind.THEME, f"“{said}”", title, shown)
    if not story and len(named.split()) <= LONGEST_THEME and not _is_clause(named):
        return Topic(Kind.THEME, _lowered(named), title, shown)
    return Topic(Kind.MOMENT, _lowered(shortened(named, LONGEST_MOMENT)), title, shown, story)


def _sentence(text: str, end: str) -> str:
    return text[:1].upper() + text[1:] + end


_FORM = re.compile(
    r"\A(?:an? |the )?(?:[\w-]+ ){0,2}?(?:shot|view|painting|drawing|sketch|anime|cartoon|footage|photo"
    r"|picture|timelapse|time-lapse|close-up|animation|claymation) of (?=\S)",
    re.IGNORECASE,
)


def _without_form(text: str) -> str:
    """Remove how the subject is filmed: "drone shot of …", "…, black and white film"."""
    bare = _FORM.sub("", text, count=1)
    start, _, last = bare.rpartition(", ")
    forms = (vocabulary.DIRECTED.words, *(style.words for style in vocabulary.STYLES.values()))
    low = f"in {last.lower().replace('-', ' ')}"
    return start if start and any(find(form, low) is not None for form in forms) else bare


def _beginning(text: str) -> str:
    dense = len(text.encode()) > 1.5 * len(text)
    return beginning(text, _LONGEST_FOREIGN if dense else _LONGEST_SEEN).rstrip(" .,;:-–—")


def _is_plain(sentence: str) -> bool:
    """Return whether the sentence fits among English sentences."""
    return _english(sentence) and (len(sentence.split()) <= LONGEST_THEME or reads_as_english(sentence))


def _unwrapped(text: str) -> str:
    """Remove the words that ask for a film."""
    bare = text.strip("\"'“”‘’ ") or text
    for pattern in (_REQUEST, _ABOUT):
        bare = pattern.sub("", bare, count=1).strip() or bare
    return bare


def _plain_quotes(text: str) -> str:
    """Replace double quotation marks, because text that is not understood is put in quotation marks."""
    return re.sub(r"[“”„«»「」『』\"]", "'", text).strip()


def shortened(text: str, most: int) -> str:
    """Return at most `most` words, to the end of a clause if possible, without a trailing function word."""
    found = text.split()
    if len(found) <= most:
        return text
    kept = " ".join(found[:most])
    for end in (r"[,;:–—]\s", r"\s(?:who|which|that|while|because|when|where|until|as|but|so)\s"):
        clause = re.match(rf"(.*\S){end}", kept + " ", re.DOTALL)
        if clause and len(clause[1].split()) >= max(4, most // 2):
            return clause[1].rstrip(",;:–— ")
    ends = kept.split()
    while len(ends) > 1 and (is_function_word(ends[-1].lower()) or not ends[-1].isalnum()):
        ends.pop()
    return " ".join(ends)


# --- the language

# Words of other languages that are not English words, and rarely part of a name in English.
_FOREIGN = frozenset(
    words(
        """un una une uno el los las la le les des du della degli nella il lo gli der das dem und ein eine
        einen über für mit auf ist nicht por para con sur dans avec pour qui och ett som det av het een voor
        zijn jest się nie bir ve için uma são im ins zur zum vom"""
    )
)


def _english(text: str) -> bool:
    letters = [char for char in text if char.isalpha()]
    if not letters or sum(char.isascii() for char in letters) < 0.9 * len(letters):
        return not letters and text.isascii() and any(char.isdigit() for char in text)
    if reads_as_english(text):
        return True
    found = words(text)
    plain = text.isascii() or any(map(is_function_word, found))
    return plain and not any(word in _FOREIGN for word in found)


# --- the form

_AUXILIARY = frozenset(
    words("is are was were do does did can could will would should has have had may might must shall am")
)
_ASKING = frozenset(words("how why what when where who which whose"))


def _is_question(text: str) -> bool:
    found = words(text)
    if text.endswith("?"):
        return bool(found)
    if len(found) < 3:
        return False
    return (found[0] in _ASKING and found[1] in _AUXILIARY) or (
        found[0] in _AUXILIARY - {"do", "will", "can", "may", "might"}
    )


_DETERMINERS = frozenset(words("a an the my your his her our their its this that these those one some every"))
_PREPOSITIONS = frozenset(
    words(
        """of in on at for to from by with into onto over under through across along around against among
        between beyond near behind beside above below inside outside towards toward past and or"""
    )
)
# Third-person verb forms that are rarely anything else …
_VERBS = frozenset(
    words(
        """walks runs jumps leaps swims sits stands sleeps lies rises moves opens closes sings reads writes
        sees finds discovers learns meets loses saves tries goes comes leaves returns takes gives makes builds
        draws bakes eats sails explores searches chases escapes hides waits remembers forgets becomes grows
        begins ends stops breaks crosses climbs carries holds hovers glides drifts flows shines glows blows
        trots dies hates wants says tells asks hears listens feels thinks knows believes teaches brings gets
        keeps throws catches pulls pushes digs gathers collects hatches spins floats explodes transforms
        wanders arrives disappears appears decides realizes realises befriends invents survives travels fights
        sneaks crawls chews licks barks purrs howls sniffs stares smiles laughs cries whispers shouts kisses
        rolls slides slips tumbles spreads unfolds melts freezes erupts collapses marches"""
    )
)
# … that may also be nouns …
_MAYBE_VERBS = frozenset(
    words(
        """falls flies plays dances dreams works lives lands rains snows rides looks turns calls watches needs
        shows cuts plants wakes starts burns wins cooks drinks drives hunts loves helps feeds crashes changes
        paints picks visits faces races"""
    )
)
# … and in the plural and imperative form.
_PLAIN_VERBS = frozenset(
    words(
        """walk run jump leap fly swim sit stand sleep lie rise move sing read write see find discover learn
        meet lose save try go come leave return take give make build draw bake eat drink drive sail explore
        search hide wait remember forget become grow begin stop break cross climb carry hold drift flow shine
        glow die hate want need say tell ask hear listen feel think know believe teach bring get keep throw
        catch pull push dig gather collect float wander arrive disappear appear play dance march fight hunt
        live work gather migrate hibernate communicate be don't never always let imagine protect help ignore
        disregard describe explain answer print repeat translate"""
    )
)
_MANY = frozenset(words("people children men women kids friends we they i you who mice geese fish sheep"))
_ALONE = frozenset(words("he she it we they i you"))


def _is_clause(text: str) -> bool:
    """Return whether a verb in the text may say what happens; a false positive only costs variety."""
    found = words(text)
    if not found:
        return False
    if found[0] in _ASKING:  # "how to …", "why cats purr"
        return False
    if found[0] in _ALONE:
        return True
    for before, word, after in zip(found, found[1:], [*found[2:], ""], strict=False):
        if before in _DETERMINERS | _PREPOSITIONS:
            continue
        if word in _VERBS or (word in _AUXILIARY and word not in {"can", "will", "may", "might", "must"}):
            return True
        if word in {"can", "will", "must", "may", "might"} and after:
            return True
        leads = after in _DETERMINERS | _PREPOSITIONS or after.endswith("ly")
        if word in _MAYBE_VERBS and (leads or found[0] in {"a", "an", "one", "my"}):
            return True
        if word in _PLAIN_VERBS and (before in _MANY or before.endswith("s")):
            return True
    return False


_COMMON = frozenset(
    words(
        """coffee tea water time love ocean oceans friendship history music dance life death art sport
        football
        soccer basketball tennis chess cooking baking bread cheese wine chocolate pizza sushi rain snow wind
        fire ice light darkness colour color sound silence sleep dreams memory hope fear joy happiness sadness
        grief courage freedom justice democracy peace war money inflation trade work school science physics
        chemistry biology mathematics math space planets stars galaxies gravity evolution climate weather
        volcanoes earthquakes rivers mountains forests deserts islands caves trees plants gardens bees ants
        spiders birds owls penguins whales dolphins sharks wolves bears cats dogs horses elephants dinosaurs
        robots computers artificial machine cars trains planes bicycles ships bridges cities houses castles
        kings knights pirates astronauts heroes children people families teachers doctors nurses farmers
        autumn
        spring summer winter night morning traditional modern ancient medieval old new small little great big
        deep wild quiet lost electric digital renewable solar social mental public urban street healthy slow
        deforestation photosynthesis recycling pollution plastic electricity energy oil gold glass paper books
        poetry theatre film photography fashion architecture design travel tourism health medicine exercise
        yoga meditation running swimming cycling hiking climbing fishing hunting farming gardening learning
        two three four five six seven eight nine ten many several few most quantum northern southern eastern
        western teaching reading writing painting drawing singing playing growing making building living"""
    )
)


def _lowered(text: str) -> str:
    """Return the text for use within a sentence: with a lower-case first letter, unless it may be a name."""
    first = re.match(r"[\w'’-]+", text)
    word = first[0] if first else ""
    as_written = not word[:1].isupper() or (len(word) > 1 and not word[1:].islower())
    if as_written and word != "A":
        return text
    plain = word.lower().replace("’", "'")
    known = is_function_word(plain) or plain in _COMMON | _ASKING | _PLAIN_VERBS | _VERBS | _DETERMINERS
    if plain != "i" and (known or _in_vocabulary(plain)):
        return word.lower() + text[len(word) :]
    return text


def _in_vocabulary(word: str) -> bool:
    subjects = (subject.words for subject in (*vocabulary.SUBJECTS, vocabulary.STILL))
    times = (time.words for time in vocabulary.TIMES.values())
    return any(find(known, word) == 0 for known in (*subjects, *times))
