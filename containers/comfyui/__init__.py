"""The ComfyUI bridge: an engine server that renders by a workflow of a ComfyUI server the user runs."""

VERSION = "0.1.0"
