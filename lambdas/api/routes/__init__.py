"""The routes of the REST API, a module for each group: each parses, calls and renders."""
