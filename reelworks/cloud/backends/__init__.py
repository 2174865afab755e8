"""The backends of the PC's AWS services: text, voice, image and clip engines, one folder each."""
