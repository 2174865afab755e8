"""The tools with which an assistant makes films.

Each call looks the API up anew, because the PC's cloud may be started and stopped while an assistant runs. A
tool that waits does so for a bounded time and reports progress; the film goes on, whoever waits.
"""

import json
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import anyio
from mcp.server.mcpserver import Context, Image, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from pydantic import Field

from reelworks.client import ApiError, AsyncClient, Conflict, InvalidRequest, NotFound, Video, find_address
from reelworks.client.models import Storyboard
from reelworks.mcp import words
from reelworks.mcp.pictures import small_jpeg
from reelworks.video_words import describe

_INSTRUCTIONS = """\
Make films with Reelworks. For a film that the user cares about: plan_film, show them the storyboard and then
the stills (look_at_storyboard), change scenes as they wish (edit_scene, regenerate_scene), approve_film at
each gate, and fetch_film. For a single short clip: make_film.

Films take minutes. A film goes on while you do other things, and show_film finds it.

On this user's own PC everything costs $0. On AWS it costs money, most of it the clips: call estimate_film
first, and ask before you approve previews or make a film. max_cost limits what a film may cost.
"""

_READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
_SPENDS = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False
)
_ADDS = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)
_ENDS = ToolAnnotations(
    read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False
)

_Context = Context[Path, Any]  # the folder of films
VideoId = Annotated[str, Field(description="The film's video_id.")]
Scene = Annotated[int, Field(ge=1, description="The scene's number, from 1.")]
Engine = Annotated[str | None, Field(description="An engine of list_engines. By default the deployment's.")]
Seconds = Annotated[int | None, Field(description="Length of the film in seconds.")]
Size = Annotated[str | None, Field(description="WIDTHxHEIGHT in pixels, for example 1280x720.")]
Aspect = Annotated[str | None, Field(description="Instead of size: the shape, for example 9:16.")]
Shapes = Annotated[
    list[str] | None,
    Field(description="Further shapes to deliver the film in, of 16:9, 9:16, 1:1, 4:5 and 21:9."),
]
Topic = Annotated[str | None, Field(description="What the film is about.")]
Board = Annotated[
    dict[str, Any] | None,
    Field(
        description="Your own storyboard, or the parts of it that are not to be written: {title, "
        "style, scenes: [{narration: {text}, image: {positive_prompt}, video: {positive_prompt}, "
        "seconds}]}. A complete one needs no topic and no text model."
    ),
]
Scenes = Annotated[int | None, Field(description="Number of scenes.")]
Narrate = Annotated[bool, Field(description="Write narration.")]
Stills = Annotated[
    Literal["none", "standard", "premium"] | None,
    Field(description="Each scene's first picture. By default standard, if the engine takes images."),
]
ClipSound = Annotated[
    Literal["keep", "duck", "drop"] | None,
    Field(
        description="The clips' own sound, if the engine gives some: as loud as speech, lowered during "
        "speech (the default), or left out."
    ),
]
OnWarning = Annotated[
    Literal["keep", "retry_once", "review"] | None,
    Field(
        description="If the film's quality report warns: keep it (the default), render clips that warn once "
        "more and keep the better try, or wait for approval before it is delivered."
    ),
]
Lexicon = Annotated[
    dict[str, str | dict[str, str]] | None,
    Field(
        description='How words of the narration are said: by other words, or by {"ipa": …}, for example '
        '{"GIF": "jif", "Nguyen": {"ipa": "ŋwiən"}}.'
    ),
]
MusicMood = Annotated[
    Literal["calm", "dreamy", "uplifting", "playful", "tense", "sad", "epic", "driving"] | None,
    Field(
        description="Simple music of that mood under the film, made for it and free to use. By default none."
    ),
]
MaxCost = Annotated[
    float | None,
    Field(gt=0, description="USD that the film may cost, with all its attempts; it stops before more."),
]
Wait = Annotated[
    int,
    Field(ge=0, le=3600, description="Wait at most so many seconds; some assistants end calls after 60."),
]

_WAIT = 45
_MOST_STILLS = 6  # in one answer


_Answer = TypeVar("_Answer")
_Handler = TypeVar("_Handler", bound=Callable[..., Any])
_tools: list[tuple[Callable[..., Any], ToolAnnotations]] = []


def _tool(annotations: ToolAnnotations) -> Callable[[_Handler], _Handler]:
    def declared(handler: _Handler) -> _Handler:
        _tools.append((handler, annotations))
        return handler

    return declared


def server(folder: Path) -> MCPServer[Path]:
    """Return the server. `folder`: where films are saved."""

    @asynccontextmanager
    async def lifespan(_: MCPServer[Path]) -> AsyncIterator[Path]:
        yield folder

    made = MCPServer("Reelworks", instructions=_INSTRUCTIONS, log_level="WARNING", lifespan=lifespan)
    for handler, annotations in _tools:
        description = " ".join((handler.__doc__ or "").split())
        made.add_tool(handler, description=description, annotations=annotations, structured_output=False)
    return made


