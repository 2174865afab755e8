"""The files of a request, from untrusted base64 strings to what LoadImage and LoadAudio load."""

import base64
import binascii
import hashlib
import io

import av

from containers.cogvideox.errors import InvalidRequest
from containers.cogvideox.image import first_frame
from containers.comfyui.client import Upload


def image_file(data: str, size: tuple[int, int]) -> Upload:
    """The image in base64 `data` as a PNG of exactly `size` (width, height); raises InvalidRequest."""
    png = io.BytesIO()
    first_frame(data, size).save(png, "PNG")
    return _file(png.getvalue(), "png", "image/png")


def audio_file(data: str) -> Upload:
    """The WAV or MP3 in base64 `data`, unchanged; raises InvalidRequest unless it can be heard."""
    try:
        encoded = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequest("audio", "audio must be base64 (with padding, without a data: prefix)") from None
    if encoded[:4] == b"RIFF" and encoded[8:12] == b"WAVE":
        kind = "wav"
    elif encoded[:3] == b"ID3" or (encoded[:1] == b"\xff" and encoded[1:2] >= b"\xe0"):
        kind = "mp3"
    else:
        raise InvalidRequest("audio", "audio must be a WAV or MP3")
    try:
        # The demuxer is named, so that no other one (playlists, concat scripts) ever reads the bytes.
        with av.open(io.BytesIO(encoded), format=kind) as container:
            samples = sum(frame.samples for frame in container.decode(audio=0))
    except (av.FFmpegError, IndexError) as error:
        raise InvalidRequest("audio", f"audio is broken: {error}") from error
    if not samples:
        raise InvalidRequest("audio", "audio has no sound in it")
    return _file(encoded, kind, "audio/wav" if kind == "wav" else "audio/mpeg")


def _file(content: bytes, extension: str, media_type: str) -> Upload:
    # Named by its content: sent again it takes no more room, and ComfyUI knows that it is the same.
    return Upload(f"{hashlib.sha256(content).hexdigest()[:32]}.{extension}", content, media_type)
