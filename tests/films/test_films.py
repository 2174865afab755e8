"""Films of every kind of engine, decoded and inspected."""

import json
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pysubs2
import pytest
from PIL import Image

from lambdas.media.content_credentials import verify
from tests.cloud.servers import wait_until
from tests.films.conftest import Cloud
from tests.films.looking import look_at, loudness, unsigned
from training.nano.score import measure

QUICK = ("--steps", "4")  # where it does not matter what the pictures show


def make(cloud: Cloud, *arguments: str) -> dict[str, Any]:
    video: dict[str, Any] = cloud.json("make", *arguments)
    return video


def test_a_draft_of_three_clips_is_exact_and_moves(cloud: Cloud, tmp_path: Path) -> None:
    video = make(cloud, "A bee on a flower", "--seconds", "13", "--size", "640x360")
    assert video["model"] == "animatic"
    assert video["draft"] is True
    assert [clip["state"] for clip in video["clips"]] == ["done"] * 3
    assert video["enhance"]["by"] == "rule-based director"
    film = look_at(Path(video["path"]))
    assert (film.width, film.height) == (640, 360)
    assert (film.codec, film.pixel_format, film.rate) == ("h264", "yuv420p", 24)
    assert len(film.frames) == 13 * 24
    assert film.duration == 13
    steps = {after - before for before, after in zip(film.times, film.times[1:], strict=False)}
    assert len(steps) == 1, "frames are evenly spaced, across the joins too"
    assert film.fast_start
    assert abs(film.sound - 13) < Fraction(1, 50)
    assert film.chapters == ["A bee on a flower"]
    assert film.motion() > 0.1
    for variant, kind, size in (("thumbnail", "WEBP", (448, 252)), ("spritesheet", "JPEG", (1600, 540))):
        cloud.client().download(video["id"], tmp_path / variant, variant=variant)
        with Image.open(tmp_path / variant) as picture:
            assert (picture.format, picture.size) == (kind, size)
    cloud.client().download(video["id"], tmp_path / "quality", variant="quality")
    quality = json.loads((tmp_path / "quality").read_bytes())
    assert quality["status"] == "pass", quality["checks"]
    assert [one["end"] for one in quality["clips"]][-1] == 13
    assert all(one["edge"] < 6 and one["moved"] > 0.5 for one in quality["clips"]), "measured, not assumed"
    assert film.metadata["reelworks_draft"] == "true"
    credentials = verify(Path(video["path"]))
    assert (credentials.made_by.video, credentials.development) == (video["id"], True)
    assert credentials.signed_by == video["signed_by"]
    stages = [entry["stage"] for entry in video["stages"]]
    assert stages == ["queued", "planning", "rendering", "assembling", "publishing", "completed"]


def test_text_to_video_runs_through_the_real_engine_server(cloud: Cloud) -> None:
    video = make(cloud, "A lighthouse in the fog", "--engine", "cogvideox-nano", "--seconds", "2", *QUICK)
    film = look_at(Path(video["path"]), scale=1)
    assert (film.width, film.height, film.rate) == (96, 64, 8)
    assert len(film.frames) == 16
    assert film.duration == 2
    assert video["draft"] is False
    assert len(video["clips"]) == 2


def test_pictures_and_sound_of_one_model_make_a_film(cloud: Cloud) -> None:
    small = ("--seconds", "1", "--size", "256x256", "--fps", "24")
    video = make(cloud, "Rain on a tin roof", "--engine", "ltx-2-19b-distilled", *small)
    film = look_at(Path(video["path"]), scale=1)
    assert (film.width, film.height, film.rate) == (256, 256, 24)
    assert len(film.frames) == 24
    assert film.sound == film.duration == 1
    loud = loudness(Path(video["path"]))
    for start in (0, 0.25, 0.5, 0.75):
        assert loud(start, start + 0.2) > 0.01, "the model's sound, from the first to the last picture"


@pytest.mark.parametrize("speed", ["exact", "fast"])
def test_a_trained_engine_renders_what_the_prompt_describes(cloud: Cloud, speed: str) -> None:
    video = make(
        cloud,
        "A large red circle moves right on a black background",
        *("--engine", "cogvideox-nano", "--seconds", "1", "--no-enhance", "--seed", "1", "--speed", speed),
    )
    seen = measure(np.stack(look_at(Path(video["path"]), scale=1).frames))
    assert seen is not None
    assert (seen.size, seen.colour, seen.motion, seen.background) == ("large", "red", "right", "black")


