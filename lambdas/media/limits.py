"""How large a clip or film may be. Whatever asks for more is refused before the memory or time is spent.

FFmpeg decodes in this process and can't be stopped from outside, so all that bounds its work is checked
first: decision 0014. Each limit is well above what any engine gives and any film needs.
"""

WIDEST = 8192
"""Pixels of either side of a picture."""
MOST_PIXELS = 4096 * 4096
"""Of a picture. A decoder may hold 17 of them: 430 MB of yuv420p, about Lambda's memory for assembly."""
LONGEST_SECONDS = 3600
"""Of a clip or film: the longest video that can be asked for."""
MOST_FRAMES = LONGEST_SECONDS * 60
"""Of a clip or film."""
HIGHEST_FPS = 240
MOST_DECODED_PIXELS = 2**36
"""That one call decodes or encodes: a quarter of an hour of 1080p at 30 fps, ten minutes of two cores."""
MOST_TRACKS = 16
"""Of a file: picture, sound, a caption track for each language."""
MOST_SAMPLES = 1_000_000
"""Of all tracks of a file: an hour of sound has 169,000 (48 kHz, 1024 each). FFmpeg takes 65 bytes each."""
MOST_INDEX_BYTES = 16 * 1024 * 1024
"""Of the boxes that say where the samples lie (`moov`, `moof`): 16 bytes for each sample."""
