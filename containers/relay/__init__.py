"""Relay: an engine server that renders on any server with OpenAI's /v1/videos."""

VERSION = "0.2.0"