# --- the tools


@_tool(_READS)
async def list_engines() -> str:
    """List the engines that render clips: what each makes, its sizes, limits and, where known, prices.
    Costs nothing."""
    async with _api() as api:
        return words.engines(await api.models())


@_tool(_READS)
async def estimate_film(
    prompt: Annotated[
        str | None, Field(description="As for make_film. Instead: topic or storyboard.")
    ] = None,
    topic: Topic = None,
    storyboard: Board = None,
    scenes: Scenes = None,
    seconds: Seconds = None,
    narrate: Narrate = True,
    stills: Stills = None,
    engine: Engine = None,
    size: Size = None,
    aspect: Aspect = None,
    shapes: Shapes = None,
    max_cost: MaxCost = None,
) -> str:
    """Estimate a film before make_film (prompt) or plan_film (topic, storyboard): its clips, what each
    part costs, how long it takes, and what would refuse it. Makes nothing and costs nothing."""
    fields: dict[str, Any] = {
        "topic": topic,
        "storyboard": storyboard,
        "scenes": scenes,
        "seconds": seconds,
        "model": engine,
        "size": size,
        "aspect": aspect,
        "shapes": shapes,
        "max_cost": max_cost,
    }
    async with _api() as api:
        if prompt is not None:
            return words.estimate(await api.estimate(prompt, stills=stills, **fields))
        return words.estimate(await _with_stills(api.estimate, stills, fields | {"narrate": narrate}))


@_tool(_READS)
async def list_films(limit: Annotated[int, Field(ge=1, le=100)] = 10) -> str:
    """List the newest films and what each does. Costs nothing."""
    async with _api() as api:
        return words.films((await api.list(limit=limit)).data)


@_tool(_READS)
async def show_film(video_id: VideoId) -> str:
    """Show how a film goes, what it has cost so far, why it failed, and what can be done next. Costs
    nothing."""
    async with _api() as api:
        return words.film(await api.status(video_id))


@_tool(_SPENDS)
async def make_film(
    ctx: _Context,
    prompt: Annotated[str, Field(description="What the film shows.")],
    seconds: Seconds = None,
    engine: Engine = None,
    size: Size = None,
    aspect: Aspect = None,
    shapes: Shapes = None,
    music_mood: MusicMood = None,
    clip_sound: ClipSound = None,
    on_warning: OnWarning = None,
    max_cost: MaxCost = None,
    wait_seconds: Wait = _WAIT,
) -> str:
    """Make a film of one prompt, without narration or review. Renders its clips at once, which costs
    what estimate_film says: nothing on the user's own PC, money on AWS. For a story or a narrated film, use
    plan_film."""
    async with _api() as api:
        video = await api.submit(
            prompt,
            seconds=seconds,
            model=engine,
            size=size,
            aspect=aspect,
            shapes=shapes,
            music_mood=music_mood,
            clip_sound=clip_sound,
            on_warning=on_warning,
            max_cost=max_cost,
        )
        return words.film(await _waited(api, video.id, ctx, wait_seconds))


@_tool(_SPENDS)
async def plan_film(
    ctx: _Context,
    topic: Topic = None,
    storyboard: Board = None,
    scenes: Scenes = None,
    seconds: Seconds = None,
    tone: Annotated[str | None, Field(description="For example: warm and curious.")] = None,
    language: Annotated[str | None, Field(description="Of the narration, for example en-US.")] = None,
    lexicon: Lexicon = None,
    narrate: Narrate = True,
    captions: Annotated[bool, Field(description="Add captions of the narration.")] = False,
    stills: Stills = None,
    engine: Engine = None,
    size: Size = None,
    aspect: Aspect = None,
    shapes: Shapes = None,
    music_mood: MusicMood = None,
    clip_sound: ClipSound = None,
    on_warning: OnWarning = None,
    max_cost: MaxCost = None,
    wait_seconds: Wait = _WAIT,
) -> str:
    """Plan a film of several scenes: a text model writes its storyboard, then it waits for approval, and
    again once voices and stills are made. Costs one call of a text model (a cent or less; nothing on the
    user's own PC). Nothing is rendered until approve_film."""
    fields: dict[str, Any] = {
        "topic": topic,
        "storyboard": storyboard,
        "scenes": scenes,
        "seconds": seconds,
        "tone": tone,
        "language": language,
        "lexicon": lexicon,
        "narrate": narrate,
        "captions": captions,
        "model": engine,
        "size": size,
        "aspect": aspect,
        "shapes": shapes,
        "music_mood": music_mood,
        "clip_sound": clip_sound,
        "on_warning": on_warning,
        "max_cost": max_cost,
        "review": ["storyboard", "previews"],
    }
    async with _api() as api:
        video = await _with_stills(api.submit, stills, fields)
        video = await _waited(api, video.id, ctx, wait_seconds)
        return "\n\n".join([words.film(video), *await _storyboard(api, video)])


