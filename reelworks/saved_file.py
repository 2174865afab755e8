"""Where a download goes: a file that appears complete or not at all, or a device or pipe that is written
through.

A symbolic link is followed: its target gets the content, and the link stays.
"""

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def is_file(path: Path) -> bool:
    """Return whether a download to `path` makes or replaces a file; False for a device or pipe.

    Raises OSError if nothing can be written there, with the reason.
    """
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        mode = stat.S_IFREG  # also of the target of a link that leads nowhere yet
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder", str(path))
    if stat.S_ISBLK(mode):
        raise OSError(errno.EINVAL, "it is a disk, whose content would be lost", str(path))
    if stat.S_ISSOCK(mode):
        raise OSError(errno.EINVAL, "it is a socket", str(path))
    return stat.S_ISREG(mode)


def check(path: Path) -> None:
    """Raise OSError if a download to `path` is sure to fail: before a film is made, rather than after.
    Creates nothing."""
    if not is_file(path):
        if not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return
    target = _target(path)
    _require_writable(target)
    folder = next(parent for parent in target.parents if os.path.lexists(parent))
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
    longest = os.pathconf(folder, "PC_NAME_MAX")
    if any(len(os.fsencode(name)) > longest for name in target.relative_to(folder).parts):
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), str(path))
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))


@contextmanager
def saving(path: Path) -> Iterator[BinaryIO]:
    """Open `path` for the content of a download. Raises OSError as `is_file` does."""
    if not is_file(path):
        # Unbuffered, so that a full device is noticed at the write.
        with path.open("wb", buffering=0) as through:
            yield through
        return
    target = _target(path)
    _require_writable(target)
    part = _part(target)
    try:
        with part.open("wb") as file:
            yield file
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _target(path: Path) -> Path:
    """Return the file itself, where `path` is a link to it."""
    return Path(os.path.realpath(path))


def _require_writable(target: Path) -> None:
    """Raise PermissionError if the file is there and may not be written: being replaced would ignore that."""
    if target.exists() and not target.stat().st_mode & 0o222:
        raise PermissionError(errno.EACCES, "it is read-only", str(target))


def _part(target: Path) -> Path:
    """Return the file to write first. The name may already have the longest length, 255 bytes on most file
    systems, so it can't be this one with something added."""
    return target.with_name(f".{hashlib.sha256(os.fsencode(target.name)).hexdigest()[:16]}.part")
