"""What a caller may do: a request needs at most one scope, and a key or user has any of them."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field


class Scope(StrEnum):
    READ = "read"  # look at videos, films, models and usage
    CREATE = "create"  # create, edit, cancel and delete videos
    ADMIN = "admin"  # create, list and revoke the tenant's API keys
    OPERATE = "operate"  # see what runs, waits and failed in the whole deployment


# What a tenant may give its own keys. Only whoever has the deployment's AWS credentials gives OPERATE.
TenantScope = Annotated[
    Literal[Scope.READ, Scope.CREATE, Scope.ADMIN], Field(description="read, create or admin")
]
OF_A_TENANT: tuple[Scope, ...] = (Scope.READ, Scope.CREATE, Scope.ADMIN)
OF_USERS = (Scope.READ, Scope.CREATE)  # of the user pool, whose groups give no others
DEFAULT: tuple[TenantScope, ...] = (Scope.READ, Scope.CREATE)  # of a new key
_NEEDED = {"/v1/api_keys": Scope.ADMIN, "/v1/operations": Scope.OPERATE}
_CALLER = "/v1/caller"  # every caller may ask who it is
_READING = frozenset({"GET", "HEAD", "OPTIONS"})


def scope_of(method: str, path: str) -> Scope | None:
    """Return the scope that a request needs, whether or not its route exists; None if it needs none."""
    for below, scope in _NEEDED.items():
        if path == below or path.startswith(f"{below}/"):
            return scope
    reading = method in _READING
    if reading and path.rstrip("/") == _CALLER:
        return None
    return Scope.READ if reading else Scope.CREATE
