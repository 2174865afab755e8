"""The API's documents. Written from its OpenAPI document by tests/client_models.py:

    UPDATE_SNAPSHOTS=1 python -m pytest -n 0 tests/unit/test_client_models.py

A value that is one of several may be another one if the API is newer than the client.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias, TypedDict

from reelworks.client.document import ALWAYS, Document

Aspect: TypeAlias = Literal["16:9", "9:16", "1:1", "4:5", "21:9"] | str

CaptionPosition: TypeAlias = Literal["bottom", "middle", "top"] | str

CaptionStyle: TypeAlias = Literal["plain", "karaoke", "pop"] | str

ClipSound: TypeAlias = Literal["keep", "duck", "drop"] | str

ClipState: TypeAlias = Literal["waiting", "rendering", "done"] | str

Corner: TypeAlias = Literal["top-left", "top-right", "bottom-left", "bottom-right"] | str

DeliveryState: TypeAlias = Literal["pending", "delivered", "failed", "cancelled"] | str

EventType: TypeAlias = Literal["video.completed", "video.failed", "video.review", "clip.completed"] | str

FpsMode: TypeAlias = Literal["repeat", "blend"] | str

Framing: TypeAlias = Literal["cover", "contain", "blur"] | str

Gate: TypeAlias = Literal["storyboard", "previews", "film"] | str

Mood: TypeAlias = Literal["calm", "dreamy", "uplifting", "playful", "tense", "sad", "epic", "driving"] | str

NarrationFit: TypeAlias = Literal["extend", "faster", "refuse"] | str

OnWarning: TypeAlias = Literal["keep", "retry_once", "review"] | str

OriginKind: TypeAlias = Literal["remix", "edit", "extend"] | str

Part: TypeAlias = Literal["text", "voice", "still"] | str

Scope: TypeAlias = Literal["read", "create", "admin", "operate"] | str

Speed: TypeAlias = Literal["exact", "balanced", "fast", "turbo"] | str

Stage: TypeAlias = (
    Literal[
        "queued",
        "planning",
        "reviewing",
        "preparing",
        "rendering",
        "assembling",
        "publishing",
        "completed",
        "failed",
        "cancelled",
    ]
    | str
)

TransitionKind: TypeAlias = Literal["none", "crossfade", "fade", "wipe"] | str

Zoom: TypeAlias = Literal["in", "out"] | str


class ApiKey(Document):
    id: str
    object: str = ALWAYS
    name: str = ALWAYS
    redacted_value: str = ALWAYS
    """The start of the secret."""
    scopes: list[str] = []
    """What the key may do: `read`, `create`, `admin`, `operate`."""
    created_at: int = ALWAYS
    """Seconds since the epoch."""
    last_used_at: int | None = None
    """To the hour; null if it was not used."""
    value: str | None = None
    """The secret, shown once: when the key is created."""


class ApiKeyDeletion(Document):
    id: str
    object: str = ALWAYS
    deleted: bool = ALWAYS


class ApiKeyList(Document):
    object: str = ALWAYS
    data: list[ApiKey] = []
    has_more: bool = ALWAYS


class AssemblyState(Document):
    transition: TransitionKind = ALWAYS
    transition_seconds: float = ALWAYS
    cut_on_beats: bool = ALWAYS
    """Whether cuts between scenes are to fall on the music's beats."""
    even_out: bool = ALWAYS
    clip_sound: ClipSound = ALWAYS
    """What becomes of the clips' own sound, if they have some."""
    stems: bool = ALWAYS
    """Whether the sound is delivered apart, too."""
    fragmented: bool = ALWAYS
    steps: list[JoinStep] = []
    """Visible steps in light where a clip continues the one before, in 8-bit levels."""
    made: Made | None = None


class Caller(Document):
    object: str = ALWAYS
    tenant: str = ALWAYS
    scopes: list[Scope] = []
    """`read`: look; `create`: create, edit, cancel and delete videos; `admin`: manage the tenant's API
    keys; `operate`: see what runs, waits and failed, of all tenants."""


class CaptionLookOf(Document):
    """As `caption_position` and the like of the request say. Without a position or outline, as the style
    has it."""

    position: CaptionPosition | None = None
    size: float = ALWAYS
    colour: str = ALWAYS
    outline: str | None = None
    outline_width: float = ALWAYS
    font: str | None = None
    font_file: bool = ALWAYS
    """Whether the request had a `caption_font_file`."""


class CharacterDeletion(Document):
    id: str
    object: str = ALWAYS
    deleted: bool = ALWAYS


class CharacterList(Document):
    object: str = ALWAYS
    data: list[Character] = []
    first_id: str | None = None
    last_id: str | None = None
    """Send it as `after` for the next page."""
    has_more: bool = ALWAYS


class Character(Document):
    id: str
    object: str = ALWAYS
    created_at: int = ALWAYS
    """Seconds since the epoch."""
    name: str = ALWAYS
    handle: str = ALWAYS
    """What names it in a prompt, such as `@mossy`."""
    description: str | None = None
    """Yours, or a text model's of its picture, once a film needed it."""
    described_by: str | None = None
    """The model that described its picture."""
    voice: str | None = None
    """What speaks where it is a scene's `speaker`."""
    width: int = ALWAYS
    """Of its picture, in pixels."""
    height: int = ALWAYS


class CharacterUsed(Document):
    id: str
    name: str = ALWAYS
    description: str | None = None
    """What enters the prompts of its scenes."""
    by: str | None = None
    """The model that described its picture; null if you did."""
    note: str | None = None
    """Why there is no description, if there is none."""
    cost: float | None = None
    voice: str | None = None
    """What speaks where it is a scene's `speaker`."""
    scenes: list[int] | None = []
    """The indexes of its scenes, once the film is planned."""


class ClipList(Document):
    object: str = ALWAYS
    data: list[PlannedClip] = []
    has_more: bool = ALWAYS


class ClipPart(Document):
    reused: bool = ALWAYS
    """Whether it was found, and not made anew."""
    cost: float | None = None
    """USD; 0 if reused, null if its price is unknown."""
    started_ms: int | None = None
    finished_ms: int | None = None
    took: float | None = None
    """Duration in seconds, once it is finished."""
    state: ClipState = ALWAYS
    seconds: float = ALWAYS
    """Its length up to where the next clip begins."""


