"""Video, sound and caption files. No AWS."""
