"""ComfyUI bridge: an engine server that renders with a workflow on the user's own ComfyUI server."""

VERSION = "0.2.0"