class ContentLink(Document):
    object: str = ALWAYS
    url: str = ALWAYS
    """The link, which needs no key."""
    media_type: str = ALWAYS
    expires_at: int = ALWAYS
    """When the link ends, in seconds since the epoch."""


class CostPart(Document):
    usd: float | None = None
    """0 if the film has no such part; null if unknown."""
    reason: str | None = None
    """Why it is unknown."""


class CostParts(Document):
    """What each part of a film costs, in USD."""

    writing: CostPart = ALWAYS
    """The storyboard, or the enhanced prompt."""
    narration: CostPart = ALWAYS
    stills: CostPart = ALWAYS
    clips: CostPart = ALWAYS
    vision: CostPart = ALWAYS
    """A vision model's opinion of each clip, with `vision_check`."""
    assembly: CostPart = ALWAYS


class Deletion(Document):
    id: str
    object: str = ALWAYS
    deleted: bool = ALWAYS


class DeliveredEvent(Document):
    object: str = ALWAYS
    id: str
    """The same on every attempt: the header `webhook-id`."""
    type: EventType = ALWAYS
    created_at: int = ALWAYS
    data: dict[str, Any] = ALWAYS
    """The video's `id`, and what belongs to the type."""


class DeliveryAttempt(Document):
    at: int = ALWAYS
    """Seconds since the epoch."""
    took: float = ALWAYS
    """Seconds."""
    status_code: int | None = None
    """What the receiver answered; null if it did not."""
    reason: str | None = None
    """Why there was no answer."""


class EngineLoad(Document):
    """An engine whose clips wait in a queue; one that draws in a function has none."""

    name: str = ALWAYS
    in_flight: int = ALWAYS
    """Clips that it renders or that wait at its endpoint."""
    waiting: int = ALWAYS
    waiting_by_tenant: list[TenantClips] = []
    """At most 20 tenants, those with the most clips first."""
    waiting_since: int | None = None
    """Since when the oldest clip waits, in seconds since the epoch."""
    instances: int | None = None
    """As of `instances_at`, which is when clips were last admitted; null if unknown."""
    instances_at: int | None = None
    runbook: str | None = None
    """A link, if clips wait longer than is usual."""


class EngineSpend(Document):
    films: int = ALWAYS
    """Films that ended."""
    failed: int = ALWAYS
    """Those of them that failed."""
    clips: int = ALWAYS
    """Clips that were made."""
    seconds: float = ALWAYS
    """Of film."""
    cost: float = ALWAYS
    """USD."""
    unknown: int = ALWAYS
    """Films whose cost is not in it, because a price is unknown."""
    model: str = ALWAYS


class EnhanceState(Document):
    requested: bool = ALWAYS
    prompt: str | None = None
    """The prompt as enhanced."""
    by: str | None = None
    """The model that wrote it."""
    note: str | None = None
    """Why the original was kept, if it was."""
    cost: float | None = None


class ErrorDetail(Document):
    message: str = ALWAYS
    """What is wrong and what is allowed, for people."""
    type: Literal["invalid_request_error", "rate_limit_error", "server_error"] | str = ALWAYS
    param: str | None = None
    """The field, query parameter or header at fault."""
    code: str | None = None
    """What is wrong, for programs."""


class EventList(Document):
    object: str = ALWAYS
    data: list[Event] = []
    has_more: bool = ALWAYS


class Event(Document):
    object: str = ALWAYS
    type: str = ALWAYS
    """`video.` and a stage, or `narration.`, `still.`, `clip.` or `assembly.` with `started`, `completed`
    or `failed`."""
    at_ms: int = ALWAYS
    """Milliseconds since the epoch."""
    attempt: int = ALWAYS
    """The video's attempt it belongs to."""
    scene: int | None = None
    """The scene's index, from 0."""
    clip: int | None = None
    """The clip's index, from 0."""
    shape: str | None = None
    """The further shape of the film that was being made when it failed."""
    reused: bool | None = None
    """Whether it was found, and not made anew."""
    by: str | None = None
    """The voice, the image model or the engine."""
    seconds: float | None = None
    """How long it took."""
    cost: float | None = None
    """USD."""
    code: str | None = None
    """Why it failed, for programs."""
    reason: str | None = None
    """Why it failed."""
    advice: str | None = None
    """What to do about it."""


class EventTypeList(Document):
    object: str = ALWAYS
    data: list[EventType] = []


class FailedFilm(Document):
    id: str
    tenant: str = ALWAYS
    model: str = ALWAYS
    at: int = ALWAYS
    """Seconds since the epoch."""
    step: str = ALWAYS
    code: str = ALWAYS
    reason: str = ALWAYS
    runbook: str = ALWAYS


class Failure(Document):
    """Why a video failed: the step, the scene and clip or the shape, and what to do."""

    step: str = ALWAYS
    scene: int | None = None
    clip: int | None = None
    shape: Aspect | None = None
    code: str = ALWAYS
    reason: str = ALWAYS
    advice: str = ALWAYS


class FailureKind(Document):
    step: str = ALWAYS
    code: str = ALWAYS
    films: int = ALWAYS
    runbook: str = ALWAYS


class FilmList(Document):
    object: str = ALWAYS
    data: list[Film] = []
    has_more: bool = ALWAYS


class Film(Document):
    object: str = ALWAYS
    attempt: int = ALWAYS
    """The attempt that made it: ask for its files with it."""
    completed_at: int = ALWAYS
    """Seconds since the epoch."""
    seconds: float = ALWAYS
    """Its length."""
    bytes: int = ALWAYS
    cost: float | None = None
    """USD of what the attempt made; null if a part has no known price."""
    signed_by: str | None = None
    """The name in the certificate of its content credentials; null if it is not signed."""
    quality_warnings: int | None = None
    """How many checks of its quality report warn; null if there is none."""
    variants: list[str] = []
    """The files that it has."""
    new_scenes: list[int] | None = []
    """The indexes of its scenes, from 0, that the film before it did not have: their clips or narration
    are others. Null for the first film."""
    url: str = ALWAYS
    """A link to it, valid for an hour."""
    thumbnail_url: str = ALWAYS
    """A link to its poster, as long."""


