"""InvokeModel of the Bedrock stand-in, driven by an unmodified boto3 client: the drawn card, a ComfyUI with
the recorded wire format, and a real diffusers model with random weights."""

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from io import BytesIO
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from PIL import Image
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lambdas.adapters.stills import Stills
from reelworks.cloud import settings
from reelworks.cloud.backends.image.diffusers_program import load
from reelworks.cloud.services.bedrock import BedrockRuntime
from tests.cloud.servers import free_port, serving, stopping

MODEL = "stability.stable-image-core-v1:1"


def node(kind: str, title: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs, "_meta": {"title": title}}


WORKFLOW = {
    "3": node("KSampler", "reelworks: seed", seed=0, positive=["6", 0], negative=["7", 0]),
    "5": node("EmptyLatentImage", "reelworks: width, height", width=512, height=512, batch_size=1),
    "6": node("CLIPTextEncode", "reelworks: prompt", text="", clip=["4", 1]),
    "7": node("CLIPTextEncode", "reelworks: negative_prompt", text="", clip=["4", 1]),
    "9": node("SaveImage", "Save", images=["8", 0]),
}


def png(width: int, height: int, colour: str = "green") -> bytes:
    file = BytesIO()
    Image.new("RGB", (width, height), colour).save(file, "PNG")
    return file.getvalue()


class ComfyUI:
    """Returns a green picture on the second poll, or fails as set."""

    def __init__(self) -> None:
        self.queued: list[dict[str, Any]] = []
        self.calls: list[str] = []
        self.refusal: Response | None = None
        self.error: list[Any] | None = None
        self.lost = False
        self.images = [
            {"filename": "preview.png", "subfolder": "", "type": "temp"},
            {"filename": "still_00001_.png", "subfolder": "film", "type": "output"},
        ]
        self.picture = png(512, 512)
        routes = [
            Route("/prompt", self._prompt, methods=["POST"]),
            Route("/history/{id}", self._history),
            Route("/queue", self._queue),
            Route("/view", self._view),
            Route("/free", self._free, methods=["POST"]),
            Route("/upload/image", self._upload, methods=["POST"]),
        ]
        self.app = Starlette(routes=routes)

    async def _prompt(self, request: Request) -> Response:
        document = await request.json()
        if self.refusal:
            return self.refusal
        self.queued.append(document["prompt"])
        return JSONResponse({"prompt_id": "0b1c", "number": len(self.queued), "node_errors": {}})

    async def _history(self, request: Request) -> Response:
        self.calls.append("history")
        if self.lost or self.calls.count("history") < 2:
            return JSONResponse({})
        messages = [["execution_start", {"prompt_id": "0b1c"}]]
        if self.error:
            status = {"status_str": "error", "completed": False, "messages": [*messages, self.error]}
            return JSONResponse({"0b1c": {"outputs": {}, "status": status}})
        outputs = {"9": {"images": self.images}} if self.images else {}
        status = {"status_str": "success", "completed": True, "messages": messages}
        return JSONResponse({"0b1c": {"outputs": outputs, "status": status}})

    async def _queue(self, request: Request) -> Response:
        running = [] if self.lost else [[1, "0b1c", {}, {}, []]]
        return JSONResponse({"queue_running": running, "queue_pending": []})

    async def _view(self, request: Request) -> Response:
        self.calls.append(f"view {request.query_params}")
        return Response(self.picture, media_type="image/png")

    async def _upload(self, request: Request) -> Response:
        async with request.form() as form:
            name = getattr(form["image"], "filename", "")
        return JSONResponse({"name": name, "subfolder": "", "type": "input"})

    async def _free(self, request: Request) -> Response:
        self.calls.append(f"free {(await request.body()).decode()}")
        return Response()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture(scope="module")
def session() -> boto3.Session:
    return boto3.Session("test", "test", region_name="us-west-2")