def test_an_engine_of_another_shape_makes_a_portrait_film(cloud: Cloud) -> None:
    video = make(
        cloud,
        "A large red circle moves up on a black background",
        *("--engine", "cogvideox-nano", "--seconds", "2", "--no-enhance", "--seed", "1", *QUICK),
        *("--size", "720x1280", "--fit", "contain"),
    )
    assert (video["size"], video["rendered_size"], video["fit"]) == ("720x1280", "96x64", "contain")
    assert video["cropped"] == 0
    assert "black bars" in video["notes"][0]
    film = look_at(Path(video["path"]), scale=1)
    assert (film.width, film.height, film.rate, len(film.frames), film.duration) == (720, 1280, 8, 16, 2)
    frame = np.asarray(film.frames[4]).astype(int)
    assert frame[:390].max() <= 4, "480 of 1280 rows are the picture"
    assert frame[890:].max() <= 4
    assert frame[410:870].max() > 100


def test_an_engine_of_another_rate_makes_a_film_of_24_frames_a_second(cloud: Cloud) -> None:
    video = make(
        cloud, "A lighthouse in the fog",
        *("--engine", "cogvideox-nano", "--seconds", "2", "--fps", "24", "--size", "320x256", *QUICK),
    )  # fmt: skip
    assert (video["fps"], video["rendered_fps"], video["fps_mode"]) == (24, 8, "repeat")
    film = look_at(Path(video["path"]), scale=1)
    assert (film.width, film.height, film.rate, len(film.frames), film.duration) == (320, 256, 24, 48, 2)
    assert len(video["clips"]) == 2
    changes = [float(np.abs(np.subtract(b, a, dtype=int)).mean()) for a, b in pairwise(film.frames)]
    moves, holds = changes[2::3], [one for i, one in enumerate(changes) if i % 3 != 2]
    assert np.mean(moves) > 4 * np.mean(holds), "each rendered frame is shown three times"