class Frame(Document):
    """A picture that the user gave to a scene. Where it is sent, it may be a `file_id` or an `image_url`
    instead, which lambdas/intake/scene_frames.py replaces."""

    sha256: str | None = None
    """Must be 64 hexadecimal digits."""
    media_type: Literal["image/png", "image/jpeg", "image/webp"] | str | None = None
    """Must be one of image/png, image/jpeg, image/webp."""
    file_id: str | None = None
    """The id of an upload; only sent."""
    image_url: str | None = None
    """A data URL; only sent."""


class JoinStep(Document):
    """A jump in brightness or colour where a clip continues the previous one: its first frame minus the
    frame before it, in mean luma (positive is brighter) and in mean Cb and Cr, in 8-bit levels."""

    clip: int = ALWAYS
    brightness: float = ALWAYS
    colour: list[Any] = []


class Lora(Document):
    """A LoRA adapter in the folder of the engine's model, and its scale."""

    name: str = ALWAYS
    scale: float | None = None


class LowerThird(Document):
    """Who or what a scene shows: two lines over its first seconds."""

    title: str = ALWAYS
    """Must be text of 1 to 80 characters without control characters."""
    subtitle: str | None = None
    """Must be text of at most 80 characters without control characters."""


class Made(Document):
    reused: bool = ALWAYS
    """Whether it was found, and not made anew."""
    cost: float | None = None
    """USD; 0 if reused, null if its price is unknown."""
    started_ms: int | None = None
    finished_ms: int | None = None
    took: float | None = None
    """Duration in seconds, once it is finished."""


class ModelList(Document):
    object: str = ALWAYS
    data: list[Model] = []


class Model(Document):
    id: str
    """Send it as `model`."""
    object: str = ALWAYS
    created: int = ALWAYS
    """Always 0: engines have no date."""
    owned_by: str = ALWAYS
    summary: str = ALWAYS
    draft: bool = ALWAYS
    """Whether it draws drafts."""
    size: str = ALWAYS
    """The size that it renders unless you ask for another."""
    sizes: str = ALWAYS
    """All sizes that it renders."""
    fps: list[int] = []
    """The rates that it renders, the usual one first."""
    film_sizes: str = ALWAYS
    """The sizes that a film may have with it."""
    film_fps: str = ALWAYS
    """The rates that a film may have with it."""
    longest_clip: int = ALWAYS
    """Seconds."""
    longest_film: int = ALWAYS
    """Seconds."""
    most_clips: int = ALWAYS
    """Of a film."""
    image: Literal["none", "optional", "required"] | str = ALWAYS
    """Whether it starts from an image."""
    last_image: Literal["none", "optional", "required"] | str = ALWAYS
    """Whether it takes an image to end on."""
    video: Literal["none", "optional"] | str = ALWAYS
    """Whether it renders from a video, for an edit that keeps its motion."""
    audio: Literal["none", "required"] | str = ALWAYS
    """Whether it renders from speech."""
    sound: bool = ALWAYS
    """Whether its clips may have sound of their own."""
    refuses: list[str] = []
    """Fields of a create that it refuses."""
    speeds: list[str] = []
    """The values of `speed` that it takes."""
    loras: bool = ALWAYS
    """Whether it takes LoRA adapters."""
    steps: int | None = None
    """Denoising steps, unless you ask for others; null if it has none."""
    least_steps: int = ALWAYS
    """The fewest that you may ask for."""
    prompt_tokens: int = ALWAYS
    """The length of the prompt that it reads."""
    seconds_per_clip: float | None = None
    """Of its longest clip, at speed `exact` and with these steps; null if unknown here."""
    cost_per_clip: float | None = None
    """USD of that clip; null if unknown. On a PC 0."""
    cost_per_second: float | None = None
    """USD of a second of film in clips of that length; null if unknown."""


class MusicOf(Document):
    mood: Mood | None = None
    """Null for music of yours."""
    seconds: float | None = None
    """The file's length; null for music of a mood."""
    level: float = ALWAYS
    """In dB against speech."""
    start: float = ALWAYS
    """The second of the file at which it begins."""
    fade_in: float = ALWAYS
    """Seconds."""
    fade_out: float = ALWAYS
    """Seconds."""


class Narration(Document):
    """The narration of a scene. Its own voice, speed or language overrides the film's. `speaker`: the
    character that says it, in its voice unless there is an own one. `recording`: the user's own sound
    instead of a voice's. Where it is sent, `text` may be omitted; captions show a text, whose words are
    found in the recording."""

    text: str | None = None
    """Must be text of 1 to 3,000 characters without control characters."""
    voice: str | None = None
    language: str | None = None
    speed: float | None = None
    speaker: str | None = None
    recording: Recording | None = None
    """Must be an object with a file_id of an upload, an audio_url "data:audio/mpeg;base64,…", or, as in a
    storyboard that was read, a sha256, kind and seconds."""


class OpenFilm(Document):
    id: str
    tenant: str = ALWAYS
    model: str = ALWAYS
    """The engine that renders it."""
    stage: Stage = ALWAYS
    since: int = ALWAYS
    """When it entered the stage, in seconds since the epoch."""
    progressed_at: int = ALWAYS
    """When its record last changed or a part was finished."""
    waits_for: str | None = None
    clips_done: int = ALWAYS
    clips_total: int = ALWAYS
    """0 until it is planned."""
    runbook: str | None = None
    """A link, if it has made no progress for longer than is usual."""


class OpenFilms(Document):
    total: int = ALWAYS
    stages: dict[str, int] = ALWAYS
    """How many are at each stage."""
    has_more: bool = ALWAYS
    """Whether there are more than were counted: then the numbers are lower bounds."""
    oldest: list[OpenFilm] = []
    """At most 20, those first that entered their stage longest ago."""


class Operations(Document):
    object: str = ALWAYS
    at: int = ALWAYS
    """Seconds since the epoch."""
    open: OpenFilms = ALWAYS
    """Films that are being made. Those that wait for their user are not among them."""
    engines: list[EngineLoad] = []
    failures: RecentFailures = ALWAYS
    """Films that failed within a day and were not tried again."""
    spend: Spend | None = None
    spend_reason: str | None = None
    """Why it is unknown."""
    runbook: str = ALWAYS
    """The runbooks' first page."""


class OriginOf(Document):
    video: str | None = None
    """The source's id; null if it is a file."""
    kind: OriginKind = ALWAYS
    strength: float | None = None


