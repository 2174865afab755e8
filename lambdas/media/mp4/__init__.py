"""MP4 files, read and written box by box."""