def test_chained_clips_go_on_from_the_film_s_picture_in_another_shape(cloud: Cloud, tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    gradient = np.zeros((640, 360, 3), np.uint8)
    gradient[..., 1] = np.linspace(0, 255, 640)[:, None]
    Image.fromarray(gradient).save(picture)
    video = make(
        cloud, "The camera glides",
        *("--engine", "cogvideox-nano-i2v", "--seconds", "12", "--image", str(picture), "--seed", "7"),
        *("--size", "360x640", "--fps", "12", "--fps-mode", "blend", *QUICK),
    )  # fmt: skip
    film = look_at(Path(video["path"]), scale=1)
    assert (film.width, film.height, len(film.frames), film.duration) == (360, 640, 144, 12)
    assert len(video["clips"]) == 2


def test_wan_films_upright_at_its_own_size_and_rate(cloud: Cloud) -> None:
    video = make(
        cloud, "A lighthouse in the fog", "--engine", "wan2.2-ti2v-5b", "--seconds", "1",
        *("--size", "480x832", "--steps", "2"),
    )  # fmt: skip
    film = look_at(Path(video["path"]), scale=1)
    assert (film.width, film.height, film.rate, len(film.frames)) == (480, 832, 24, 24)


def test_image_to_video_chains_each_clip_to_the_one_before(cloud: Cloud, tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    gradient = np.zeros((200, 300, 3), np.uint8)
    gradient[..., 0] = np.linspace(0, 255, 300)
    Image.fromarray(gradient).save(picture)
    video = make(
        cloud,
        "The light moves",
        *("--engine", "cogvideox-nano-i2v", "--seconds", "12", "--image", str(picture)),
        *("--seed", "7", *QUICK),
    )
    film = look_at(Path(video["path"]), scale=1)
    assert len(film.frames) == 96
    assert film.duration == 12
    first, second = video["clips"]
    assert first["finished_ms"] <= second["started_ms"], "a chained clip waits for the one before"


def test_a_crossfade_keeps_the_requested_length(cloud: Cloud) -> None:
    request = ("Rain on a lake", "--seconds", "7", "--size", "320x180", "--seed", "5")
    cut, faded = make(cloud, *request), make(cloud, *request, "--transition", "crossfade")
    film = look_at(Path(faded["path"]), scale=1)
    assert len(film.frames) == 7 * 24
    assert film.duration == 7
    assert sum(clip["seconds"] for clip in faded["clips"]) == 7
    assert faded["assembly"]["transition"] == "crossfade"
    assert [clip["reused"] for clip in faded["clips"]] == [False, False]
    assert film.motion() > 0.1
    assert Path(cut["path"]).read_bytes() != Path(faded["path"]).read_bytes()


def test_a_film_is_the_same_whether_a_function_or_a_build_assembles_it(cloud: Cloud) -> None:
    request = ("Wind in the reeds", "--seconds", "7", "--size", "320x180", "--seed", "6")
    in_function = make(cloud, *request)
    s3, bucket = cloud.aws("s3"), cloud.outputs["OutputBucket"]
    for entry in s3.list_objects_v2(Bucket=bucket, Prefix="artifacts/local/films/")["Contents"]:
        s3.delete_object(Bucket=bucket, Key=entry["Key"])
    machine = {"stateMachineArn": cloud.outputs["StateMachineArn"]}
    states = cloud.aws("stepfunctions")
    definition = states.describe_state_machine(**machine)["definition"]
    always = definition.replace("$states.input.assembler = 'function'", "false").replace(
        "$states.input.assembler = 'build'", "true"
    )
    assert always != definition
    states.update_state_machine(**machine, definition=always)
    try:
        in_build = make(cloud, *request)
    finally:
        states.update_state_machine(**machine, definition=definition)
    assert unsigned(Path(in_build["path"])) == unsigned(Path(in_function["path"]))
    (log,) = (cloud.home / "builds").glob("reelworks-assemble-*.log")
    assert in_build["id"] in log.read_text()


def test_the_same_request_with_the_same_seed_reuses_every_clip(cloud: Cloud) -> None:
    request = ("Snow on a quiet street", "--seconds", "7", "--seed", "3", "--size", "320x180")
    first, second = make(cloud, *request), make(cloud, *request)
    assert first["id"] != second["id"]
    assert [clip["reused"] for clip in first["clips"]] == [False, False]
    assert [clip["reused"] for clip in second["clips"]] == [True, True]
    assert unsigned(Path(first["path"])) == unsigned(Path(second["path"]))


def test_a_dropped_prompt_and_a_dropped_invalid_file(cloud: Cloud, tmp_path: Path) -> None:
    s3, outputs = cloud.aws("s3"), cloud.outputs
    s3.put_object(Bucket=outputs["InputBucket"], Key="drop/local/kite.txt", Body=b"A kite in the wind")
    s3.put_object(
        Bucket=outputs["InputBucket"], Key="drop/local/wrong.json", Body=b'{"prompt": "x", "size": "1x1"}'
    )
    wanted = {"drop/local/kite.txt.mp4", "drop/local/wrong.json.error.json"}

    def missing() -> set[str]:
        page = s3.list_objects_v2(Bucket=outputs["OutputBucket"], Prefix="drop/")
        return wanted - {entry["Key"] for entry in page.get("Contents", [])}

    wait_until(lambda: not missing(), missing, seconds=120)
    error = s3.get_object(Bucket=outputs["OutputBucket"], Key="drop/local/wrong.json.error.json")
    assert b"size" in error["Body"].read()
    s3.download_file(outputs["OutputBucket"], "drop/local/kite.txt.mp4", str(tmp_path / "kite.mp4"))
    film = look_at(tmp_path / "kite.mp4")
    assert (film.width, film.height, film.rate) == (1280, 720, 24), "the defaults"
    assert len(film.frames) == film.duration * 24


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("",), "prompt"),
        (("x", "--engine", "nope"), "animatic"),
        (("x", "--size", "721x480", "--engine", "cogvideox-nano"), "722x480"),
        (("x", "--aspect", "10:1"), "8:1"),
        (("x", "--fps", "7"), "8 to 60"),
        (("x", "--seconds", "0"), "seconds"),
        (("x", "--engine", "cogvideox-nano-i2v"), "input_reference"),
    ],
)
def test_bad_input_names_the_field_and_makes_nothing(
    cloud: Cloud, arguments: tuple[str, ...], says: str
) -> None:
    client = cloud.client()
    before = {video.id for video in client.list(limit=100).data}
    result = cloud.reel("make", *arguments, check=False)
    assert result.returncode == 1
    assert says in result.stderr
    assert {video.id for video in client.list(limit=100).data} == before


def test_a_topic_becomes_a_narrated_captioned_film(cloud: Cloud) -> None:
    small = ("--size", "320x180", "--fps", "8")
    video = make(
        cloud,
        "--topic",
        "A bee flies home. It is evening.",
        "--scenes",
        "2",
        "--narrate",
        "--captions",
        *small,
    )
    assert [part["state"] for part in video["narrations"]] == ["done"] * 2
    assert "a text model would write real narration" in video["storyboard"]["note"]
    film = look_at(Path(video["path"]), scale=1)
    storyboard = cloud.json("storyboard", "show", video["id"])
    said = [scene["narration"]["text"] for scene in storyboard["scenes"]]
    assert film.metadata["title"] == storyboard["title"]
    assert len(film.chapters) == 2
    assert len(film.frames) == film.duration * 8
    assert film.sound == film.duration

    cues = pysubs2.load(str(Path(video["path"]).with_suffix(".vtt")))
    spoken = " ".join(cue.plaintext.replace("\n", " ") for cue in cues)
    assert spoken == " ".join(said)
    loud = loudness(Path(video["path"]))
    for cue in cues:
        assert loud(cue.start / 1000, cue.end / 1000) > 0.02, cue.text
    assert loud(0, cues[0].start / 1000 - 0.05) < 0.01, "nobody speaks before the first caption"
