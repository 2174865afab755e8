"""Write out what espeak, which reads Piper's texts, misreads: amounts, units, dates, times, abbreviations.

Names of units, currencies and months in each language are the CLDR's (Babel). What espeak reads right stays
as it is (docs/decisions/0076-how-words-are-spoken.md).
"""

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from functools import cache, partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from babel import Locale

_Rule = Callable[[str, "Locale"], str]

# Groups of three digits may be separated by spaces, of any kind.
_DIGITS = r"(\d{1,3}(?:[ \u00a0\u202f]\d{3})+(?:[.,]\d+)?|\d[\d.,]*\d|\d)"
_NUMBER = rf"(?<![\w.,]){_DIGITS}"
_UNITS = {
    "km": "length-kilometer",
    "cm": "length-centimeter",
    "mm": "length-millimeter",
    "m": "length-meter",
    "km²": "area-square-kilometer",
    "m²": "area-square-meter",
    "cm²": "area-square-centimeter",
    "m³": "volume-cubic-meter",
    "l": "volume-liter",
    "L": "volume-liter",
    "ml": "volume-milliliter",
    "kg": "mass-kilogram",
    "g": "mass-gram",
    "mg": "mass-milligram",
    "km/h": "speed-kilometer-per-hour",
    "m/s": "speed-meter-per-second",
    "°C": "temperature-celsius",
    "°F": "temperature-fahrenheit",
    "h": "duration-hour",
    "min": "duration-minute",
    "s": "duration-second",
    "ms": "duration-millisecond",
    "Hz": "frequency-hertz",
    "kHz": "frequency-kilohertz",
    "MHz": "frequency-megahertz",
    "GHz": "frequency-gigahertz",
    "W": "power-watt",
    "kW": "power-kilowatt",
    "kWh": "energy-kilowatt-hour",
    "kB": "digital-kilobyte",
    "KB": "digital-kilobyte",
    "MB": "digital-megabyte",
    "GB": "digital-gigabyte",
    "TB": "digital-terabyte",
}
# Words of other languages.
_ENGLISH_UNITS = {
    "mi": "length-mile",
    "ft": "length-foot",
    "mph": "speed-mile-per-hour",
    "lb": "mass-pound",
    "lbs": "mass-pound",
    "oz": "mass-ounce",
}
_CURRENCIES = {
    "$": "USD",
    "€": "EUR",
    "£": "GBP",
    "¥": "JPY",
    "₹": "INR",
    "₽": "RUB",
    "R$": "BRL",
    "zł": "PLN",
    **{code: code for code in ("USD", "EUR", "GBP", "JPY", "CHF")},
}
# Abbreviations with what follows them, if that matters; espeak knows others.
_ABBREVIATIONS: dict[str, dict[str, str]] = {
    "en": {r"No\.(?= ?\d)": "number", r"i\.e\.": "that is", r"vs\.": "versus", r"approx\.": "approximately"},
    "de": {
        r"z\. ?B\.": "zum Beispiel",
        r"d\. ?h\.": "das heißt",
        r"u\. ?a\.": "unter anderem",
        r"usw\.": "und so weiter",
        r"bzw\.": "beziehungsweise",
        r"ca\.": "circa",
        r"Dr\.": "Doktor",
        r"Prof\.": "Professor",
        r"Nr\.": "Nummer",
    },
    "fr": {r"M\.(?= [A-ZÀ-Þ])": "monsieur", r"p\. ?ex\.": "par exemple"},
    "es": {r"p\. ?ej\.": "por ejemplo", r"EE\. ?UU\.": "Estados Unidos"},
    "it": {r"ecc\.": "eccetera"},
    "pt": {r"p\. ?ex\.": "por exemplo"},
    "nl": {r"bijv\.": "bijvoorbeeld", r"d\.w\.z\.": "dat wil zeggen", r"enz\.": "enzovoort"},
    "pl": {r"np\.": "na przykład", r"itd\.": "i tak dalej", r"tzn\.": "to znaczy"},
}
_TO = {"en": "to", "de": "bis", "fr": "à", "es": "a", "it": "a", "pt": "a", "nl": "tot", "pl": "do"}


def read_aloud(text: str, language: str) -> str:
    """Return the text as a voice of the language (such as en-US) should read it."""
    locale = _locale(language)
    if locale is None:
        return text
    own = _OF_LANGUAGE.get(locale.language, ())
    for rule in (_abbreviations, _dates, *own, _amounts, _quantities, _ranges):
        text = rule(text, locale)
    return _years(text, locale)