@_tool(_READS)
async def look_at_storyboard(
    video_id: VideoId,
    first_scene: Annotated[int, Field(ge=1, description="Show stills from this scene on.")] = 1,
) -> list[str | Image]:
    """Look at a film's storyboard: what is said, shown and moves in each scene; and at up to six stills,
    as pictures, once they are drawn. Costs nothing."""
    async with _api() as api:
        video = await api.status(video_id)
        board, _ = await api.storyboard(video_id)
        drawn = [one.scene for one in video.stills if one.state == "done" and one.scene >= first_scene - 1]
        answer: list[str | Image] = [words.storyboard(board)]
        for scene in drawn[:_MOST_STILLS]:
            answer += [f"scene {scene + 1}:", await _still(api, video_id, scene)]
        if len(drawn) > _MOST_STILLS:
            answer.append(f"There are more stills: first_scene={drawn[_MOST_STILLS] + 1}.")
        return answer


@_tool(_ADDS)
async def edit_scene(
    ctx: _Context,
    video_id: VideoId,
    scene: Scene,
    narration: Annotated[str | None, Field(description="What is said.")] = None,
    image: Annotated[str | None, Field(description="What its first picture shows.")] = None,
    video: Annotated[str | None, Field(description="What moves, and how the camera does.")] = None,
    seconds: Annotated[float | None, Field(description="How long it lasts.")] = None,
    wait_seconds: Wait = _WAIT,
) -> str:
    """Change a scene in your own words, while the film waits for approval or after it has ended. What is
    not given stays. At the gate previews, the changed voice and still are made anew at once, which costs
    what they cost; otherwise it costs nothing until approve_film. Other scenes are not made again."""
    async with _api() as api:
        with _counted_from_one(scene):
            await api.edit_scene(
                video_id, scene - 1, narration=narration, image=image, video=video, seconds=seconds
            )
        return words.film(await _waited(api, video_id, ctx, wait_seconds))


@_tool(_SPENDS)
async def regenerate_scene(
    ctx: _Context,
    video_id: VideoId,
    scene: Scene,
    part: Literal["text", "voice", "still"],
    note: Annotated[str | None, Field(description="For the text model: what should change.")] = None,
    voice: Annotated[str | None, Field(description="Another voice.")] = None,
    speed: Annotated[float | None, Field(description="Speed of the voice, 0.5 to 2.")] = None,
    seed: Annotated[int | None, Field(description="Of the still. By default another one.")] = None,
    wait_seconds: Wait = _WAIT,
) -> str:
    """Have one scene's text rewritten as a note says, its narration spoken anew, or its still drawn anew,
    while the film waits for approval or after it has ended. Costs a call of a text model with a note, and
    the voice or still where they are made again; nothing on the user's own PC."""
    async with _api() as api:
        with _counted_from_one(scene):
            await api.regenerate(video_id, scene - 1, part, note=note, voice=voice, speed=speed, seed=seed)
        return words.film(await _waited(api, video_id, ctx, wait_seconds))


@_tool(_SPENDS)
async def approve_film(
    ctx: _Context,
    video_id: VideoId,
    gate: Annotated[
        Literal["storyboard", "previews", "film"] | None,
        Field(description="The gate that it waits at. None: film the edits of a film that has ended."),
    ] = None,
    max_cost: MaxCost = None,
    wait_seconds: Wait = _WAIT,
) -> str:
    """Let a film go on. gate=storyboard: voices and stills are made, which costs a little. gate=previews:
    the clips are rendered and the film is finished, which costs most of a film: what its clips cost
    (estimate_film); nothing on the user's own PC. gate=film: a film whose quality report warns is delivered
    as it is, which costs nothing; if it was edited, what changed is made again. Ask the user first. max_cost
    replaces the film's."""
    async with _api() as api:
        video = await api.status(video_id)
        if video.stage == "reviewing" and gate is None:
            raise ToolError(f"gate is required: the film waits at gate {video.review.gate}.")
        await api.approve(video_id, gate=gate, max_cost=max_cost)
        return words.film(await _waited(api, video_id, ctx, wait_seconds))


@_tool(_READS)
async def look_at_quality(video_id: VideoId) -> str:
    """Look at what the quality report says of a finished film, or of one that waits at gate film: which
    checks warn, and where. Costs nothing."""
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "quality.json"
        async with _api() as api:
            await api.download(video_id, path, variant="quality")
        return words.quality(json.loads(await anyio.Path(path).read_bytes()))


