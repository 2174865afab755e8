"""Turn a request's files from untrusted base64 strings into what LoadImage and LoadAudio load."""

import base64
import binascii
import hashlib
import io

import av

from containers.comfyui.client import Upload
from containers.diffusion.errors import InvalidRequest
from containers.diffusion.film import Film
from containers.diffusion.image import given_frame


def image_file(data: str, size: tuple[int, int], film: Film | None = None) -> Upload:
    """Return the image in base64 `data` as a PNG of exactly `size` (width, height), as `given_frame` does.
    Raises InvalidRequest."""
    png = io.BytesIO()
    given_frame(data, size, film).save(png, "PNG")
    return _file(png.getvalue(), "png", "image/png")


def audio_file(data: str) -> Upload:
    """Return the WAV or MP3 in base64 `data`, unchanged. Raises InvalidRequest unless it decodes to sound."""
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
        # Naming the demuxer keeps others (playlists, concat scripts) from ever reading the bytes.
        with av.open(io.BytesIO(encoded), format=kind) as container:
            samples = sum(frame.samples for frame in container.decode(audio=0))
    except (av.FFmpegError, IndexError) as error:
        raise InvalidRequest("audio", f"audio is corrupt: {error}") from error
    if not samples:
        raise InvalidRequest("audio", "audio contains no sound")
    return _file(encoded, kind, "audio/wav" if kind == "wav" else "audio/mpeg")


def _file(content: bytes, extension: str, media_type: str) -> Upload:
    # Named by its content: sent again, it takes no more space, and ComfyUI recognizes it.
    return Upload(f"{hashlib.sha256(content).hexdigest()[:32]}.{extension}", content, media_type)
