"""The fonts of a film's words: the user's, or those that come with Reelworks and the machine's."""

from lambdas.adapters.objects import Objects
from lambdas.domain.errors import CaptionsRefused
from lambdas.domain.fonts import Lettered
from lambdas.media.typesetting import FontMissing, Fonts, fonts_of


def film_fonts(lettered: Lettered, language: str, inputs: Objects) -> Fonts:
    """Return the fonts. Raises ArtifactMissing; CaptionsRefused if the font was there when the film was asked
    for, and is no longer."""
    try:
        return fonts_of(lettered, language, inputs.get)
    except FontMissing as error:
        raise CaptionsRefused(f"the font {lettered.font or ''} is missing; there are {error}") from error
