"""Draw draft clips on the CPU. The entry point is `draw_clip` in clip.py; the other modules support it."""
