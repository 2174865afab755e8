"""Engine servers."""
