import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from io import BytesIO

import av
import numpy as np
import pytest

from containers.diffusion.export import mp4
from lambdas.domain.assembly import Transition, TransitionKind
from lambdas.domain.errors import ClipsDiffer, ClipUnreadable, TransitionTooLong
from lambdas.media.encode import encode, splice_points
from lambdas.media.mp4.merge import Piece, lay_out
from lambdas.media.source import BytesSource, Source
from lambdas.media.splice import splice
from tests.media.clips import Pixels, decoded_frames, shown_seconds

WIDTH, HEIGHT, FPS = 64, 48, 8
CROSSFADE, FADE, WIPE, NONE = (
    Transition(kind, 4)
    for kind in (TransitionKind.CROSSFADE, TransitionKind.FADE, TransitionKind.WIPE, TransitionKind.NONE)
)


def scene(frames: int, seed: int, *, width: int = WIDTH) -> Iterator[Pixels]:
    """Return a disc that moves over a coloured gradient."""
    numbers = np.random.default_rng(seed)
    near, far, disc = numbers.integers(30, 220, (3, 3))
    rows, columns = np.mgrid[:HEIGHT, :width]
    slope = (columns / width)[..., None]
    for number in range(frames):
        middle = width * (0.2 + 0.6 * number / frames)
        inside = (columns - middle) ** 2 + (rows - HEIGHT / 2) ** 2 < 100
        yield np.where(inside[..., None], disc, near + slope * (far - near)).astype(np.uint8)


def rendered(frames: int, seed: int) -> bytes:
    """Export as the CogVideoX server does."""
    return mp4(np.stack(list(scene(frames, seed))), FPS, {})


def drafted(frames: int, seed: int, *, width: int = WIDTH) -> bytes:
    return encode(
        scene(frames, seed, width=width),
        width=width,
        height=HEIGHT,
        fps=FPS,
        metadata={},
        keyframes=splice_points(frames, FPS),
    )