class OwnClip(Document):
    """A clip of the user's own that a scene shows. `seconds`: its length; `sound`: it has some. Where it
    is sent, it may be a `file_id` or a `video_url` instead."""

    sha256: str | None = None
    """Must be 64 hexadecimal digits."""
    seconds: float | None = None
    """Must be a number of seconds above 0, at most 3,600."""
    sound: bool | None = None
    """Must be true or false."""
    file_id: str | None = None
    """The id of an upload; only sent."""
    video_url: str | None = None
    """A data URL; only sent."""


class Phonemes(Document):
    """A word's sounds in the International Phonetic Alphabet."""

    ipa: str = ALWAYS


class PlannedClip(Document):
    object: str = ALWAYS
    index: int = ALWAYS
    """In the film, from 0."""
    scene: int = ALWAYS
    """The index of its scene, from 0; a film of one prompt has one scene."""
    seconds: float = ALWAYS
    """Its length up to where the next clip begins."""
    seed: int = ALWAYS


class PromptEnhancement(Document):
    object: str = ALWAYS
    model: str = ALWAYS
    """The engine that it is written for."""
    given: str = ALWAYS
    """The prompt as you sent it."""
    prompt: str = ALWAYS
    """The enhanced prompt; the one you sent if the model's answer is unusable."""
    by: str | None = None
    """The model that wrote it."""
    note: str | None = None
    """Why the original was kept, or what was changed in the answer."""
    cost: float | None = None
    """USD."""
    tokens: int = ALWAYS
    """The prompt's length, estimated."""
    prompt_tokens: int = ALWAYS
    """The longest prompt that the engine reads."""


class Prompts(Document):
    """What a picture or clip must and must not show. `seed` None: `seed_of` derives one; a different seed
    gives a different picture for the same text."""

    positive_prompt: str = ALWAYS
    """Must be text of 1 to 2,000 characters without control characters."""
    negative_prompt: str | None = None
    """Must be text of at most 2,000 characters without control characters."""
    seed: int | None = None


class QuotaState(Document):
    quota: str = ALWAYS
    limit: float = ALWAYS
    remaining: float = ALWAYS
    resets_at: int | None = None
    """Seconds since the epoch; null: when films end."""


class RecentFailures(Document):
    since: int = ALWAYS
    """Seconds since the epoch."""
    total: int = ALWAYS
    has_more: bool = ALWAYS
    """Whether there are more than were counted: then only the latest are."""
    kinds: list[FailureKind] = []
    """The most frequent first."""
    latest: list[FailedFilm] = []
    """At most 20, the latest first."""


class Recording(Document):
    """A recording of the user's own that a scene plays as its narration. `seconds`: its length. Where it
    is sent, it may be a `file_id` or an `audio_url` instead."""

    sha256: str | None = None
    """Must be 64 hexadecimal digits."""
    kind: Literal["wav", "mp3", "ogg", "flac", "mp4"] | str | None = None
    """Must be its file format."""
    seconds: float | None = None
    """Must be a number of seconds above 0, at most 3,600."""
    file_id: str | None = None
    """The id of an upload; only sent."""
    audio_url: str | None = None
    """A data URL; only sent."""


class ReviewState(Document):
    requested: list[Literal["storyboard", "previews"] | str] = []
    gate: Gate | None = None
    """The gate at which the film waits for you. `film`: it is finished and not delivered, because checks
    warn and `on_warning` is `review`; download it and its quality report."""
    until: int | None = None
    """When the film fails for want of an approval, in seconds since the epoch."""
    approved: list[Gate] = []


class Scene(Document):
    """One scene. `seconds`: its length; None: as long as its narration, else its share of the film.
    `continues`: it continues the previous scene with a cut, starting from that scene's last picture.
    `meets_next`: it ends on the next scene's first picture. `first_frame`, `last_frame`: the pictures
    that it starts from and ends on, instead of its still and of the film's. `focal_point`: what a crop to
    another shape keeps in view, instead of the film's. No engine renders a scene that shows the user's
    own `clip` or `picture`, or a card with a `title`; where it is sent, `image` and `video` may be
    omitted. `clip_start`: the second of the clip at which the scene begins; `zoom`: how the picture
    moves. `lower_third` is laid over any scene."""

    narration: Narration | None = None
    image: Prompts | None = None
    video: Prompts | None = None
    seconds: float | None = None
    continues: bool | None = None
    """Must be true or false."""
    meets_next: bool | None = None
    """Must be true or false."""
    first_frame: Frame | None = None
    """Must be an object with a file_id of an upload, an image_url "data:image/png;base64,…", or, as in a
    storyboard that was read, a sha256 and a media_type."""
    last_frame: Frame | None = None
    """Must be an object with a file_id of an upload, an image_url "data:image/png;base64,…", or, as in a
    storyboard that was read, a sha256 and a media_type."""
    focal_point: str | None = None
    clip: OwnClip | None = None
    """Must be an object with a file_id of an upload, a video_url "data:video/mp4;base64,…", or, as in a
    storyboard that was read, a sha256, seconds and sound."""
    clip_start: float | None = None
    picture: Frame | None = None
    """Must be an object with a file_id of an upload, an image_url "data:image/png;base64,…", or, as in a
    storyboard that was read, a sha256 and a media_type."""
    zoom: Zoom | None = None
    """Must be one of in, out."""
    title: Title | None = None
    lower_third: LowerThird | None = None


class ScenePart(Document):
    reused: bool = ALWAYS
    """Whether it was found, and not made anew."""
    cost: float | None = None
    """USD; 0 if reused, null if its price is unknown."""
    started_ms: int | None = None
    finished_ms: int | None = None
    took: float | None = None
    """Duration in seconds, once it is finished."""
    scene: int = ALWAYS
    """The scene's index, from 0."""
    state: ClipState = ALWAYS
    by: str | None = None
    """The voice or the image model."""


class SecondTriesOf(Document):
    clips: list[int] = []
    """The indexes of the clips that were rendered once more, because they, or a clip that they start
    from, warn."""
    kept: list[int] | None = []
    """Those whose second try is in the film, because it has fewer warnings; null until that is
    decided."""
    cost: float | None = None
    """USD of their first tries, part of the video's `cost`; null if unknown."""
    note: str | None = None
    """Why other clips that warn were not rendered again, if there are some."""


