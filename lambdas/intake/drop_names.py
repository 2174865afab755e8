"""Compare the names of dropped files as people do: é is é however a system stores it, and case is ignored."""

import unicodedata
from collections.abc import Iterable


def folded(name: str) -> str:
    """Return what is equal of names that differ only in case or in the form of their characters (Unicode
    3.13, D145: canonical caseless match)."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())


def first_characters(name: str) -> Iterable[str]:
    """Return every character that a name which is the same may begin with: what S3 can list by."""
    cases = {name, name.lower(), name.upper(), name.title(), name.casefold()}
    return sorted(
        {
            normal[:1]
            for case in cases
            for normal in (unicodedata.normalize("NFC", case), unicodedata.normalize("NFD", case))
        }
    )