@pytest.fixture
def bedrock(stack: ExitStack, session: boto3.Session) -> Callable[..., Any]:
    """Return a function that creates a client of a runtime with the given settings."""

    def connect(**sections: Any) -> Any:
        runtime = BedrockRuntime(settings.Settings.model_validate(sections))
        url = stack.enter_context(serving(stopping(runtime)))
        config = Config(retries={"total_max_attempts": 1}, read_timeout=180)
        client = session.client("bedrock-runtime", endpoint_url=url, config=config)
        return stack.enter_context(closing(client))

    return connect


@pytest.fixture
def comfyui(
    stack: ExitStack, bedrock: Callable[..., Any], tmp_path: Path
) -> tuple[ComfyUI, Any, Callable[[], str]]:
    """Return the server, a client whose stills it draws, and its URL."""
    server = ComfyUI()
    url = stack.enter_context(serving(server.app))
    workflow = tmp_path / "flux.json"
    workflow.write_text(json.dumps(WORKFLOW))
    client = bedrock(comfyui={"url": url}, stills={"workflow": workflow})
    return server, client, lambda: url


def draw(client: Any, model: str = MODEL, **fields: Any) -> tuple[Image.Image, dict[str, Any]]:
    body = {"prompt": "A bee on a flower", "aspect_ratio": "1:1", "seed": 7, "output_format": "png"} | fields
    answer = client.invoke_model(modelId=model, body=json.dumps(body))
    assert answer["contentType"] == "application/json"
    document = json.loads(answer["body"].read())
    (image,) = document["images"]
    picture = Image.open(BytesIO(base64.b64decode(image)))
    assert picture.format == "PNG"
    return picture, document


def test_without_a_model_a_card_is_drawn_from_the_prompt(bedrock: Callable[..., Any]) -> None:
    client = bedrock()
    bee, document = draw(client, aspect_ratio="9:21")
    assert bee.size == (640, 1536)
    assert (document["seeds"], document["finish_reasons"]) == ([7], [None])
    assert document["answered_by"] == "drawn card"
    again, _ = draw(client, model="us.stability.stable-image-ultra-v1:1", aspect_ratio="9:21")
    assert again.tobytes() == bee.tobytes()
    sea, document = draw(client, prompt="A ship on the sea at night", seed=0, aspect_ratio="9:21")
    assert document["seeds"][0] > 0
    assert np.abs(np.asarray(bee, float) - np.asarray(sea, float)).mean() > 20


def test_the_pipeline_gets_the_requested_size(comfyui: tuple[ComfyUI, Any, Any]) -> None:
    server, client, _ = comfyui
    still = Stills(client).draw("A bee", width=720, height=480, quality="premium", seed=0)
    assert still.by == "comfyui flux"
    with Image.open(BytesIO(still.png)) as picture:
        assert picture.size == (720, 480)
    assert server.queued[0]["5"]["inputs"]["width"] == 1216  # 3:2


def test_comfyui_draws_with_the_workflow(comfyui: tuple[ComfyUI, Any, Any]) -> None:
    server, client, _ = comfyui
    picture, document = draw(client, negative_prompt="text", aspect_ratio="16:9")
    assert document["answered_by"] == "comfyui flux"
    assert picture.size == (1344, 768)  # the workflow drew a square
    assert picture.getpixel((600, 400)) == (0, 128, 0)
    (graph,) = server.queued
    assert graph["6"]["inputs"] == {"text": "A bee on a flower", "clip": ["4", 1]}
    assert graph["7"]["inputs"]["text"] == "text"
    assert graph["5"]["inputs"] == {"width": 1344, "height": 768, "batch_size": 1}
    assert graph["3"]["inputs"]["seed"] == 7
    assert server.calls[-2] == "view filename=still_00001_.png&subfolder=film&type=output"
    assert server.calls[-1].startswith("free ")
    assert json.loads(server.calls[-1][5:]) == {"unload_models": True, "free_memory": True}


ULTRA = "stability.stable-image-ultra-v1:1"


