"""Manifest of a model folder: its files with their SHA-256, stored beside them as manifest.json."""

import hashlib
import os
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from containers.diffusion.errors import BadCheckpoint

MANIFEST = "manifest.json"


class FileRecord(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    bytes: Annotated[int, Field(strict=True, ge=0, lt=2**60)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Manifest(BaseModel):
    """`files` has a record for each file in the folder but the manifest itself, by its path with slashes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    model: str
    repository: str | None = None
    """Source of the files on the hub; None for a folder that its owner filled."""
    revision: str | None = None
    files: dict[str, FileRecord]

    @property
    def identity(self) -> str:
        """Hub revision, or a digest of all files if there is none."""
        if self.revision is not None:
            return self.revision
        lines = (f"{record.sha256}  {path}\n" for path, record in sorted(self.files.items()))
        return "sha256:" + hashlib.sha256("".join(lines).encode()).hexdigest()

    @property
    def total_bytes(self) -> int:
        return sum(record.bytes for record in self.files.values())

    def differences(self, directory: Path) -> list[str]:
        """Return what is missing, changed or not listed in `directory`, one line each. Reads every listed
        file."""
        found = folder_files(directory)
        problems = [f"{path} is missing" for path in self.files if path not in found]
        problems += [f"{path} is not in the manifest" for path in found if path not in self.files]
        whole = []
        for path in sorted(self.files.keys() & found):
            size, listed = (directory / path).stat().st_size, self.files[path].bytes
            if size != listed:
                problems.append(f"{path} has {size:,} bytes; the manifest lists {listed:,}")
            else:
                whole.append(path)
        for path, digest in digests(directory, whole).items():
            if digest != self.files[path].sha256:
                problems.append(f"{path} has changed (SHA-256 {digest}, manifest {self.files[path].sha256})")
        return problems

    def write(self, directory: Path) -> None:
        """Write the manifest atomically: a reader finds none, the old one or the new one."""
        new = directory / f".{MANIFEST}.new"
        new.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")
        new.replace(directory / MANIFEST)


def make_manifest(
    directory: Path, model: str, *, repository: str | None = None, revision: str | None = None
) -> Manifest:
    """Return a manifest of the files as they are, without writing it."""
    paths = sorted(folder_files(directory))
    hashes = digests(directory, paths)
    records = {
        path: FileRecord(bytes=(directory / path).stat().st_size, sha256=hashes[path]) for path in paths
    }
    return Manifest(model=model, repository=repository, revision=revision, files=records)


def read_manifest(directory: Path) -> Manifest:
    """Read the manifest in `directory`. Raises BadCheckpoint if it is missing or invalid."""
    path = directory / MANIFEST
    if os.path.lexists(path):
        _require_file(path)
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise BadCheckpoint(
            f"{directory} has no {MANIFEST}. Download the model with `reel models pull`. If you filled the "
            f"folder yourself and trust its source, create one with `reel models trust {directory.name}`"
        ) from None
    except OSError as error:
        raise BadCheckpoint(f"{path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the document"
        raise BadCheckpoint(f"{path} is not a valid manifest: {where}: {first['msg']}") from None


def folder_files(directory: Path) -> set[str]:
    """Return the paths, with slashes, of all files except the manifest.

    Skips names that begin with a dot: no loader reads them, and downloads and desktops leave such files
    behind. Raises BadCheckpoint for a link to a folder, because its contents could not be listed.
    """
    found = set()
    for folder, folders, files in os.walk(directory):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in folders:
            if (Path(folder) / name).is_symlink():
                raise BadCheckpoint(
                    f"{Path(folder) / name} is a link to a folder; replace it with the files themselves"
                )
        relative = Path(folder).relative_to(directory)
        for name in files:
            if not name.startswith("."):
                if not name.isprintable():
                    raise BadCheckpoint(
                        f"{directory} has a file whose name can't be shown: {name!a}; rename or remove it"
                    )
                _require_file(Path(folder) / name)
                found.add((relative / name).as_posix())
    return found - {MANIFEST}


def _require_file(path: Path) -> None:
    """Raise BadCheckpoint unless `path` is a file, or a link to one: reading a pipe would never end."""
    try:
        if path.is_file():
            return
        why = "is neither a file nor a link to one" if path.exists() else "is a link to a missing file"
    except OSError as error:
        why = f"cannot be read: {error.strerror}"
    raise BadCheckpoint(f"{path} {why}")


@dataclass(frozen=True)
class Seen:
    """What tells a file or folder from a changed one, without reading it. The kernel sets the time of a
    change (ctime) and lets nobody choose it, so that a file that was swapped and put back is seen too."""

    device: int
    inode: int
    bytes: int
    modified_ns: int
    changed_ns: int

    @classmethod
    def of(cls, path: Path) -> Self:
        try:
            found = path.stat()
        except OSError as error:
            raise BadCheckpoint(f"{path} cannot be read: {error.strerror}") from error
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


@dataclass(frozen=True)
class Snapshot:
    """A model folder as it was when it was checked: what is loaded from it must be what was checked."""

    directory: Path
    seen: Mapping[Path, Seen]

    @classmethod
    def of(cls, directory: Path) -> Self:
        """Take it before the check. Waits until the last change is older than the clock's resolution, within
        which a further change could not be told. Raises BadCheckpoint."""
        while True:
            seen = {path: Seen.of(path) for path in _all_paths(directory)}
            latest = max(one.changed_ns for one in seen.values())
            if not 0 <= time.time_ns() - latest < _RESOLUTION_NS:
                return cls(directory, seen)
            time.sleep(_RESOLUTION_NS / 1e9)

    def require_unchanged(self, *paths: Path) -> None:
        """Raise BadCheckpoint if something in the folder, or one of these files, has changed since."""
        now = {path: Seen.of(path) for path in paths or _all_paths(self.directory)}
        before = {path: self.seen.get(path) for path in paths} if paths else self.seen
        changed = sorted(path for path in now.keys() | before.keys() if now.get(path) != before.get(path))
        if changed:
            raise BadCheckpoint(
                f"{changed[0]} has changed since it was checked; stop what writes to {self.directory}, "
                "check it with `reel models verify` and start the engine again"
            )


# Of the kernel's coarse clock, which dates changes: 1 to 10 ms on Linux.
_RESOLUTION_NS = 20_000_000


def _all_paths(directory: Path) -> list[Path]:
    """Return the folder, its folders and its files, the manifest too."""
    files = [directory / path for path in sorted(folder_files(directory) | {MANIFEST})]
    folders = {parent for file in files for parent in file.parents if parent.is_relative_to(directory)}
    return [*sorted(folders), *files]


def digests(directory: Path, paths: Iterable[str]) -> dict[str, str]:
    """Return the SHA-256 of files; reads several at once because one core hashes slower than a good disk
    reads."""

    def digest(path: str) -> tuple[str, str]:
        try:
            with (directory / path).open("rb") as file:
                return path, hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise BadCheckpoint(f"{directory / path} cannot be read: {error.strerror}") from error

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(pool.map(digest, paths))
