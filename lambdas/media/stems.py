"""Write a film's mix and its stems, the sounds that it was mixed from, as WAV files of one length."""

import zipfile
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

import av
import numpy as np

from lambdas.media.sound_input import RATE, Samples

NARRATION, CLIPS, MUSIC = "narration", "clips", "music"
MIX = "mix"
_EARLIEST = (1980, 1, 1, 0, 0, 0)  # that a zip can name: the same sound gives the same bytes


def write_wavs(sound: Iterable[Samples], names: Sequence[str], folder: Path) -> None:
    """Write NAME.wav to the folder for each two channels of `sound`: 48 kHz stereo, 32-bit float, so that a
    stem may be louder than the mix in which another one cancels it."""
    with ExitStack() as files:
        tracks = []
        for name in names:
            container = files.enter_context(
                av.open(folder / f"{name}.wav", "w", format="wav", container_options={"fflags": "+bitexact"})
            )
            tracks.append((container, container.add_stream("pcm_f32le", rate=RATE, layout="stereo")))
        for block in sound:
            for channel, (container, track) in enumerate(tracks):
                interleaved = np.ascontiguousarray(block[2 * channel : 2 * channel + 2].T, np.float32)
                frame = av.AudioFrame.from_ndarray(interleaved.reshape(1, -1), "flt", "stereo")
                frame.sample_rate = RATE
                container.mux(track.encode(frame))


def pack(folder: Path, path: Path) -> Path:
    """Move the folder's files to a new zip file, uncompressed. Return its path."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as packed:
        for file in sorted(folder.iterdir()):
            entry = zipfile.ZipInfo(file.name, _EARLIEST)
            with file.open("rb") as source, packed.open(entry, "w", force_zip64=True) as target:
                while chunk := source.read(1 << 20):
                    target.write(chunk)
            file.unlink()  # one at a time: together they may fill half of the disk
    return path