def foreign(frames: int, seed: int, *, keyframes_every: int = 250, tagged: bool = False) -> bytes:
    """Encode as another program would."""
    output = BytesIO()
    with av.open(output, "w", format="mp4") as container:
        options = {"bf": "3", "x264-params": "threads=2:b-adapt=0"}
        track = container.add_stream("libx264", rate=FPS, options=options)
        track.width, track.height, track.pix_fmt, track.gop_size = WIDTH, HEIGHT, "yuv420p", keyframes_every
        if tagged:
            context = track.codec_context
            context.color_primaries = context.color_trc = context.colorspace = context.color_range = 1
        for pixels in scene(frames, seed):
            container.mux(track.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
        container.mux(track.encode())
    return output.getvalue()


def pieces_of(clips: Sequence[bytes]) -> list[Piece]:
    return [Piece(BytesSource(clip), index) for index, clip in enumerate(clips)]


class Joint(BytesSource):
    pass


class Kept(dict[int, bytes]):
    """Record the joints made."""

    def __call__(self, joint: int, make: Callable[[], bytes]) -> Source:
        assert joint not in self
        self[joint] = make()
        return Joint(self[joint])


def planes(clip: bytes) -> list[Pixels]:
    return [frame.to_ndarray() for frame in decoded_frames(clip)]


def film_of(pieces: Sequence[Piece]) -> bytes:
    return b"".join(lay_out(pieces, metadata={}).stream())


def blended(kind: TransitionKind, part: Fraction, before: Pixels, after: Pixels) -> Pixels:
    """Compute the transition's formula in floating point, plane by plane. `part` is its progress."""
    weight = np.full_like(before, float(part), np.float64)
    if kind is TransitionKind.WIPE:
        middles = np.arange(WIDTH) + 0.5
        row = np.clip((float(part) * WIDTH - middles) / 8 + 0.5, 0, 1)
        weight[:HEIGHT] = row
        chroma = np.clip((float(part) * WIDTH - (middles[: WIDTH // 2] * 2)) / 8 + 0.5, 0, 1)
        weight[HEIGHT:] = np.tile(chroma, 2)  # two rows of chroma are side by side
    return np.rint(before * (1 - weight) + after * weight).astype(np.uint8)


def expected_film(clips: Sequence[bytes], transitions: Sequence[Transition | None]) -> list[Pixels]:
    """Return all frames decoded and blended, none encoded."""
    black = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
    black[:HEIGHT] = 16
    film = planes(clips[0])
    for clip, between in zip(clips[1:], transitions, strict=True):
        later = planes(clip)
        count = between.frames if between else 0
        match between.kind if between else TransitionKind.NONE:
            case TransitionKind.CROSSFADE | TransitionKind.WIPE as kind:
                for number in range(count):
                    part = Fraction(number + 1, count + 1)
                    film[number - count] = blended(kind, part, film[number - count], later[number])
                later = later[count:]
            case TransitionKind.FADE as kind:
                ending = math.ceil(count / 2)
                beginning = count - ending
                for number in range(ending):
                    part = Fraction(ending - number - 1, ending)
                    film[number - ending] = blended(kind, part, black, film[number - ending])
                for number in range(beginning):
                    part = Fraction(number + 1, beginning + 1)
                    later[number] = blended(kind, part, black, later[number])
        film += later
    return film


def psnr(a: Pixels, b: Pixels) -> float:
    error = np.mean((a.astype(float) - b) ** 2)
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def check(clips: Sequence[bytes], transitions: Sequence[Transition | None]) -> tuple[list[int], Kept]:
    """Compare the film with the expected frames. Return which of its frames were re-encoded."""
    kept = Kept()
    pieces = splice(pieces_of(clips), transitions, kept)
    found, expected = planes(film := film_of(pieces)), expected_film(clips, transitions)
    assert len(found) == len(expected)
    assert shown_seconds(film) == [Fraction(number, FPS) for number in range(len(expected))]
    anew = [isinstance(piece.source, Joint) for piece in pieces for _ in range(piece.start, piece.stop)]
    for number, is_new in enumerate(anew):
        if is_new:
            assert psnr(found[number], expected[number]) >= 40, number
        else:
            np.testing.assert_array_equal(found[number], expected[number], str(number))
    return [number for number, is_new in enumerate(anew) if is_new], kept


@pytest.mark.parametrize("make", [rendered, drafted])
@pytest.mark.parametrize(
    ("between", "anew"),
    [(CROSSFADE, range(16, 20)), (WIPE, range(16, 20)), (FADE, range(18, 24))],
)
def test_only_the_joint_is_re_encoded(
    between: Transition, anew: range, make: Callable[[int, int], bytes]
) -> None:
    # The fade uses two frames of each clip; the later clip's copied part begins at its keyframe, frame 4.
    found, kept = check([make(20, 1), make(20, 2)], [between])
    assert found == list(anew)
    assert {joint: len(decoded_frames(clip)) for joint, clip in kept.items()} == {1: len(anew)}


def test_three_clips_two_transitions_and_the_film_s_first_and_last_frame() -> None:
    clips = [rendered(20, 1), drafted(17, 2), rendered(20, 3)]
    found, kept = check(clips, [CROSSFADE, WIPE])
    assert found == [*range(16, 20), *range(29, 33)]
    assert sorted(kept) == [1, 2]


def test_engines_clips_drafts_and_joints_share_their_headers() -> None:
    film = film_of(splice(pieces_of([rendered(12, 1), drafted(12, 2)]), [CROSSFADE], Kept()))
    # Otherwise it would be avc3: each keyframe would have its own headers.
    assert b"avc1" in film
    assert b"avc3" not in film


@pytest.mark.parametrize("between", [None, NONE])
def test_a_hard_cut_encodes_nothing(between: Transition | None) -> None:
    pieces = pieces_of([rendered(12, 1), foreign(12, 2)])
    assert splice(pieces, [between], Kept()) == [Piece(piece.source, piece.clip, 0, 12) for piece in pieces]


@pytest.mark.parametrize("between", [CROSSFADE, FADE, WIPE])
def test_clips_with_b_frames_and_a_single_keyframe(between: Transition) -> None:
    check([foreign(14, 1), foreign(14, 2), foreign(14, 3)], [between, between])


def test_a_foreign_clip_is_copied_from_its_next_keyframe_on() -> None:
    anew, _ = check([foreign(30, seed, keyframes_every=10) for seed in (1, 2)], [CROSSFADE])
    # The first clip's frames from its last B-frames on, and the second's up to its keyframe, come along.
    assert set(range(26, 36)) <= set(anew) <= set(range(23, 36))


@pytest.mark.parametrize("frames", [1, 2, 5, 12])
def test_a_transition_of_any_length_that_the_clips_have(frames: int) -> None:
    for kind in (TransitionKind.CROSSFADE, TransitionKind.FADE):
        check([rendered(12, 1), rendered(12, 2)], [Transition(kind, frames)])


def test_a_clip_may_be_all_transition() -> None:
    check([rendered(12, 1), rendered(8, 2), rendered(12, 3)], [CROSSFADE, CROSSFADE])


@pytest.mark.parametrize(
    ("lengths", "frames", "clip"), [((3, 12, 12), 4, 0), ((12, 7, 12), 4, 1), ((12, 12, 11), 12, 1)]
)
def test_transitions_longer_than_a_clip_are_rejected_before_encoding(
    lengths: tuple[int, ...], frames: int, clip: int
) -> None:
    clips = [rendered(length, seed) for seed, length in enumerate(lengths)]
    between = Transition(TransitionKind.CROSSFADE, frames)
    kept = Kept()
    with pytest.raises(TransitionTooLong, match=rf"clip {clip}: .* {lengths[clip]}$") as caught:
        splice(pieces_of(clips), [between, between], kept)
    assert caught.value.clip == clip
    assert not kept


def test_a_piece_may_begin_and_end_at_any_frame() -> None:
    clips = [foreign(20, 1, tagged=True), rendered(20, 2), drafted(20, 3)]
    pieces = [
        Piece(BytesSource(clips[0]), 0, 3, 15),
        Piece(BytesSource(clips[1]), 1, 1, 19),
        Piece(BytesSource(clips[2]), 2, 2),
    ]
    found = planes(film_of(splice(pieces, [None, CROSSFADE], Kept())))
    first, second, third = (planes(clip) for clip in clips)
    middle = [
        blended(TransitionKind.CROSSFADE, Fraction(number + 1, 5), second[15 + number], third[2 + number])
        for number in range(4)
    ]
    expected = [*first[3:15], *second[1:15], *middle, *third[6:]]
    assert len(found) == len(expected)
    assert min(psnr(a, b) for a, b in zip(found, expected, strict=True)) >= 40


def test_cached_joints_are_reused() -> None:
    pieces = pieces_of([rendered(12, 1), rendered(12, 2)])
    kept = Kept()
    first = splice(pieces, [CROSSFADE], kept)
    second = splice(pieces, [CROSSFADE], lambda joint, make: BytesSource(kept[joint]))
    assert [(piece.clip, piece.start, piece.stop) for piece in first] == [
        (piece.clip, piece.start, piece.stop) for piece in second
    ]


def test_the_same_clips_give_the_same_film() -> None:
    clips = [rendered(12, 1), drafted(12, 2)]
    films = {film_of(splice(pieces_of(clips), [WIPE], Kept())) for _ in range(5)}
    assert len(films) == 1


def test_clips_that_can_not_be_mixed_are_named() -> None:
    with pytest.raises(ClipsDiffer, match=r"clip 1: its size is .*96") as caught:
        splice(pieces_of([rendered(12, 1), drafted(12, 2, width=96)]), [CROSSFADE], Kept())
    assert caught.value.clip == 1
    with pytest.raises(ClipUnreadable, match="clip 1: ") as unreadable:
        splice(pieces_of([rendered(12, 1), b"no clip"]), [CROSSFADE], Kept())
    assert unreadable.value.clip == 1


def test_a_damaged_frame_is_named() -> None:
    clip = bytearray(rendered(12, 2))
    at = clip.index(b"mdat") + 700
    clip[at : at + 40] = bytes(40)
    with pytest.raises(ClipUnreadable, match="clip 1: frame 0 can't be decoded") as caught:
        splice(pieces_of([rendered(12, 1), bytes(clip)]), [CROSSFADE], Kept())
    assert caught.value.clip == 1


def test_the_number_of_transitions_must_match_the_joints() -> None:
    with pytest.raises(ValueError, match="2 pieces need one transition between each two; got 2"):
        splice(pieces_of([rendered(12, 1), rendered(12, 2)]), [None, None], Kept())
