"""Where a download goes: a file that appears complete or not at all, or a device or pipe that is written
through.

A symbolic link is followed: its target gets the content, and the link stays.
"""

import errno
import hashlib
import os
import stat
import sys
from io import FileIO
from pathlib import Path
from typing import Self


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


class SavedFile:
    """What a download writes: use it as a context manager. Raises OSError as `is_file` does.

    A file's content is kept in a part beside it until it is complete, also if the download breaks off or its
    process is killed. The part's name tells which version of the content it has, so that it is never
    continued with another's. A part that can't be written is removed, to leave a full disk its room.
    """

    def __init__(self, path: Path) -> None:
        self._through = not is_file(path)
        self._target = path if self._through else _target(path)
        self._file: FileIO | None = None
        self._part: Path | None = None
        self._version: str | None = None
        self.size = 0
        """Bytes that there are already: in the part of an earlier try, or that have gone through."""

    def __enter__(self) -> Self:
        if self._through:
            self._file = self._target.open("wb", buffering=0)
        else:
            _require_writable(self._target)
            if parts := _parts(self._target):
                self._take(parts[0])
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if self._part and (self._version is None or isinstance(error, OSError)):
            self._part.unlink(missing_ok=True)
        if self._file:
            self._file.close()

    def holds(self, version: str | None) -> bool:
        """Return whether what there is already is of this version of the content."""
        return version is not None and self._version == _digest(version)

    def begin(self, version: str | None) -> None:
        """Write this version of the content, from its start. None: it can't be told from another version.

        Raises OSError if another download writes it.
        """
        if self._through and self.size:
            raise OSError(errno.EIO, "it can't be written from its start again", str(self._target))
        self._version = None if version is None else _digest(version)
        if self._through:
            return
        if self._file:
            self._file.close()
        for old in _parts(self._target):
            old.unlink(missing_ok=True)
        self._take(self._target.with_name(f"{_stem(self._target)}.{self._version or _UNKNOWN}{_SUFFIX}"))

    def write(self, chunk: bytes) -> None:
        assert self._file is not None  # noqa: S101 - begun
        left = memoryview(chunk)
        while left:  # a pipe may take a part of it
            taken = self._file.write(left)
            self.size += taken
            left = left[taken:]

    def finish(self) -> None:
        """Put the complete content in its place."""
        if self._part and self._file:
            self._file.close()
            self._part.replace(self._target)
            self._part = None

    def _take(self, part: Path) -> None:
        """Open a part at its end, for this download alone."""
        # Unbuffered, so that a full disk is noticed at the write, and a killed process leaves all it wrote.
        file = part.open("ab", buffering=0)
        try:
            _lock(file)
            if not part.exists() or not os.path.samestat(os.fstat(file.fileno()), part.stat()):
                raise BlockingIOError  # the other has just put it in its place
        except BlockingIOError:
            file.close()
            raise OSError(errno.EBUSY, "another download is writing it", str(self._target)) from None
        version = part.name.split(".")[-2]
        self._file, self._part, self.size = file, part, file.tell()
        self._version = None if version == _UNKNOWN else version


def _lock(file: FileIO) -> None:
    """Lock the file for this process, where there are locks. Raises BlockingIOError if another has it."""
    if sys.platform != "win32":
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:  # a network drive without locks: a download there is not guarded
            if error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP):
                raise


def _target(path: Path) -> Path:
    """Return the file itself, where `path` is a link to it."""
    return Path(os.path.realpath(path))


def _require_writable(target: Path) -> None:
    """Raise PermissionError if the file is there and may not be written: being replaced would ignore that."""
    if target.exists() and not target.stat().st_mode & 0o222:
        raise PermissionError(errno.EACCES, "it is read-only", str(target))


_SUFFIX = ".part"
_UNKNOWN = "unknown"  # version, in the name of a part


def _stem(target: Path) -> str:
    """Return how the names of the file's parts begin. Its own name may already have the longest length, 255
    bytes on most file systems, so it can't be that with something added."""
    return f".{_digest(target.name)}"


def _parts(target: Path) -> list[Path]:
    return sorted(target.parent.glob(f"{_stem(target)}.*{_SUFFIX}"))


def _digest(text: str) -> str:
    return hashlib.sha256(os.fsencode(text)).hexdigest()[:16]
