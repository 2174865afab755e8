"""The voices that can narrate, as Polly lists them."""

import time
from collections.abc import Sequence
from typing import Any

from lambdas.adapters.clients import translated
from lambdas.domain.narration import OfferedVoice

_KNOWN_SECONDS = 3600  # for which the list is not asked for again; Polly adds a voice a few times a year


class Voices:
    def __init__(self, polly: Any) -> None:
        self._polly = polly
        self._known: Sequence[OfferedVoice] = ()
        self._known_until = 0.0

    def all(self) -> Sequence[OfferedVoice]:
        """Return every voice by name. Raises ServiceUnavailable."""
        if time.monotonic() >= self._known_until:
            self._known = sorted(self._listed(), key=lambda voice: voice.name)
            self._known_until = time.monotonic() + _KNOWN_SECONDS
        return self._known

    def _listed(self) -> list[OfferedVoice]:
        found: list[OfferedVoice] = []
        with translated("list voices"):
            for page in self._polly.get_paginator("describe_voices").paginate():
                found += [
                    OfferedVoice(
                        name=one["Id"],
                        language=one["LanguageCode"],
                        language_name=one["LanguageName"],
                        other_languages=one.get("AdditionalLanguageCodes", []),
                        gender=one.get("Gender"),
                        engines=one["SupportedEngines"],
                    )
                    for one in page["Voices"]
                ]
        return found
