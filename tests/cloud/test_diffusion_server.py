"""The diffusion server as SageMaker and the PC's cloud start it: a process, with tiny checkpoints."""

import base64
import io
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from lambdas.media.join import join
from lambdas.media.probe import probe
from tests.cloud.engine_server import Server, running
from tests.contract import bad_requests, document
from tests.media.clips import decoded, top_level_boxes
from tests.png_bomb import bomb
from tests.tiny_checkpoint import MAX_TEXT_TOKENS, SIZE, make_tiny_checkpoint

Document = dict[str, Any]


@pytest.fixture(scope="module")
def text_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_checkpoint(tmp_path_factory.mktemp("models") / "cogvideox-nano")


def described(answer: httpx.Response) -> Any:
    """Return /ping's response without the memory plan, whose numbers depend on the machine."""
    document = answer.json()
    assert document.pop("memory")["placement"] == "resident"
    return document


@pytest.fixture(scope="module")
def text_server(text_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(text_model, tmp_path_factory.mktemp("logs") / "text.log") as server:
        assert described(server.until("ready", "failed")) == document("ping.ready")
        yield server


@pytest.fixture(scope="module")
def image_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("models")
    model = make_tiny_checkpoint(folder / "cogvideox-nano-i2v", image_to_video=True)
    with running(model, folder / "image.log") as server:
        assert server.until("ready", "failed").status_code == 200
        yield server


def base64_png(pixels: np.ndarray | Image.Image) -> str:
    file = io.BytesIO()
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def test_a_text_request_becomes_the_requested_clip(text_server: Server) -> None:
    request = document("clip_request.text")
    clip = text_server.clip(request)
    info = probe(clip)
    assert (info.width, info.height, info.frames, info.fps) == (*SIZE, request["frames"], request["fps"])
    assert (info.codec, info.pix_fmt, info.has_audio) == ("h264", "yuv420p", False)
    boxes = top_level_boxes(clip)
    assert boxes.index("moov") < boxes.index("mdat")
    said = {"engine": "cogvideox", "model": "cogvideox-nano", "seed": "7", "prompt": request["prompt"]}
    assert info.metadata.items() >= said.items()
    assert len(info.metadata["model_revision"]) >= 40, "a commit of the hub, or a digest"
    assert json.loads(info.metadata["request"]).items() >= {"frames": request["frames"], "seed": 7}.items()

    frames = np.stack(decoded(clip)).astype(float)
    assert frames.std() > 10, "a picture, not a plain field"
    assert np.abs(np.diff(frames, axis=0)).mean() > 1, "something moves"


def test_a_film_of_another_size_and_rate_is_exported(text_server: Server) -> None:
    """The same rendering, whatever the film: its middle, each frame three times."""
    request = document("clip_request.film")
    clip = text_server.clip(request)
    info = probe(clip)
    assert (info.width, info.height, info.frames, info.fps) == (72, 128, 48, 24)
    assert json.loads(info.metadata["request"])["film"] == request["film"]
    rendered = np.stack(decoded(text_server.clip({**request, "film": None})))
    frames = np.stack(decoded(clip))[::3]
    for shown, whole in zip(frames, rendered, strict=True):
        # Of noise, only the brightness: the chroma has half the size, in one of them before it is enlarged.
        middle, beside = (
            Image.fromarray(whole)
            .convert("L")
            .resize((72, 128), Image.Resampling.LANCZOS, (x, 0, x + 36, 64))
            for x in (30, 32)
        )
        grey = Image.fromarray(shown).convert("L")
        off, further = (np.abs(np.subtract(grey, one, dtype=int)).mean() for one in (middle, beside))
        assert 2 * off < further


def test_the_same_request_gives_the_same_bytes(text_server: Server) -> None:
    request = document("clip_request.text") | {"frames": 9}
    first = text_server.clip(request)
    assert text_server.clip(request) == first
    for change in ({"seed": 8}, {"prompt": "A red fox in deep snow."}, {"steps": 3}, {"guidance": 2.0}):
        other = text_server.clip(request | change)
        assert not np.array_equal(decoded(other), decoded(first)), change


def test_the_longest_clip_can_skip_its_first_frame(text_server: Server) -> None:
    request = document("clip_request.text") | {"frames": 49, "skip_frames": 1}
    clip = text_server.clip(request)
    assert probe(clip).frames == 48
    assert len(decoded(clip)) == 48


def test_every_job_is_one_log_line_with_its_times(text_server: Server) -> None:
    text_server.clip(document("clip_request.text") | {"frames": 9, "seed": 4711})
    (line,) = [line for line in text_server.log_lines() if line.get("seed") == 4711]
    assert line["event"] == "clip rendered"
    parts = ("load", "encode", "denoise", "decode", "mux")
    assert min(line[f"{part}_seconds"] for part in parts) >= 0
    assert len(line["step_seconds"]) == line["steps"]
    assert sum(line["step_seconds"]) == pytest.approx(line["denoise_seconds"], abs=0.01)
    assert 50e6 < line["peak_memory_bytes"] < 10e9
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    names = [metric["Name"] for metric in directive["Metrics"]]
    assert names == [*(f"{part}_seconds" for part in parts), "peak_memory_bytes"]
    assert line["model"] == "cogvideox-nano"


def test_a_video_request_starts_from_the_video(text_server: Server) -> None:
    request = document("clip_request.video")
    clip = text_server.clip(request)
    assert probe(clip).frames == request["frames"]
    assert text_server.clip(request) == clip
    for change in ({"strength": 1.0}, {"video": base64.b64encode(clip).decode()}):
        assert not np.array_equal(decoded(text_server.clip(request | change)), decoded(clip)), change


@pytest.mark.parametrize(("speed", "computed"), [("exact", 12), ("balanced", 8), ("fast", 7)])
def test_the_response_reports_the_effect_of_its_speed(text_server: Server, speed: str, computed: int) -> None:
    answer = text_server.invoke(document("clip_request.text") | {"frames": 9, "steps": 12, "speed": speed})
    said = answer.headers["x-amzn-sagemaker-custom-attributes"]
    assert said == f"speed={speed};steps=12;computed_steps={computed}"
    does = text_server.ping().json()["speeds"][speed]
    assert probe(answer.content).metadata["speed"] == f"{speed}: {does}: {computed} of 12"


def test_an_image_request_starts_from_the_image(image_server: Server) -> None:
    request = document("clip_request.image")
    clip = image_server.clip(request)
    assert probe(clip).frames == request["frames"] - request["skip_frames"]
    other = request | {"image": base64_png(Image.new("RGB", SIZE, "red"))}
    assert not np.array_equal(decoded(image_server.clip(other)), decoded(clip))
    assert "iVBOR" not in json.dumps(image_server.log_lines()), "the image is no matter for the log"


def test_a_clip_continues_from_the_last_frame_of_the_one_before(image_server: Server) -> None:
    request = document("clip_request.image") | {"skip_frames": 0}
    first = image_server.clip(request)
    last_frame = base64_png(decoded(first)[-1])
    second = image_server.clip(request | {"skip_frames": 1, "image": last_frame})
    film = io.BytesIO()
    joined = join([io.BytesIO(first), io.BytesIO(second)], film, metadata={})
    assert joined.frames == 17
    assert [frame.tobytes() for frame in decoded(film.getvalue())] == [
        frame.tobytes() for frame in (*decoded(first), *decoded(second))
    ]


def test_a_second_request_gets_busy(text_server: Server) -> None:
    long = document("clip_request.text") | {"frames": 49, "steps": 200}
    clips: list[bytes] = []
    rendering = threading.Thread(target=lambda: clips.append(text_server.clip(long)))
    rendering.start()
    try:
        busy = text_server.until("busy")
        assert (busy.status_code, described(busy)) == (200, document("ping.busy"))
        refused = text_server.invoke(document("clip_request.text"))
        assert (refused.status_code, refused.json()) == (503, document("error.busy"))
    finally:
        rendering.join()
    assert probe(clips[0]).frames == 49
    assert described(text_server.ping()) == document("ping.ready")


@pytest.mark.parametrize(
    ("kind", "request_", "param"),
    [
        pytest.param(kind, request, param, id=why)
        for kind in ("text", "image", "video")
        for why, request, param in bad_requests(kind)
    ],
)
def test_invalid_requests_are_rejected(
    text_server: Server, image_server: Server, kind: str, request_: Document, param: str
) -> None:
    answer = (image_server if kind == "image" else text_server).invoke(request_)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["code"], error["param"]) == ("invalid_request", param)