class ShapeOf(Document):
    aspect: Aspect = ALWAYS
    fit: Framing = ALWAYS
    size: str = ALWAYS
    """Its width x height in pixels."""
    cropped: float = ALWAYS
    """The share of the film's picture that it doesn't show, 0 to 1."""
    variant: str = ALWAYS
    """Its name among the files of the film; with `_thumbnail`, its poster's."""
    url: str | None = None
    """A link to it, valid for an hour; null until there is one."""
    thumbnail_url: str | None = None
    """A link to its poster, as long."""


class Spend(Document):
    """What the films cost that ended on these days, in UTC, by list prices."""

    today: list[EngineSpend] = []
    week: list[EngineSpend] = []
    """Today and the six days before."""
    week_from: str = ALWAYS
    """The week's first day."""
    runbook: str = ALWAYS


class StageEntered(Document):
    stage: Stage = ALWAYS
    at_ms: int = ALWAYS


class Storyboard(Document):
    """The storyboard of a film. `style`: the looks and characters that every scene shares. `lexicon`: how
    words of the narration are pronounced."""

    title: str = ALWAYS
    """Must be text of 1 to 200 characters without control characters."""
    style: str | None = None
    """Must be text of at most 2,000 characters without control characters."""
    scenes: list[Scene] = []
    """Must be a list of 1 to 50 scenes."""
    lexicon: dict[str, str | Phonemes] | None = None
    """Must be an object of at most 500 words, each with what is said instead (text of at most 200
    characters) or {"ipa": "…"} (at most 200)."""


class StoryboardState(Document):
    by: str | None = None
    """The model that wrote it; null if you gave all of it."""
    note: str | None = None
    """What was changed in the model's answer."""
    cost: float | None = None
    sha256: str | None = None
    filmed: bool = ALWAYS
    """Whether the film was made from it."""


class TenantClips(Document):
    tenant: str = ALWAYS
    clips: int = ALWAYS


class Title(Document):
    """The words of a title card."""

    text: str = ALWAYS
    """Must be text of 1 to 200 characters without control characters."""
    subtitle: str | None = None
    """Must be text of at most 200 characters without control characters."""


class Upload(Document):
    id: str
    """Send it as `file_id`."""
    object: str = ALWAYS
    bytes: int | None = None
    """Its size, once it has arrived; before, what you said."""
    created_at: int = ALWAYS
    expires_at: int = ALWAYS
    """When the form ends, in seconds since the epoch. The file is kept for a week."""
    filename: str | None = None
    purpose: None = ALWAYS
    status: Literal["pending", "completed", "expired"] | str = ALWAYS
    mime_type: str = ALWAYS
    kind: str = ALWAYS
    max_bytes: int = ALWAYS
    url: str | None = None
    """Where to POST the form; only in the answer that opens the upload."""
    fields: dict[str, str] | None = None
    """The form's fields, which come before the `file`."""


class UsageAnswer(Document):
    object: str = ALWAYS
    tenant: str = ALWAYS
    first_day: str = ALWAYS
    last_day: str = ALWAYS
    group_by: list[str] = []
    data: list[UsageRow] = []
    first_id: str | None = None
    last_id: str | None = None
    """Send it as `after` for the next page."""
    has_more: bool = ALWAYS
    total: UsageSums = ALWAYS
    """Of all rows, also those on other pages."""
    quotas: list[QuotaState] = []
    """What is left of each quota that the tenant has."""


class UsageRow(Document):
    films: int = ALWAYS
    """Films that ended."""
    failed: int = ALWAYS
    """Those of them that failed."""
    clips: int = ALWAYS
    """Clips that were made."""
    seconds: float = ALWAYS
    """Of film."""
    cost: float = ALWAYS
    """USD."""
    unknown: int = ALWAYS
    """Films whose cost is not in it, because a price is unknown."""
    id: str
    object: str = ALWAYS
    tenant: str | None = None
    day: str | None = None
    """In UTC, for example 2026-11-30."""
    engine: str | None = None


class UsageSums(Document):
    films: int = ALWAYS
    """Films that ended."""
    failed: int = ALWAYS
    """Those of them that failed."""
    clips: int = ALWAYS
    """Clips that were made."""
    seconds: float = ALWAYS
    """Of film."""
    cost: float = ALWAYS
    """USD."""
    unknown: int = ALWAYS
    """Films whose cost is not in it, because a price is unknown."""


class VideoError(Document):
    code: str = ALWAYS
    """`cancelled`, or the code in `failure`."""
    message: str = ALWAYS
    """The reason, and what to do."""


class VideoEstimate(Document):
    """What a film would take that was not created."""

    object: str = ALWAYS
    model: str = ALWAYS
    """The engine that would render it."""
    clips: int = ALWAYS
    """How many it would render."""
    seconds: str = ALWAYS
    """The film's length; an estimate for scenes as long as their narration."""
    size: str = ALWAYS
    """The film's width x height in pixels."""
    fps: int = ALWAYS
    rendered_size: str = ALWAYS
    """The size that the engine renders."""
    rendered_fps: int = ALWAYS
    cost: float | None = None
    """USD, by list prices; null if a part has no known cost. On a PC 0."""
    highest_cost: float | None = None
    """USD if every clip warns that may be rendered once more (`on_warning=retry_once`); else `cost`."""
    costs: CostParts = ALWAYS
    max_cost: float | None = None
    """USD; the request's."""
    expected_seconds: int | None = None
    """Until it is made, if nothing else is; null if unknown."""
    expected_seconds_reason: str | None = None
    """Why it is unknown."""
    notes: list[str] = []
    """As the video would have them."""
    refusals: list[ErrorDetail] = []
    """What would refuse it: `max_cost`, or a quota. An invalid request is refused as without
    `dry_run`."""


class VideoList(Document):
    object: str = ALWAYS
    data: list[Video] = []
    first_id: str | None = None
    last_id: str | None = None
    """Send it as `after` for the next page."""
    has_more: bool = ALWAYS