def drawn_from(client: Any, reference: bytes, model: str = ULTRA) -> Image.Image:
    request = {"prompt": "Mossy sleeps", "image": base64.b64encode(reference).decode(), "strength": 0.7}
    answer = client.invoke_model(modelId=model, body=json.dumps(request))
    (image,) = json.loads(answer["body"].read())["images"]
    return Image.open(BytesIO(base64.b64decode(image)))


def test_a_still_of_a_reference_has_its_size(
    bedrock: Callable[..., Any], comfyui: tuple[ComfyUI, Any, Any], tmp_path: Path
) -> None:
    card = drawn_from(bedrock(), png(320, 192, "red"))
    assert (card.size, card.getpixel((0, 0))) == ((320, 192), (255, 0, 0))  # the card shows it as it is
    server, without, url = comfyui
    assert drawn_from(without, png(320, 192, "red")).size == (320, 192)  # no node takes it
    workflow = tmp_path / "reference.json"
    loads = {"8": node("LoadImage", "reelworks: image", image="none.png")}
    workflow.write_text(json.dumps(WORKFLOW | loads))
    server.calls.clear()
    client = bedrock(comfyui={"url": url()}, stills={"workflow": workflow})
    assert drawn_from(client, png(320, 192, "red")).size == (320, 192)
    assert server.queued[-1]["8"]["inputs"]["image"] == "reference.png"


@pytest.mark.parametrize(
    ("reference", "model", "says"),
    [(b"nothing", ULTRA, "must be a PNG"), (png(64, 64), MODEL, "takes no image; use Stable Image Ultra")],
)
def test_a_rejected_reference(bedrock: Callable[..., Any], reference: bytes, model: str, says: str) -> None:
    with pytest.raises(ClientError, match=says):
        drawn_from(bedrock(), reference, model)


def test_errors_of_comfyui_are_reported(comfyui: tuple[ComfyUI, Any, Any]) -> None:
    server, client, url = comfyui
    exceptions = client.exceptions
    problem = {"node_id": "3", "exception_type": "OutOfMemoryError", "exception_message": "20 GB\n"}
    server.error = ["execution_error", problem]
    with pytest.raises(exceptions.ModelErrorException, match=r"KSampler.: OutOfMemoryError: 20 GB"):
        draw(client)
    server.error = ["execution_interrupted", {"node_id": "3"}]
    with pytest.raises(exceptions.ModelErrorException, match="interrupted"):
        draw(client)
    server.error = None
    server.images = []
    with pytest.raises(exceptions.ModelErrorException, match="Save Image"):
        draw(client)
    server.images = [{"filename": "a.png", "subfolder": "", "type": "output"}]
    server.picture = b"not a picture"
    with pytest.raises(exceptions.ModelErrorException, match="comfyui flux returned no usable image"):
        draw(client)
    complaint = {"type": "value_not_in_list", "message": "Value not in list", "details": "ckpt_name: 'a'"}
    refusal = {"type": "prompt_outputs_failed_validation", "message": "Prompt outputs failed validation"}
    wrong = {"4": {"class_type": "CheckpointLoaderSimple", "errors": [complaint]}}
    server.refusal = JSONResponse({"error": refusal, "node_errors": wrong}, 400)
    with pytest.raises(exceptions.ModelErrorException, match="Value not in list: ckpt_name") as caught:
        draw(client)
    assert url() in str(caught.value)
    server.refusal = Response(b"<html>")
    with pytest.raises(exceptions.ModelErrorException, match="isn't ComfyUI"):
        draw(client)
    server.refusal, server.lost = None, True
    with pytest.raises(exceptions.ModelErrorException, match="lost"):
        draw(client)