def test_a_prompt_over_budget_is_rejected_with_both_numbers(text_server: Server, text_model: Path) -> None:
    from transformers import T5Tokenizer

    prompt = "a bee " * 150
    tokens = len(T5Tokenizer.from_pretrained(text_model / "tokenizer")(prompt, verbose=False).input_ids)
    answer = text_server.invoke(document("clip_request.text") | {"prompt": prompt})
    message = answer.json()["error"]["message"]
    assert f"at most {MAX_TEXT_TOKENS} tokens; got {tokens}" in message


@pytest.mark.parametrize("side", [10_000, 30_000])
def test_an_image_bomb_is_rejected(image_server: Server, side: int) -> None:
    image = base64.b64encode(bomb(side, side)).decode()
    answer = image_server.invoke(document("clip_request.image") | {"image": image})
    assert answer.status_code == 400
    assert "at most 50,000,000 pixels" in answer.json()["error"]["message"]


def test_ping_reports_a_missing_model_folder(tmp_path: Path) -> None:
    with running(tmp_path / "nothing", tmp_path / "log") as server:
        failed = server.until("failed", "ready")
        assert failed.status_code == 503
        reason = failed.json()["reason"]
        assert f"{tmp_path / 'nothing'} cannot be read: No such file or directory" in reason
        refused = server.invoke(document("clip_request.text"))
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "not_ready")


def test_ping_reports_broken_weights(tmp_path: Path) -> None:
    model = make_tiny_checkpoint(tmp_path / "model")
    weights = model / "transformer" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with running(model, tmp_path / "log") as server:
        reason = server.until("failed", "ready").json()["reason"]
        assert reason.startswith("BadCheckpoint: ")
        assert "transformer/diffusion_pytorch_model.safetensors has 1,000 bytes; the manifest lists" in reason