@cache
def _locale(language: str) -> "Locale | None":
    from babel import Locale, UnknownLocaleError  # 0.1 s, for those who speak

    try:
        return Locale.parse(language.replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        return None


def _abbreviations(text: str, locale: "Locale") -> str:
    for pattern, words in _ABBREVIATIONS.get(locale.language, {}).items():
        # The full stop of one that ends the sentence ends it still.
        text = re.sub(rf"(?<!\w){pattern}(?P<end>\s*$)?", partial(_closed, words), text)
    return text


def _closed(said: str, found: re.Match[str]) -> str:
    return f"{said}." if found["end"] is not None else said


def _dates(text: str, locale: "Locale") -> str:
    from babel.dates import format_date

    order = "".join(dict.fromkeys(re.findall("[yMd]", locale.date_formats["short"].pattern)))

    def long(found: re.Match[str]) -> str:
        first, sign, second, third = found.groups()
        parts = (first, second, third)
        by = dict(zip("yMd" if len(first) == 4 else order, parts, strict=True))
        if len(by["y"]) != 4 or (sign == "/" and len(first) == 4):
            return found[0]
        try:
            return format_date(date(int(by["y"]), int(by["M"]), int(by["d"])), "long", locale=locale)
        except ValueError:  # no such day
            return found[0]

    return re.sub(r"(?<![\w./-])(\d{1,4})([./-])(\d{1,2})\2(\d{1,4})(?![\w/-]|\.\d)", long, text)


def _decimal(number: str, locale: "Locale") -> Decimal | None:
    from babel.numbers import NumberFormatError, parse_decimal

    try:
        return parse_decimal(re.sub(r"\s", "", number), locale=locale)
    except NumberFormatError:
        return None


def _amounts(text: str, locale: "Locale") -> str:
    signs = "|".join(map(re.escape, sorted(_CURRENCIES, key=len, reverse=True)))
    great = r"(?: (?:thousand|million|billion|trillion))?"
    before = rf"(?<!\w)({signs})\s?{_DIGITS}({great})(?!\w)"
    text = re.sub(before, lambda found: _amount(found[0], found[2], found[3], found[1], locale), text)
    after = rf"{_NUMBER}\s?({signs})(?!\w)"
    return re.sub(after, lambda found: _amount(found[0], found[1], "", found[2], locale), text)


def _amount(written: str, number: str, great: str, sign: str, locale: "Locale") -> str:
    from babel.numbers import get_currency_name

    value = _decimal(number, locale)
    if value is None:
        return written
    whole, cents = divmod(value, 1)
    spoken = bool(re.search(r"[.,]\d\d$", number)) and whole > 0 and not great
    name = get_currency_name(
        _CURRENCIES[sign], count=1_000_000 if great else whole if spoken else value, locale=locale
    )
    if locale.language == "en":
        name = name.removeprefix("US ").removeprefix("British ")
    if not spoken:
        return f"{number}{great} {name}"
    return f"{number[:-3]} {name} {int(cents * 100)}" if cents else f"{number[:-3]} {name}"


def _quantities(text: str, locale: "Locale") -> str:
    from babel.units import format_unit

    def quantity(found: re.Match[str]) -> str:
        number, space, sign = found.groups()
        value = _decimal(number, locale)
        if value is None or (not space and len(sign) == 1):  # 5G, the 80s, 3m
            return found[0]
        return format_unit(value, units[sign], "long", format="#,##0.######", locale=locale)

    units = _UNITS | (_ENGLISH_UNITS if locale.language == "en" else {})
    signs = "|".join(map(re.escape, sorted(units, key=len, reverse=True)))
    return re.sub(rf"{_NUMBER}([ \u00a0\u202f]?)({signs})(?![\w/²³°'’])", quantity, text)


def _ranges(text: str, locale: "Locale") -> str:
    to = _TO.get(locale.language)
    if to is None:
        return text

    def between(found: re.Match[str]) -> str:
        first, sign, second = found.groups()
        # A hyphen also joins telephone numbers and scores.
        spanning = (
            len(first) <= len(second) and int(first) < int(second) and (len(first) == 4) == (len(second) == 4)
        )
        return f"{first} {to} {second}" if sign == "–" or spanning else found[0]

    return re.sub(r"(?<![\w.,/–-])(\d{1,4})\s?([-–])\s?(\d{1,4})(?![\w/–-]|[.,]\d)", between, text)


# --- of single languages

_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
_TENS = ("", "", "twenties", "thirties", "forties", "fifties", "sixties", "seventies", "eighties", "nineties")
_BEFORE_YEARS = "in|since|until|till|before|after|year|early|late|spring|summer|autumn|fall|winter"
_BEFORE_NUMBERS = "of|from|by|around|about|to|and"  # and before years


def _english(text: str, locale: "Locale") -> str:
    """Days of months are ordinals, and decades have names."""
    text = re.sub(
        rf"\b({_MONTHS}) (\d{{1,2}})(?![\w:]|[.,]\d)",
        lambda found: f"{found[1]} {_ordinal(int(found[2]))}",
        text,
    )
    decade = r"(?<![\w.,$€£])(?:[’']|(1[1-9]|20))?([2-9])0s\b"
    return re.sub(decade, lambda found: f"{found[1] + ' ' if found[1] else ''}{_TENS[int(found[2])]}", text)


def _ordinal(day: int) -> str:
    ending = "th" if day in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"{day}{ending}"


_GERMAN = (
    *(
        "null",
        "ein",
        "zwei",
        "drei",
        "vier",
        "fünf",
        "sechs",
        "sieben",
        "acht",
        "neun",
        "zehn",
        "elf",
        "zwölf",
    ),
    *("dreizehn", "vierzehn", "fünfzehn", "sechzehn", "siebzehn", "achtzehn", "neunzehn"),
)
_GERMAN_ORDINALS = {1: "erst", 3: "dritt", 7: "siebt", 8: "acht"}
_INFLECTED = "am|vom|zum|dem|den|seit|ab|bis|beim|im"
_GERMAN_MONTHS = "Januar|Februar|März|April|Mai|Juni|Juli|August|September|Oktober|November|Dezember"


def _german(text: str, locale: "Locale") -> str:
    """Days are ordinals, and the hour comes before the minutes."""

    def day(found: re.Match[str]) -> str:
        number = int(found[2])
        if not 1 <= number <= 31:
            return found[0]
        before = found[1] or ""
        word = before.strip().lower()
        ending = "en" if word in _INFLECTED.split("|") else "e" if word in ("der", "die", "das") else "er"
        return f"{before}{_german_ordinal(number)}{ending} {found[3]}"

    words = f"{_GERMAN_MONTHS}|Jahrhundert|Jahrhunderts"
    text = re.sub(rf"\b((?:{_INFLECTED}|der|die|das)\s)?(\d{{1,2}})\. ({words})\b", day, text, flags=re.I)
    return re.sub(r"\b(\d{1,2})[:.](\d{2}) Uhr\b", _german_time, text)


def _german_time(found: re.Match[str]) -> str:
    hour, minutes = int(found[1]), int(found[2])
    return f"{hour} Uhr {minutes}" if minutes else f"{hour} Uhr"


def _german_ordinal(number: int) -> str:
    if number in _GERMAN_ORDINALS:
        return _GERMAN_ORDINALS[number]
    if number < len(_GERMAN):
        return f"{_GERMAN[number]}t"
    tens = ("zwanzig", "dreißig")[number // 10 - 2]
    return f"{_GERMAN[number % 10]}und{tens}st" if number % 10 else f"{tens}st"


def _french(text: str, locale: "Locale") -> str:
    return re.sub(
        r"\b(\d{1,2}) ?h ?(\d{2})\b",
        lambda found: (
            f"{int(found[1])} heure{'s' if int(found[1]) > 1 else ''} {int(found[2]) or ''}".strip()
        ),
        text,
    )


_OF_LANGUAGE: dict[str, tuple[_Rule, ...]] = {"en": (_english,), "de": (_german,), "fr": (_french,)}


def _years(text: str, locale: "Locale") -> str:
    """Years of the centuries before 2000 are said by hundreds."""
    if locale.language == "de":
        year = r"(?<![\w.,])(1[1-9])(\d\d)(?![\w]|[.,]\d)"
        return re.sub(
            year, lambda found: f"{_GERMAN[int(found[1])]}hundert {int(found[2]) or ''}".strip(), text
        )
    if locale.language == "en":
        year = r"(1[1-9])(\d\d)(?!\w|[.,]\d)"
        surely = rf"\b((?:{_BEFORE_YEARS}) |(?:{_MONTHS}) (?:\d{{1,2}}\w\w, )?){year}"
        text = re.sub(surely, _english_year, text, flags=re.I)
        last = rf"\b((?:{_BEFORE_NUMBERS}) ){year}(?=\s*(?:[.,;:!?)–—]|$|(?:to|until|and|through)\b))"
        return re.sub(last, _english_year, text, flags=re.I)
    return text


def _english_year(found: re.Match[str]) -> str:
    century, year = found[2], int(found[3])
    return f"{found[1]}{century}00" if not year else f"{found[1]}{century} {'oh ' if year < 10 else ''}{year}"
