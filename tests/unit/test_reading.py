"""What a PC's voice is sent for numbers, units, dates and abbreviations, in several languages."""

import pytest

from reelworks.cloud.backends.voice.reading import read_aloud


@pytest.mark.parametrize(
    ("language", "text", "read"),
    [
        ("en-US", "It costs $5.20.", "It costs 5 dollars 20."),
        ("en-US", "It costs $5, not $1.", "It costs 5 dollars, not 1 dollar."),
        ("en-US", "$3.5 million or £2", "3.5 million dollars or 2 pounds"),
        ("en-US", "$1,299.00 or $0.50", "1,299 dollars or 0.50 dollars"),
        ("en-US", "5 km, 5km and 1 kg", "5 kilometers, 5 kilometers and 1 kilogram"),
        ("en-US", "at 90 km/h or 60 mph", "at 90 kilometers per hour or 60 miles per hour"),
        ("en-US", "21 °C is 70°F.", "21 degrees Celsius is 70 degrees Fahrenheit."),
        ("en-US", "20 m² and 3.5 m", "20 square meters and 3.5 meters"),
        ("en-GB", "5 km", "5 kilometres"),
        ("en-US", "on 2026-01-31 and 1/31/2026", "on January 31st, 2026 and January 31st, 2026"),
        ("en-GB", "31/1/2026", "31 January 2026"),
        ("en-US", "In 1999, since 1905, from 1939 to 1945.", "In 19 99, since 19 oh 5, from 19 39 to 19 45."),
        ("en-US", "the 1990s and the ’80s", "the 19 nineties and the eighties"),
        ("en-US", "May 3, 1912, and June 22", "May 3rd, 19 12, and June 22nd"),
        ("en-US", "No. 5, i.e. it vs. me", "number 5, that is it versus me"),
        ("en-US", "10-20 bees, 10–20 bees", "10 to 20 bees, 10 to 20 bees"),
        ("de-DE", "Das kostet 5,20 € oder 1.299,00 €.", "Das kostet 5 Euro 20 oder 1.299 Euro."),
        ("de-DE", "5 km bei 90 km/h", "5 Kilometer bei 90 Kilometer pro Stunde"),
        ("de-DE", "1,5 l und 21 °C", "1,5 Liter und 21 Grad Celsius"),
        ("de-DE", "am 21. März, der 3. Mai", "am einundzwanzigsten März, der dritte Mai"),
        ("de-DE", "am 3.10.1990", "am dritten Oktober neunzehnhundert 90"),
        ("de-DE", "im 19. Jahrhundert", "im neunzehnten Jahrhundert"),
        ("de-DE", "10:30 Uhr, 9.00 Uhr", "10 Uhr 30, 9 Uhr"),
        ("de-DE", "Dr. Bee, z. B. und d.h.", "Doktor Bee, zum Beispiel und das heißt."),
        ("de-DE", "Bienen usw.", "Bienen und so weiter."),
        ("fr-FR", "5,20 € à 10h30 et 9 h 00", "5 euros 20 à 10 heures 30 et 9 heures"),
        ("fr-FR", "1 000 km, M. Dupont", "1 000 kilomètres, monsieur Dupont"),
        ("fr-FR", "le 31/01/2026", "le 31 janvier 2026"),
        ("es-ES", "5 km por 5,20 €", "5 kilómetros por 5 euros 20"),
        ("es-ES", "p. ej. en EE. UU.", "por ejemplo en Estados Unidos."),
        ("it-IT", "5 km, 21 °C, ecc.", "5 chilometri, 21 gradi Celsius, eccetera."),
        ("pt-BR", "R$ 5 e 5 km", "5 Reais brasileiros e 5 quilômetros"),
        ("nl-NL", "€ 5 voor 10-20 km", "5 euro voor 10 tot 20 kilometer"),
        ("pl-PL", "np. 5 km i 2 km", "na przykład 5 kilometrów i 2 kilometry"),
        ("ru-RU", "21 км и 5 km", "21 км и 5 километров"),
    ],
)
def test_what_espeak_misreads_is_written_out(language: str, text: str, read: str) -> None:
    assert read_aloud(text, language).replace("\u202f", " ").replace("\xa0", " ") == read


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en-US", "A bee at 10:30, 50 %, 3.14, 1,000,000 bees, the 21st, e.g. -5."),
        ("en-US", "Call 555-1234; it was 3-1. A 5G phone, 4K, the 747, iPhone 5s."),
        ("en-US", "Version 1.2.3 of 192.168.1.10, 99/99/2026, 2026-13-45."),
        ("en-US", "a fund of 1250 bees"),
        ("es-ES", "En 2020 ha llegado."),
        ("it-IT", "In 3 mi hanno visto; nel 2020 ha vinto."),
        ("fr-FR", "Les 5 s’en vont, les 3 l'ont vu."),
        ("de-DE", "50 %, 3,14, 1.000.000 Bienen, Version 1.2."),
        ("xx", "5 km"),
        ("not a language", "5 km"),
        ("en-US", ""),
    ],
)
def test_everything_else_stays(language: str, text: str) -> None:
    assert read_aloud(text, language) == text