class Video(Document):
    id: str
    object: str = ALWAYS
    created_at: int = ALWAYS
    """Seconds since the epoch."""
    completed_at: int | None = None
    expires_at: int = ALWAYS
    """When the video and its film are deleted."""
    model: str = ALWAYS
    """The engine that renders it."""
    status: Literal["queued", "in_progress", "completed", "failed"] | str = ALWAYS
    """A cancelled video has the status `failed` and the error code `cancelled`."""
    progress: int = ALWAYS
    """0 to 100."""
    prompt: str = ALWAYS
    """The prompt or topic; of a remix, edit or extension, what that request asked for."""
    remixed_from_video_id: str | None = None
    """The video that a remix, edit or extension was made from."""
    seconds: str = ALWAYS
    """The film's length. Until it is planned, an estimate for scenes as long as their narration."""
    size: str = ALWAYS
    """The film's width x height in pixels."""
    error: VideoError | None = None
    url: str | None = None
    """A link to the finished film, valid for an hour; null until there is one."""
    thumbnail_url: str | None = None
    """A link to its poster, as long."""
    stage: Stage = ALWAYS
    """What is being done, in more detail than `status`."""
    waits_for: str | None = None
    """`text_model` while the text model writes."""
    queue_position: int | None = None
    """While none of its clips is rendered: how many of other films' clips go to the engine before. Only
    when you retrieve it."""
    expected_seconds: int | None = None
    """With a `queue_position`: until its clips are rendered, if nobody else comes; null if unknown."""
    attempt: int = ALWAYS
    """From 1. A retry, an approval after the end, and a lost execution start another."""
    review: ReviewState = ALWAYS
    cost: float | None = None
    """USD of what the last attempt made; null if nothing was made yet, or a part has no known price."""
    max_cost: float | None = None
    """USD that all its attempts may cost: the request's, or that of the last retry or approval."""
    origin: OriginOf | None = None
    """What it was made from: see remix, edit and extend."""
    signed_by: str | None = None
    """The name in the certificate of the film's content credentials; null if it is not signed."""
    quality_warnings: int | None = None
    """How many checks of the quality report warn, of the film that waits for your review or else of the
    latest one; null if there is none."""
    on_warning: OnWarning = ALWAYS
    second_tries: SecondTriesOf | None = None
    """With `on_warning=retry_once`: what was rendered again, once the clips were checked."""
    vision_check: VisionCheckOf | None = None
    """What a vision model was asked, once it was: its opinions are in the quality report."""
    draft: bool = ALWAYS
    """Whether its engine draws drafts."""
    draft_for: str | None = None
    """The engine whose crop or bars the draft shows."""
    fps: int = ALWAYS
    """The film's frames per second."""
    rendered_size: str = ALWAYS
    """The size that the engine renders."""
    rendered_fps: int = ALWAYS
    """The rate that the engine renders."""
    fit: Framing = ALWAYS
    fps_mode: FpsMode = ALWAYS
    cropped: float = ALWAYS
    """The share of the rendered picture's area that the film doesn't show, 0 to 1."""
    notes: list[str] = []
    """What you should know about how it is made, for example that an engine's picture is cut."""
    seed: int = ALWAYS
    speed: str | None = None
    loras: list[Lora] = []
    enhance: EnhanceState = ALWAYS
    """What became of the prompt."""
    assembly: AssemblyState = ALWAYS
    characters: list[CharacterUsed] = []
    """The characters in it, and in which scenes."""
    captions: bool = ALWAYS
    burn_captions: bool = ALWAYS
    caption_style: CaptionStyle = ALWAYS
    """As asked for; `notes` says so where the captions are plain because the voice has no times of
    words."""
    caption_look: CaptionLookOf = ALWAYS
    """How captions are drawn."""
    shapes: list[ShapeOf] = []
    """The film's further shapes."""
    focal_point: str | None = None
    """What a crop to one of them keeps in view; null: the middle."""
    shaping: str | None = None
    """The further shape that is being made."""
    music: MusicOf | None = None
    storyboard: StoryboardState | None = None
    """Set once it is written."""
    narrations: list[ScenePart] = []
    stills: list[ScenePart] = []
    clips: list[ClipPart] = []
    webhook: WebhookOf | None = None
    """The request's `webhook_url`, and the events that are sent there."""
    failure: Failure | None = None
    """Which step of which scene, clip or shape failed, why, and what to do."""
    stages: list[StageEntered] = []
    """Every stage it has entered, in all attempts, in milliseconds since the epoch."""


class VisionCheckOf(Document):
    clips: int = ALWAYS
    """Of how many clips the model was asked, in this attempt or before."""
    cost: float | None = None
    """USD in this attempt, part of the video's `cost`; null if unknown."""
    note: str | None = None
    """Why it was not asked about the others, if there are some."""


class VoiceList(Document):
    object: str = ALWAYS
    data: list[Voice] = []


class Voice(Document):
    id: str
    """Send it as `voice`."""
    object: str = ALWAYS
    language: str = ALWAYS
    language_name: str = ALWAYS
    other_languages: list[str] = []
    """Those of a bilingual voice."""
    gender: str | None = None
    engines: list[str] = []
    """The values of `voice_engine` that it takes."""
    default: bool = ALWAYS
    """Whether films that name no voice have it."""
    cost_per_million_characters: dict[str, float | None] = ALWAYS
    """USD, by engine; null if the price is unknown."""


class WebhookDelivery(Document):
    id: str
    object: str = ALWAYS
    created_at: int = ALWAYS
    event: DeliveredEvent = ALWAYS
    state: DeliveryState = ALWAYS
    reason: str | None = None
    """Why it is given up or cancelled."""
    attempts: list[DeliveryAttempt] = []
    """The latest, the oldest of them first."""
    next_attempt_at: int | None = None


class WebhookDeliveryList(Document):
    object: str = ALWAYS
    data: list[WebhookDelivery] = []
    first_id: str | None = None
    last_id: str | None = None
    """Send it as `after` for the next page."""
    has_more: bool = ALWAYS


class WebhookEndpoint(Document):
    id: str
    object: str = ALWAYS
    created_at: int = ALWAYS
    """Seconds since the epoch."""
    updated_at: int = ALWAYS
    name: str = ALWAYS
    url: str = ALWAYS
    event_types: list[EventType] = []
    """The events that are sent to it."""
    signing_secret_hint: str = ALWAYS
    """The end of the secret."""
    enabled: bool = ALWAYS
    """False after you disabled it, or after its receiver answered 410."""
    signing_secret: str | None = None
    """The secret, shown once: when it is made."""


class WebhookEndpointDeletion(Document):
    id: str
    object: str = ALWAYS
    deleted: bool = ALWAYS


