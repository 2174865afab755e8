"""Licences of models that a user must accept by name before an engine is downloaded or deployed.

Sources, read in November 2026: https://github.com/Lightricks/LTX-2/blob/main/LICENSE (of August 11, 2026; the
weights of LTX-2.0 came with one of January 5, 2026, with the same limit) and https://ai.google.dev/gemma/terms.
"""

from collections.abc import Collection, Iterable
from typing import Literal, NamedTuple

LicenceName = Literal["ltx-2", "gemma"]


class Licence(NamedTuple):
    title: str
    url: str
    says: str  # what a user should know of it


LICENCES: dict[LicenceName, Licence] = {
    "ltx-2": Licence(
        "LTX-2.x Community License Agreement",
        "https://github.com/Lightricks/LTX-2/blob/main/LICENSE",
        "organisations with 10,000,000 USD or more of yearly revenue need a paid licence of Lightricks, and "
        "some uses are forbidden to all",
    ),
    "gemma": Licence(
        "Gemma Terms of Use",
        "https://ai.google.dev/gemma/terms",
        "of the text encoder, Google's Gemma 3: some uses are forbidden",
    ),
}


def missing(needed: Iterable[LicenceName], accepted: Collection[str]) -> list[LicenceName]:
    """Return the names of the licences that have not been accepted."""
    return [name for name in needed if name not in accepted]


def terms(names: Iterable[LicenceName]) -> str:
    """Return what is to be accepted, with where to read it."""
    return "; ".join(
        f"{name}, the {LICENCES[name].title} ({LICENCES[name].url}): {LICENCES[name].says}" for name in names
    )
