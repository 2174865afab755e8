"""The fonts of a film's captions: the user's, or those that come with Reelworks and the machine's."""

from lambdas.adapters.objects import Objects
from lambdas.domain.errors import CaptionsRefused
from lambdas.domain.video_request import CaptionLook
from lambdas.media.typesetting import FontMissing, Fonts, fonts_of


def captions_fonts(look: CaptionLook, language: str, inputs: Objects) -> Fonts:
    """Return the fonts. Raises ArtifactMissing; CaptionsRefused if the font was there when the film was asked
    for, and is no longer."""
    try:
        return fonts_of(look, language, inputs.get)
    except FontMissing as error:
        raise CaptionsRefused(f"caption_font {look.font or ''} is missing; there are {error}") from error
