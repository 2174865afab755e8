"""Programs that the cloud starts, and how they end with it."""
