"""Read and write MP4 files box by box."""