@_tool(_READS)
async def wait_for_film(ctx: _Context, video_id: VideoId, wait_seconds: Wait = _WAIT) -> str:
    """Wait until a film is finished, fails or waits for approval, with reports of its progress. Costs
    nothing, and ending the wait doesn't end the film."""
    async with _api() as api:
        return words.film(await _waited(api, video_id, ctx, wait_seconds))


@_tool(_SPENDS)
async def retry_film(
    ctx: _Context, video_id: VideoId, max_cost: MaxCost = None, wait_seconds: Wait = _WAIT
) -> str:
    """Resume a film that failed or was cancelled. What is made is reused; the rest costs what it would
    have cost. max_cost replaces the film's."""
    async with _api() as api:
        await api.retry(video_id, max_cost=max_cost)
        return words.film(await _waited(api, video_id, ctx, wait_seconds))


@_tool(_ENDS)
async def cancel_film(video_id: VideoId) -> str:
    """Cancel a film that is being made. What was made is kept, so retry_film can resume it. Costs nothing
    more, except for a clip that an engine on AWS is rendering: it is rendered to its end."""
    async with _api() as api:
        return words.film(await api.cancel(video_id))


@_tool(_ADDS)
async def fetch_film(ctx: _Context, video_id: VideoId) -> list[str | Image]:
    """Download a finished film, with its further shapes and captions if it has any, into the folder of
    films on this PC. Returns the path and a picture of it. Goes on where a download broke off. Costs
    nothing on a PC, and on AWS the transfer."""
    async with _api() as api:
        folder = ctx.request_context.lifespan_context
        video = await api.status(video_id)
        path = folder / f"{video_id}.mp4"
        try:
            await anyio.Path(folder).mkdir(parents=True, exist_ok=True)
            size = await api.download(video_id, path)
            saved = [f"film: {path} ({size:,} bytes)"]
            for shape in video.shapes:
                if shape.url:
                    file = path.with_suffix(f".{shape.variant}.mp4")
                    await api.download(video_id, file, variant=shape.variant)
                    saved.append(f"{shape.aspect}: {file}")
            if video.captions:
                captions = path.with_suffix(".vtt")
                await api.download(video_id, captions, variant="captions")
                saved.append(f"captions: {captions}")
        except OSError as error:
            raise ToolError(
                f"cannot write {path}: {error.strerror}. Start reel mcp with another --folder."
            ) from error
        await ctx.report_progress(size, size)
        with tempfile.TemporaryDirectory() as temporary:
            poster = Path(temporary) / "poster.webp"
            await api.download(video_id, poster, variant="thumbnail")
            picture = await anyio.to_thread.run_sync(small_jpeg, poster)
        return ["\n".join(saved), picture]


# ---


@asynccontextmanager
async def _api() -> AsyncIterator[AsyncClient]:
    """Yield a client of the API that `reel` uses. An error of the API becomes one of the tool."""
    try:
        address = await anyio.to_thread.run_sync(find_address)
        async with AsyncClient(address.base_url, address.api_key) as client:
            yield client
    except ApiError as error:
        raise ToolError(words.error(error)) from error


@contextmanager
def _counted_from_one(scene: int) -> Iterator[None]:
    """The API counts scenes from 0, and so do its messages."""
    try:
        yield
    except InvalidRequest as error:
        if error.param != "scene":
            raise
        raise ToolError(f"Scene {scene} does not exist. look_at_storyboard shows the scenes.") from error


async def _with_stills(
    call: Callable[..., Awaitable[_Answer]], stills: str | None, fields: Mapping[str, Any]
) -> _Answer:
    """Call with stills, which are standard unless something else is wished or the engine takes no images."""
    try:
        return await call(stills=stills or "standard", **fields)
    except InvalidRequest as error:
        if error.param != "stills" or stills is not None:
            raise
        return await call(**fields)


async def _waited(api: AsyncClient, video_id: str, ctx: _Context, seconds: int) -> Video:
    """Follow a film until it ends, waits for approval, or time is up."""
    told = -1.0
    with anyio.move_on_after(seconds):
        async with aclosing(api.follow(video_id)) as videos:
            async for video in videos:
                told = max(told + 0.001, float(video.progress))  # it must rise with each report
                await ctx.report_progress(told, 100, describe(video))
    return await api.status(video_id)


async def _storyboard(api: AsyncClient, video: Video) -> Sequence[str]:
    """Return the storyboard in words, if it is written."""
    try:
        board: Storyboard = (await api.storyboard(video.id))[0]
    except (Conflict, NotFound):
        return ()
    return (words.storyboard(board),)


async def _still(api: AsyncClient, video_id: str, scene: int) -> Image:
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "still.png"
        await api.preview(video_id, scene, "still", path)
        return await anyio.to_thread.run_sync(small_jpeg, path)
