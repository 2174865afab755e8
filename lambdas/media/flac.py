"""Write sound without loss."""

from collections.abc import Iterable
from typing import BinaryIO

import av

from lambdas.media.sound_filters import frame_of
from lambdas.media.sound_input import RATE, Samples


def flac(blocks: Iterable[Samples], output: BinaryIO) -> None:
    """Write sound to `output` (seekable, empty) as a FLAC: 48 kHz stereo, 16 bits."""
    with av.open(output, "w", format="flac") as container:
        track = container.add_stream("flac", rate=RATE, layout="stereo")
        encoder = av.AudioResampler(format="s16", layout="stereo", rate=RATE)
        position = 0
        for block in blocks:
            for part in encoder.resample(frame_of(block, position)):
                container.mux(track.encode(part))
            position += block.shape[1]
        container.mux(track.encode())
