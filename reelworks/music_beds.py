"""Music by mood from an openly licensed package (MIT): the extra `reelworks[music]`.

The pieces were made by a music model, ACE-Step 1.5; the package's LICENSE-MUSIC has each one's tempo, key and
seed.
"""

import random
from importlib.util import find_spec
from pathlib import Path

from reelworks.cloud.home import install_command

INSTALL = install_command("music")
_PACKAGE = "immich_memories_music"


class BedMissing(Exception):
    """There is no such piece of music, or the extra is not installed."""


def bed(name: str, seed: int | None = None) -> Path:
    """Return a piece of music, to be sent as a film's `music`: by its name, or any one of a mood. The same
    seed chooses the same piece. Raises BedMissing, which says what there is."""
    found = pieces()
    names = [one for mood in found.values() for one in mood]
    for piece in names:
        if piece.stem == name:
            return piece
    if name not in found:
        raise BedMissing(f"there is no music {name!r}. Moods: {', '.join(found)}. Pieces: {_listed(names)}.")
    return random.Random(seed).choice(found[name])  # noqa: S311 - a choice of music


def pieces() -> dict[str, list[Path]]:
    """Return the pieces of each mood. Raises BedMissing."""
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise BedMissing(f"the music is not installed. Install it: {INSTALL}")
    folders = sorted(one for one in (Path(spec.origin).parent / "tracks").iterdir() if one.is_dir())
    return {folder.name: sorted(folder.glob("*.opus")) for folder in folders}


def _listed(files: list[Path]) -> str:
    return ", ".join(file.stem for file in files)
