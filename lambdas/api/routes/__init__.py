"""The routes of the REST API, one module per group. Each route parses, calls and renders."""
