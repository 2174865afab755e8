"""What an API key may do: each request needs one scope, and a key has any of them."""

from enum import StrEnum


class Scope(StrEnum):
    READ = "read"  # look at videos, films, models and usage
    CREATE = "create"  # create, edit, cancel and delete videos
    ADMIN = "admin"  # create, list and revoke the tenant's API keys


ALL = tuple(Scope)
OF_USERS = (Scope.READ, Scope.CREATE)  # of the user pool, whose groups give no others
DEFAULT = (Scope.READ, Scope.CREATE)  # of a new key
_ADMIN_PATHS = ("/v1/api_keys",)
_READING = frozenset({"GET", "HEAD", "OPTIONS"})


def scope_of(method: str, path: str) -> Scope:
    """Return the scope that a request needs, whether or not its route exists."""
    if any(path == admin or path.startswith(f"{admin}/") for admin in _ADMIN_PATHS):
        return Scope.ADMIN
    return Scope.READ if method in _READING else Scope.CREATE
