import random
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import av
import pytest

from lambdas.domain.errors import ClipUnreadable
from lambdas.media.probe import probe
from tests.media.clips import clip, pictures, sound_only


def test_reads_bytes_files_and_paths_alike(tmp_path: Path) -> None:
    mp4 = clip(9)
    file = BytesIO(mp4)
    file.seek(100)
    (tmp_path / "clip.mp4").write_bytes(mp4)
    assert probe(mp4) == probe(file) == probe(tmp_path / "clip.mp4")
    assert probe(mp4).frames == 9


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not a readable MP4"),
        (b"A bee on a flower", "not a readable MP4"),
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "not a readable MP4"),
        (b"ffconcat version 1.0\nfile '/etc/passwd'\n", "not a readable MP4"),
        (clip(9)[:200], "."),
        (clip(9)[:-30], "truncated: box 'mdat'"),
        (clip(40)[: len(clip(40)) // 2], "truncated"),
        (sound_only(), "no video track"),
    ],
)
def test_an_incomplete_clip_is_rejected_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(ClipUnreadable, match=reason):
        probe(data)


def test_unevenly_spaced_frames_are_rejected() -> None:
    output = BytesIO()
    with av.open(output, "w", format="mp4") as container:
        track = container.add_stream("libx264", rate=8)
        track.width, track.height, track.pix_fmt = 96, 64, "yuv420p"
        for picture, pts in zip(pictures(4), [0, 1, 5, 6], strict=True):
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts, frame.time_base = pts, Fraction(1, 8)
            container.mux(track.encode(frame))
        container.mux(track.encode())
    with pytest.raises(ClipUnreadable, match="evenly"):
        probe(output.getvalue())


def test_damaged_clips_give_a_result_or_the_named_error() -> None:
    mp4 = clip(6)
    rng = random.Random(0)
    refused = 0
    for _ in range(150):
        damaged = bytearray(mp4)
        for _ in range(rng.randint(1, 8)):
            damaged[rng.randrange(1200)] = rng.randrange(256)  # the index is at the start
        try:
            probe(bytes(damaged))
        except ClipUnreadable:
            refused += 1
    assert refused > 20
