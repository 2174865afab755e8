"""The engine servers."""
