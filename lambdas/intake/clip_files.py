"""Check the clips that requests bring: as the video to edit or extend, or for a scene.

The media libraries are imported where a clip came: see lambdas.intake.accept.
"""

from fractions import Fraction

from lambdas.domain.assembly import Fit
from lambdas.domain.errors import ClipUnreadable, InvalidRequest
from lambdas.domain.film_format import SIDE, Size
from lambdas.domain.uploads import Kind
from lambdas.intake.uploads import ClipFile

LONGEST_FILE = 60  # seconds
# Bytes: Lambda accepts a request of 6 MB, in which a file is base64. One that is sent ahead may be larger.
LARGEST_FILE = 4_500_000


def frames_of(clip: ClipFile, param: str, *, fps: int, size: Size = (SIDE[0], SIDE[0])) -> int:
    """Return how many frames a clip has at `fps`; `size`: the film's, which it must fit.

    Raises InvalidRequest naming the field `param`.
    """
    from lambdas.media.conform import FilmFormat, check_upload

    largest = LARGEST_FILE if isinstance(clip.source, bytes) else Kind.CLIP.most
    what = f"{param} must be a decodable MP4 file of at most {LONGEST_FILE} s and {largest:,} bytes"
    if clip.size > largest:
        raise InvalidRequest(f"{what}; got {clip.size:,} bytes.", param=param)
    try:
        return check_upload(clip.source, FilmFormat(*size, Fraction(fps)), Fit.COVER, longest=LONGEST_FILE)
    except ClipUnreadable as error:
        raise InvalidRequest(f"{what}: {error.message}.", param=param) from error


def check_sound(clip: ClipFile, param: str, *, otherwise: str = "Send it without sound.") -> bool:
    """Return whether a clip has sound, which can be decoded. Raises InvalidRequest naming the field `param`
    and what to do `otherwise`."""
    from lambdas.media import sound_input
    from lambdas.media.probe import as_source

    source = as_source(clip.source)
    try:
        sound_input.check_sound(source)
    except ClipUnreadable as error:
        raise InvalidRequest(
            f"{param} must have sound that can be decoded, or none: {error.message}. {otherwise}",
            param=param,
        ) from error
    return sound_input.has_sound(source)