def test_an_unreachable_comfyui_is_an_error(bedrock: Callable[..., Any], tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    (tmp_path / "flux.json").write_text(json.dumps(WORKFLOW))
    stills = {"workflow": tmp_path / "flux.json"}
    client = bedrock(comfyui={"url": url}, stills=stills)
    with pytest.raises(client.exceptions.ModelErrorException, match=url):
        draw(client)


@pytest.mark.parametrize(
    ("workflow", "message"),
    [
        (None, "can't be read"),
        ("no json", "can't be read"),
        ('{"nodes": [], "links": []}', "Export"),
        (json.dumps(WORKFLOW | {"6": node("CLIPTextEncode", "Text", text="")}), "reelworks: prompt"),
    ],
)
def test_an_unusable_workflow_is_an_error(
    bedrock: Callable[..., Any], tmp_path: Path, workflow: str | None, message: str
) -> None:
    file = tmp_path / "flux.json"
    if workflow:
        file.write_text(workflow)
    client = bedrock(stills={"workflow": file})
    with pytest.raises(client.exceptions.ModelErrorException, match=message):
        draw(client)


def make_tiny_model(folder: Path) -> None:
    """A Stable Diffusion model with random weights that draws 32×32."""
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    letters = [chr(number) for number in range(33, 127)]
    tokens = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    files = folder / "vocabulary"
    files.mkdir(parents=True)
    (files / "vocab.json").write_text(json.dumps({token: number for number, token in enumerate(tokens)}))
    (files / "merges.txt").write_text("#version: 0.2\n")
    text = CLIPTextConfig(
        vocab_size=len(tokens),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        bos_token_id=len(tokens) - 2,
        eos_token_id=len(tokens) - 1,
        pad_token_id=len(tokens) - 1,
    )
    StableDiffusionPipeline(
        vae=AutoencoderKL(
            block_out_channels=(8, 8),
            norm_num_groups=4,
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
        ),
        unet=UNet2DConditionModel(
            sample_size=16,
            block_out_channels=(8, 8),
            norm_num_groups=4,
            layers_per_block=1,
            attention_head_dim=4,
            cross_attention_dim=16,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        ),
        text_encoder=CLIPTextModel(text),
        tokenizer=CLIPTokenizer(str(files / "vocab.json"), str(files / "merges.txt"), model_max_length=77),
        scheduler=DDIMScheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)


@pytest.mark.filterwarnings("ignore")  # from the libraries that build the model, not from our code
def test_a_diffusers_model_draws(bedrock: Callable[..., Any], tmp_path: Path) -> None:
    make_tiny_model(tmp_path / "tiny-sd")
    client = bedrock(stills={"model": tmp_path / "tiny-sd", "steps": 2})
    one, document = draw(client, aspect_ratio="16:9")
    assert document["answered_by"] == "diffusers tiny-sd"
    assert one.size == (1344, 768)
    assert np.asarray(one).std() > 1
    assert draw(client, aspect_ratio="16:9")[0].tobytes() == one.tobytes()
    assert draw(client, aspect_ratio="16:9", seed=8)[0].tobytes() != one.tobytes()


@pytest.mark.filterwarnings("ignore")
def test_weights_that_run_code_are_not_loaded(tmp_path: Path) -> None:
    make_tiny_model(tmp_path / "tiny-sd")
    weights = tmp_path / "tiny-sd" / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))  # a pickle's name: never opened
    with pytest.raises(OSError, match="safetensors"):
        load(str(tmp_path / "tiny-sd"))


def test_a_folder_without_a_model_is_an_error(bedrock: Callable[..., Any], tmp_path: Path) -> None:
    client = bedrock(stills={"model": tmp_path})
    with pytest.raises(client.exceptions.ModelErrorException, match=r"model_index\.json is missing"):
        draw(client)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"prompt": " "}, "prompt"),
        ({"prompt": "a" * 10_001}, "prompt"),
        ({"aspect_ratio": "4:3"}, "aspect_ratio: .*'16:9'"),
        ({"seed": 4_294_967_295}, "seed"),
        ({"output_format": "gif"}, "output_format"),
        ({"image": "AAAA"}, "image"),
        ({"mode": "image-to-image"}, "mode"),
        ({"model": "amazon.nova-canvas-v1:0"}, "Stability AI"),
    ],
)
def test_a_rejected_request(bedrock: Callable[..., Any], fields: Any, message: str) -> None:
    client = bedrock()
    with pytest.raises(ClientError, match=message) as caught:
        draw(client, **fields)
    assert caught.value.response["Error"]["Code"] == "ValidationException"
