"""Pictures for an assistant: small JPEGs, because each is a part of its context."""

from io import BytesIO
from pathlib import Path

from mcp.server.mcpserver import Image
from PIL import Image as Picture

_LONGEST_SIDE = 640  # pixels


def small_jpeg(path: Path) -> Image:
    with Picture.open(path) as picture:
        picture.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
        written = BytesIO()
        picture.convert("RGB").save(written, "JPEG", quality=80)
    return Image(data=written.getvalue(), format="jpeg")
