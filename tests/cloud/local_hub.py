"""A server with the part of huggingface.co's API that a download needs.

https://huggingface.co/docs/hub/api and, for the headers of a file, huggingface_hub's get_hf_file_metadata.
"""

import hashlib
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


class LocalHub:
    """One repository at one revision, with the files of a folder."""

    def __init__(self, folder: Path, repository: str, revision: str) -> None:
        self.fetched: list[str] = []
        """The paths of the files that were sent, in order."""
        self.refused: set[str] = set()
        self.corrupted: set[str] = set()
        self._folder = folder
        self._revision = revision
        self.app = Starlette(
            routes=[
                Route(f"/api/models/{repository}/tree/{revision}", self._tree),
                Route(f"/{repository}/resolve/{revision}/{{path:path}}", self._file, methods=["GET", "HEAD"]),
            ]
        )

    def _tree(self, _request: Request) -> JSONResponse:
        paths = sorted(path for path in self._folder.rglob("*") if path.is_file())
        return JSONResponse([self._entry(path) for path in paths])

    def _entry(self, path: Path) -> dict[str, object]:
        content = path.read_bytes()
        entry: dict[str, object] = {
            "type": "file",
            "path": path.relative_to(self._folder).as_posix(),
            "size": len(content),
            "oid": _git_sha1(content),
        }
        if _is_large(path):
            entry["lfs"] = {"oid": _sha256(content), "size": len(content), "pointerSize": 134}
        return entry

    def _file(self, request: Request) -> Response:
        name = request.path_params["path"]
        path = self._folder / name
        if name in self.refused or not path.is_file():
            return Response(status_code=404, headers={"X-Error-Code": "EntryNotFound"})
        content = path.read_bytes()
        etag = _sha256(content) if _is_large(path) else _git_sha1(content)
        if request.method == "GET":
            self.fetched.append(name)
            if name in self.corrupted:
                content = content[:-1] + bytes([content[-1] ^ 1])
        return Response(
            content,
            headers={"ETag": f'"{etag}"', "X-Repo-Commit": self._revision},
            media_type="application/octet-stream",
        )


def _is_large(path: Path) -> bool:
    return path.suffix in (".safetensors", ".model")


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _git_sha1(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