class WebhookEndpointList(Document):
    object: str = ALWAYS
    data: list[WebhookEndpoint] = []
    first_id: str | None = None
    last_id: str | None = None
    """Send it as `after` for the next page."""
    has_more: bool = ALWAYS


class WebhookOf(Document):
    url: str = ALWAYS
    event_types: list[EventType] = []


class WebhookTest(Document):
    object: str = ALWAYS
    webhook_endpoint_id: str = ALWAYS
    event_type: EventType = ALWAYS
    status_code: int = ALWAYS
    """What the receiver answered."""
    success: bool = ALWAYS


class CreateFields(TypedDict, total=False):
    topic: str | None
    """What the text model writes a storyboard about: a film of several scenes. Must be text of 1 to 2,000
    characters without control characters."""
    storyboard: Mapping[str, Any] | None
    """The film's scenes: complete, or with `topic` the parts that should not be written. At most 150,000
    bytes. Must be an object, or its JSON text in a form."""
    tone: str | None
    """With `topic` or `storyboard`: how the story is told. Must be text of at most 2,000 characters
    without control characters."""
    scenes: int | None
    """With `topic` or `storyboard`: how many. By default as many as the storyboard has, otherwise one per
    8 of the `seconds`, otherwise 4. Must be a whole number from 1 to 50."""
    narrate: bool | None
    """With `topic` or `storyboard`: write narration for every scene that has none. Narration that you
    give is spoken in either case. Must be true or false."""
    language: str | None
    """With `topic` or `storyboard`: the narration's language. Must be a language code, for example en-US
    or de."""
    captions: bool | None
    """With `topic` or `storyboard`: captions of the narration, as a track of the film and as files. Must
    be true or false."""
    burn_captions: bool | None
    """With `topic` or `storyboard`: captions drawn into the pictures, with or without `captions`, in
    every script of which a font comes with Reelworks or is installed. Letters that no font has are
    refused by name. Must be true or false."""
    caption_style: CaptionStyle | None
    """With `captions` or `burn_captions`: `karaoke` lights each word while it is spoken, `pop` shows a
    few large words at a time in the middle of the picture. Both need a voice that says when it speaks
    each word; with one that doesn't, captions are plain and `notes` says so. Drawn by `burn_captions`;
    with `captions`, the WebVTT file has the words' times. Must be one of plain, karaoke, pop."""
    caption_position: CaptionPosition | None
    """Where captions are. By default at the bottom, in style `pop` in the middle. Must be one of bottom,
    middle, top."""
    caption_size: float | None
    """How large the letters of captions are: times their usual size. Must be a number from 0.5 to 2."""
    caption_colour: str | None
    """The colour of captions' letters. In style `karaoke`, the word that is spoken is yellow (#FFDD00).
    Must be a colour as #RRGGBB, for example #FFDD00."""
    caption_outline: str | None
    """The colour of the letters' outline; `box` is a black outline on a half-transparent black box. By
    default `box`, in style `pop` #000000. Must be box or a colour as #RRGGBB, for example #FFDD00."""
    caption_outline_width: float | None
    """How wide the outline is; 0 for none. Must be a number from 0 to 0.25, a fraction of the letters'
    size."""
    caption_font: str | None
    """The font of captions, which must come with Reelworks or be installed, and have all their letters.
    By default each letter is in the first font that has it: Inter, Noto's of its script, or one that is
    installed. Must be the name of a font, for example Noto Sans, without control characters."""
    voice: str | None
    """With `topic` or `storyboard`: who narrates. By default the deployment's voice. Must be the name of
    a voice, for example Joanna, without control characters."""
    voice_engine: Literal["standard", "neural", "long-form", "generative"] | str | None
    """With `topic` or `storyboard`: the speech service's engine. By default the deployment's. Must be one
    of standard, neural, long-form, generative."""
    speech_speed: float | None
    """With `topic` or `storyboard`: how fast the voice speaks. Must be a number from 0.5 to 2."""
    sample_rate: int | None
    """With `topic` or `storyboard`: the narration's samples per second. Must be one of 8000, 16000,
    22050, 24000."""
    lexicon: dict[str, str | Mapping[str, Any]] | None
    """With `topic` or `storyboard`: how words are pronounced, for example `{"GIF": "jif", "Nguyen":
    {"ipa": "ŋwiən"}}`. Captions keep the word. One in small letters counts in any case, any other one
    only as it is written. A voice that can't speak phonemes refuses `ipa`. Must be an object of at most
    500 words, each with what is said instead (text of at most 200 characters) or {"ipa": "…"} (at most
    200); in a form, its JSON text."""
    stills: str | Literal["standard", "premium"] | str | None
    """With `topic` or `storyboard`: each scene's first picture, drawn by an image model; not with engines
    that take no image. By default `standard` if the engine needs an image, otherwise `none`. The first
    scene uses `input_reference`, if you send it. Must be one of none, standard, premium."""
    review: Sequence[Literal["storyboard", "previews"] | str] | None
    """With `topic` or `storyboard`: where the film waits for you. Must be a list of storyboard, previews,
    each at most once; in a form, its JSON text or the names separated by commas."""
    text_model: str | None
    """With `topic` or `storyboard`: another text model than the deployment's, if it allows that. Must be
    the name of a text model, 1 to 200 characters without control characters."""
    temperature: float | None
    """With `topic` or `storyboard`, of the text model. Must be a number from 0 to 1."""
    top_p: float | None
    """With `topic` or `storyboard`, of the text model. Must be a number from 0 to 1."""
    max_tokens: int | None
    """With `topic` or `storyboard`: the longest answer of the text model. Must be a whole number of
    tokens above 0."""
    context_size: int | None
    """With `topic` or `storyboard`: the context of a model on a PC. Must be a whole number of tokens, at
    least 512."""
    model: str | None
    """The engine that renders the clips. By default the deployment's. Must be the name of an available
    engine (see GET /v1/models)."""
    seconds: int | None
    """The film's length, with at most 1,000 of the engine's clips. By default 4; for a film of scenes, as
    long as they take. Must be a whole number of seconds from 1 to 3,600."""
    num_frames: int | None
    """The film's exact length in frames, with `prompt` only, instead of `seconds` or with about as many.
    The video's `seconds` are rounded. Must be a whole number of frames, at most 3,600 seconds of them."""
    size: str | None
    """The film's size: even, 256 to 2048 pixels a side, at most 2,200,000 pixels, or one that the engine
    renders. By default the engine's. Must be width x height in pixels, for example 1280x720."""
    aspect: str | None
    """Instead of `size`: the size of that shape, from 1:8 to 8:1, nearest to the engine's usual pixels.
    Must be width:height, for example 9:16."""
    fit: Framing | None
    """How the engine's picture becomes the film's if its shape is another: cropped, with black bars, or
    with blurred ones. Must be one of cover, contain, blur."""
    shapes: Sequence[Literal["16:9", "9:16", "1:1", "4:5", "21:9"] | str | dict[str, Any]] | None
    """Further shapes in which the film is delivered, from the same clips: cropped (`cover`), with black
    bars or over a blurred copy, with captions set anew in each. Must be a list of 16:9, 9:16, 1:1, 4:5,
    21:9, each at most once, or of objects {"aspect": …, "fit": cover or contain or blur}; in a form, its
    JSON text or the aspects separated by commas."""
    focal_point: str | None
    """With `shapes`: what a crop keeps in view, in scenes that say nothing else. By default the middle.
    Must be left, right, top, bottom, center, a corner such as top-left, or x,y from 0,0 (top left) to
    1,1, for example 0.3,0.5."""
    fps: int | None
    """The film's frame rate. By default the engine's. Must be a whole number of frames per second from 8
    to 60."""
    fps_mode: FpsMode | None
    """How frames of the engine's rate become the film's: shown again, or mixed. Must be one of repeat,
    blend."""
    draft_for: str | None
    """With an engine that draws drafts: the engine whose crop or bars the draft shows. Must be the name
    of the engine that the draft stands in for (see GET /v1/models)."""
    enhance: bool | None
    """With `prompt`: have a text model write it out for the engine. Must be true or false."""
    negative_prompt: str | None
    """What the pictures must not show, within the engine's token budget. Must be text of at most 2,000
    characters without control characters."""
    seed: int | None
    """The same request and seed give the same film. By default one per video. Must be a whole number from
    0 to 9223372036854775807."""
    steps: int | None
    """By default the engine's. Must be a whole number of denoising steps from 1 to 200."""
    guidance: float | None
    """How closely the pictures follow the prompt. By default the engine's. Must be a number from 1 to
    20."""
    speed: Speed | None
    """How much computation the engine may skip; only `exact` skips none. For engines on endpoints. Must
    be one of exact, balanced, fast, turbo."""
    loras: Sequence[Mapping[str, Any]] | None
    """Adapters in the engine's model folder. Must be a list of at most 4 objects {"name": …, "scale": -2
    to 2}, each name once; in a form, its JSON text."""
    characters: Sequence[Mapping[str, Any]] | None
    """Characters that the whole film is about. `@name` in a text names one, too. Must be a list of at
    most 10 objects {"id": …} of your characters; in a form, its JSON text."""
    transition: TransitionKind | None
    """Between scenes, and between clips that don't continue one another; `fade` goes through black. Must
    be one of none, crossfade, fade, wipe."""
    transition_seconds: float | None
    """Rounded to frames; at most a third of the engine's longest clip. Must be a number of seconds from
    0.1 to 1."""
    music_mood: Mood | None
    """Instead of `music`: simple music of that mood, made for the film by its seed and free to use. Must
    be one of calm, dreamy, uplifting, playful, tense, sad, epic, driving."""
    music_level: float | None
    """With music: how loud it is against speech. While someone speaks, it is about 10 dB lower. Must be a
    number of dB from -40 to 0."""
    music_start: float | None
    """With music: where in it it begins, each time that it is played. Must be a number of seconds from 0,
    at least a second before the end of `music`."""
    music_fade_in: float | None
    """With music: how long it takes to get loud at the film's start. Must be a number of seconds from 0
    to 30."""
    music_fade_out: float | None
    """With music: how long it takes to get silent at the film's end. Must be a number of seconds from 0
    to 30."""
    cut_on_beats: bool | None
    """With music: let cuts between scenes fall on its beats, as far as narration and clips allow. A scene
    may become up to half a beat shorter or longer; one that lasts as long as its narration, up to a beat
    longer. Must be true or false."""
    even_out: bool | None
    """Even out steps of brightness and colour where a clip continues the one before. Must be true or
    false."""
    brand: Mapping[str, Any] | None
    """What your films have in common: the colours and the font of title cards and lower thirds, a logo
    over every frame, an intro and an outro. Must be an object with colours, font or font_file, logo,
    intro and outro; in a form, as JSON."""
    clip_sound: ClipSound | None
    """What becomes of sound that the engine gives its clips, or an uploaded video has: as loud as speech,
    lowered while someone speaks, or not heard. Must be one of keep, duck, drop."""
    stems: bool | None
    """Deliver the sound apart, too: narration, music and clips, and their mix, as WAV files of the film's
    length. Must be true or false."""
    narration_fit: NarrationFit | None
    """What happens if a scene's narration is longer than the scene's `seconds`: the scene is extended,
    the voice speaks up to 1.15 times faster and the scene is extended by what is still missing, or the
    film fails before its clips are rendered. Must be one of extend, faster, refuse."""
    fragmented: bool | None
    """Deliver the film as a fragmented MP4. Must be true or false."""
    on_warning: OnWarning | None
    """What happens if the quality report warns: the film is delivered as it is; the clips that warn are
    rendered once more, and the better try is in the film; or the film waits for your review before it is
    delivered. Must be one of keep, retry_once, review."""
    vision_check: bool | None
    """Ask a model that sees pictures whether each clip shows what its prompt asks for. The quality report
    has its opinion, and `on_warning` counts it. Must be true or false."""
    max_cost: float | None
    """The film fails before it costs more, with what it has made kept for a retry. Estimated from list
    prices; on a PC everything costs 0. Must be a number of USD above 0, at most 1,000,000."""
    webhook_url: str | None
    """Where the video's events are sent. Must be an https:// URL of at most 2,048 characters."""
    webhook_event_types: Sequence[EventType] | None
    """The events to send there. Must be a list of video.completed, video.failed, video.review,
    clip.completed, each at most once; in a form, its JSON text or the names separated by commas."""


class RegenerateFields(TypedDict, total=False):
    note: str | None
    voice: str | None
    speed: float | None
    seed: int | None
