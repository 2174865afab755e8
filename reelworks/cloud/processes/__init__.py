"""Start programs that end when the cloud ends."""
