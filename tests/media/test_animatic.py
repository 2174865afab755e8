from fractions import Fraction
from io import BytesIO
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydantic import ValidationError

from lambdas.animatic.clip import REVISION, DraftClip, draw_clip, last_picture
from lambdas.domain.engines import CATALOGUE
from lambdas.media.join import join
from lambdas.media.probe import probe
from tests.media.clips import Pixels, decoded, decoded_frames, top_level_boxes

DESERT = "A car in the desert at sunset"  # quickly drawn


def request(title: str = DESERT, **fields: object) -> DraftClip:
    """Draw a clip. The title is the scene's text, drawn over the bottom of the picture. Clips of a scene have
    equal length unless `first` and `scene_frames` say otherwise."""
    values: dict[str, Any] = {
        "prompt": title,
        "width": 96,
        "height": 64,
        "frames": 8,
        "fps": 8,
        "seed": 1,
        "index": 0,
        "count": 1,
        **fields,
    }
    placed = {
        "first": values["index"] * values["frames"],
        "scene_frames": values["count"] * values["frames"],
    }
    return DraftClip.model_validate({**placed, **values, "title": title})


def frames(title: str = DESERT, **fields: object) -> list[Pixels]:
    return decoded(draw_clip(request(title, **fields)))


def difference(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Return the mean difference over all pixels, in steps of 255."""
    return float(np.abs(one.astype(float) - other.astype(float)).mean())


def photo(colour: tuple[int, int, int] = (200, 40, 40)) -> bytes:
    """Return stripes, so that a camera move over them is visible."""
    pixels = np.zeros((60, 90, 3), np.uint8)
    pixels[:, ::6] = colour
    pixels[:, 1::6] = colour
    file = BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=95)
    return file.getvalue()


@pytest.mark.parametrize(
    ("width", "height", "count", "fps"),
    [(96, 64, 8, 8), (64, 48, 1, 24), (48, 72, 5, 12), (160, 90, 9, 25), (320, 64, 3, 16)],
)
def test_size_frames_and_fps_are_exact(width: int, height: int, count: int, fps: int) -> None:
    info = probe(draw_clip(request(width=width, height=height, frames=count, fps=fps)))
    assert (info.width, info.height, info.frames, info.fps) == (width, height, count, fps)
    assert info.duration == Fraction(count, fps)
    assert (info.codec, info.pix_fmt) == ("h264", "yuv420p")


def test_the_file_is_marked_as_a_draft() -> None:
    mp4 = draw_clip(request("Eine Biene auf einer Blüte", metadata={"reelworks_video": "v1"}))
    metadata = probe(mp4).metadata
    assert metadata["reelworks_engine"] == "animatic"
    assert metadata["reelworks_draft"] == "true"
    assert metadata["reelworks_revision"] == REVISION == CATALOGUE["animatic"].revision
    assert metadata["reelworks_video"] == "v1"
    assert metadata["title"] == "Eine Biene auf einer Blüte"
    assert "not a rendered video" in metadata["comment"]
    boxes = top_level_boxes(mp4)
    assert boxes.index("moov") < boxes.index("mdat")


def test_a_transition_can_begin_and_end_half_a_second_from_the_ends() -> None:
    frames = decoded_frames(draw_clip(request(width=64, height=48, frames=30, fps=8)))
    assert {0, 4, 26} <= {number for number, frame in enumerate(frames) if frame.key_frame}


def test_the_same_request_gives_the_same_bytes() -> None:
    rainy = request("A city street in the rain, neon", width=160, height=90)
    assert draw_clip(rainy) == draw_clip(rainy)


def test_a_different_seed_gives_a_different_picture() -> None:
    assert difference(frames(seed=1)[0], frames(seed=2)[0]) > 8


def test_a_different_text_gives_a_different_picture() -> None:
    assert difference(frames("A ship at sea")[0], frames("A house in the forest")[0]) > 15


@pytest.mark.parametrize(
    "title",
    [
        "A bee on a flower",
        "A ship in a storm at night",
        "A city street in the rain, neon",
        "Ein Haus im Wald",
        "abstract thoughts",
        "A cup of coffee in the kitchen",
        "A dog runs through the snow",
        "Fish under water in a coral reef",
        "An astronaut in space",
        "Campfire",
        "A car in the desert at sunset",
        "Three birds over the mountains",
        "A child on the beach",
        "A hot air balloon rises over the fields",
    ],
)
def test_every_place_is_drawn_and_moves(title: str) -> None:
    pictures = frames(title, width=128, height=80, frames=5, fps=4)
    assert all(difference(*pair) > 0.4 for pair in pairwise(pictures))
    assert difference(pictures[0], pictures[-1]) > 1.5
    assert pictures[0].std() > 15  # not one flat colour


@pytest.mark.parametrize("title", ["A bee on a flower", "A dog runs through the snow", "abstract thoughts"])
@pytest.mark.parametrize("lengths", [(8, 8), (9, 8)])
def test_the_next_clip_continues_where_the_last_ended(title: str, lengths: tuple[int, int]) -> None:
    fields = {"count": 2, "width": 160, "height": 96, "scene_frames": sum(lengths)}
    begun = {"index": 0, "first": 0, "frames": lengths[0], **fields}
    ended = {"index": 1, "first": lengths[0], "frames": lengths[1], **fields}
    first = [coarse(frame) for frame in frames(title, **begun)]
    second = [coarse(frame) for frame in frames(title, **ended)]
    unrelated = [coarse(frame) for frame in frames(title, seed=2, **ended)]
    step = max(difference(*pair) for clip in (first, second) for pair in pairwise(clip))
    assert difference(first[-1], second[0]) < 1.5 * step
    assert difference(first[-1], unrelated[0]) > 2 * step


def test_overlapping_clips_show_the_same_in_their_overlap() -> None:
    fields = {"count": 2, "scene_frames": 13, "width": 128, "height": 96}
    before, after = frames(index=0, first=0, **fields), frames(index=1, first=5, **fields)
    # Within the encoder's noise, except for the mark, which counts the clips.
    together = zip(before[5:], after[:3], strict=True)
    assert all(difference(*(coarse(one)[1:] for one in pair)) < 1 for pair in together)
    assert difference(coarse(before[0]), coarse(after[0])) > 2


def coarse(picture: Pixels) -> NDArray[np.float32]:
    """Return means of 16 × 16 pixels: the picture without the encoder's noise, which differs in each clip."""
    height, width, _ = picture.shape
    return picture.reshape(height // 16, 16, width // 16, 16, 3).mean(axis=(1, 3)).astype(np.float32)


def test_clips_of_a_scene_join_to_one_film() -> None:
    clips = [draw_clip(request(index=index, count=3)) for index in range(3)]
    film = BytesIO()
    assert join(clips, film, metadata={}).duration == Fraction(24, 8)
    assert len(decoded(film.getvalue())) == 24


def test_the_title_says_what_is_drawn_and_the_prompt_how() -> None:
    reef = "Three fish in a coral reef"
    near, far, other = (
        coarse(frames(reef, prompt=f"{reef}. {prompt}", width=128, height=96, frames=2)[0])
        for prompt in ("A close view.", "A wide view.", "A desert at noon. A close view.")
    )
    assert difference(near, far) > 2
    assert all((picture[..., 2] > picture[..., 0]).mean() > 0.6 for picture in (near, far, other)), "the sea"


def test_the_prompt_is_drawn_when_the_title_names_nothing() -> None:
    ocean, forest = (frames("Chapter one", prompt=prompt)[0] for prompt in ("the ocean", "a forest"))
    assert difference(ocean, forest) > 15


def test_the_camera_moves_over_the_image() -> None:
    red = frames("Summer", image=photo((220, 30, 30)), width=90, height=60)
    blue = frames("Summer", image=photo((30, 30, 220)), width=90, height=60)
    middle = np.s_[20:40, 20:70]
    assert red[0][middle][..., 0].mean() > 3 * red[0][middle][..., 2].mean()
    assert blue[0][middle][..., 2].mean() > 3 * blue[0][middle][..., 0].mean()
    assert difference(red[0], red[-1]) > 3


@pytest.mark.parametrize(
    "title",
    [
        "",
        " \n\t ",
        "🐝🌸",
        "نحلة على زهرة",
        "花の上の蜂",
        "\x00\u200b\ufffd",
        "w" * 500,
        "many words " * 45,
        "…“Æ’ß–Ж",
    ],
)
@pytest.mark.parametrize("size", [(64, 48), (160, 90)])
def test_odd_titles_are_drawn_or_left_out(title: str, size: tuple[int, int]) -> None:
    assert len(frames(title, prompt="a desert", width=size[0], height=size[1], frames=2)) == 2


def lettered(title: str) -> Pixels:
    """Return what the title adds to the lower left: the same drawing with and without letters."""
    image = photo((90, 90, 90))
    return frames(title, prompt="x", image=image, width=320, height=180, frames=1)[0][120:, :].astype(
        np.uint8
    )


def test_a_continued_clip_has_no_letters_of_the_one_before() -> None:
    asked = request(width=320, height=180)
    bare = asked.model_copy(update={"lettered": False})
    picture = np.asarray(Image.open(BytesIO(last_picture(asked))))
    shown, unlettered = (decoded(draw_clip(one))[-1] for one in (asked, bare))
    assert difference(picture[40:], unlettered[40:]) < 5  # under the mark
    assert difference(picture[120:], shown[120:]) > 8


def test_the_title_is_legible() -> None:
    with_title = lettered("Ein Mädchen übt")
    assert (with_title.min(axis=2) > 200).sum() > 300  # white letters …
    assert (with_title.max(axis=2) < 90).sum() > 3000  # … on a dark shade
    assert (lettered("").min(axis=2) > 200).sum() == 0
    assert (lettered("蜂は花へ飛ぶ").min(axis=2) > 200).sum() > 200  # in any script
    # Characters that no font has are left out, without a replacement box.
    assert (lettered("\U00016fff").min(axis=2) > 200).sum() == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [("index", 1), ("count", 0), ("frames", 0), ("width", 97), ("fps", 0), ("seed", -1), ("unknown", 1)],
)
def test_impossible_requests_are_rejected(field: str, value: int) -> None:
    with pytest.raises(ValidationError):
        request(**{field: value})


# --- a draft for an engine of another shape


def framed(fit: str, **fields: object) -> Pixels:
    """Return the first frame of a portrait draft for an engine that renders 720x480."""
    size: dict[str, object] = {"width": 180, "height": 320, "rendered": (720, 480), "framing": fit}
    return frames(**{"frames": 2, "lettered": False, **size, **fields})[0]


def test_a_draft_for_an_engine_shows_what_cropping_leaves() -> None:
    """The middle of the picture that the same words draw in the engine's shape."""
    whole = frames(width=480, height=320, frames=2, lettered=False)[0]
    cut = framed("cover")
    own = frames(width=180, height=320, frames=2, lettered=False)[0]
    # Not 0, for the mark, the grain and the darker corners are the film's.
    assert 4 * difference(cut[60:260], whole[60:260, 150:330]) < difference(cut[60:260], own[60:260])


def test_a_draft_for_an_engine_shows_its_bars() -> None:
    bars = framed("contain")
    assert bars[40:96, 20:160].max() <= 8, "black but for the grain"
    assert bars[224:290].max() <= 8
    assert bars[104:216].mean() > 30
    blurred = framed("blur")
    assert blurred[40:96, 20:160].mean() > 30


def test_an_image_is_cut_before_the_engine_sees_it() -> None:
    plain = frames(width=180, height=320, frames=2, lettered=False, image=photo())[0]
    assert difference(framed("cover", image=photo()), plain) == 0
    assert framed("contain", image=photo())[40:96, 20:160].max() <= 8


def test_the_title_is_in_the_film_s_frame_whatever_is_cut() -> None:
    lettered = framed("cover", lettered=True)
    assert lettered.shape == (320, 180, 3)
    assert difference(lettered[240:], framed("cover")[240:]) > 3


@pytest.mark.parametrize(
    ("fit", "rows"), [("cover", (60, 290)), ("contain", (105, 215)), ("blur", (105, 215))]
)
def test_a_card_s_words_are_in_what_the_film_shows_of_it(fit: str, rows: tuple[int, int]) -> None:
    card = framed(fit, title="A leather handbag for everyday use", prompt="x")
    white = card.min(axis=2) > 225
    white[:40] = False  # the mark
    assert white.sum() > 60
    assert white[rows[0] : rows[1], 6:174].sum() == white.sum()
