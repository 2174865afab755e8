"""A server of the Model Context Protocol, with which AI assistants make films (docs/mcp.md)."""
