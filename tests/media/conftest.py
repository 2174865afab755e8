"""Sockets are disabled, as in unit tests."""

from tests.unit.conftest import no_network

__all__ = ["no_network"]
