"""Find the operation of a request. docs/decisions/0043-a-light-start.md says why no framework does."""

import re
from collections.abc import Iterable, Mapping

from lambdas.api.operations import Operation

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class Router:
    def __init__(self, operations: Iterable[Operation]) -> None:
        by_path: dict[str, dict[str, Operation]] = {}
        for operation in operations:
            by_path.setdefault(operation.path, {}).update(dict.fromkeys(operation.methods, operation))
        # A path without parameters comes first: /v1/videos/edits is no video.
        self._paths = [
            (_pattern(path), by_path[path]) for path in sorted(by_path, key=lambda path: "<" in path)
        ]

    def find(self, path: str) -> tuple[Mapping[str, Operation], dict[str, str]] | None:
        """Return a path's operations by method, and its parameters; None if there is no such path."""
        for pattern, operations in self._paths:
            if found := pattern.fullmatch(path):
                return operations, found.groupdict()
        return None


def _pattern(path: str) -> re.Pattern[str]:
    """/v1/models/<name> → /v1/models/(?P<name>[^/]+)/?"""
    return re.compile(re.sub(r"<(\w+)>", r"(?P<\1>[^/]+)", path) + "/?")
