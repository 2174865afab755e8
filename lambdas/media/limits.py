"""Limits on the size of clips and films. Anything larger is rejected before it costs memory or time.

FFmpeg decodes in this process and can't be stopped from outside, so everything that bounds its work is
checked first: decision 0014. Each limit is well above what any engine produces and any film needs.
"""

WIDEST = 8192
"""Pixels per side of a picture."""
MOST_PIXELS = 4096 * 4096
"""Per picture. A decoder may hold 17 pictures: 430 MB of yuv420p, about Lambda's memory for assembly."""
LONGEST_SECONDS = 3600
"""Per clip or film: the longest video that can be requested."""
MOST_FRAMES = LONGEST_SECONDS * 60
"""Per clip or film."""
HIGHEST_FPS = 240
MOST_DECODED_PIXELS = 2**36
"""Per decode or encode call: about 15 minutes of 1080p at 30 fps, which takes two cores ten minutes."""
MOST_TRACKS = 16
"""Per file: picture, sound and one caption track per language."""
MOST_SAMPLES = 1_000_000
"""Per file, over all tracks. An hour of sound has 169,000 (48 kHz, 1024 each). FFmpeg needs 65 bytes each."""
MOST_INDEX_BYTES = 16 * 1024 * 1024
"""Total of the boxes that locate the samples (`moov`, `moof`): 16 bytes per sample."""
MOST_CHECKED_PIXELS = 2**31
"""Decoded of an uploaded video while its request waits: 77 s of 720p or 34 s of 1080p, both at 30 fps. What
comes after them is checked when it is used."""
SMALLEST_SIDE = 16
"""Pixels per side of an uploaded video. Smaller pictures can't be cropped to the film's aspect."""
