"""Serves the files of the studio."""
