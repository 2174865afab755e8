"""Draft clips drawn on the CPU: `draw_clip` in clip.py; the rest are its parts, from words to pictures."""
