"""The JSON documents that the API answers, in OpenAI's wire format with Reelworks' fields added.

The code that builds an answer is typed with them, so that it and the API's document can't differ. A docstring
under a field explains it in the document. Source: openai-python 3.57 (types/video.py, types/model.py), which
keeps extra fields in `model_extra`.
"""

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

from lambdas.domain.assembly import ClipSound, TransitionKind
from lambdas.domain.film_format import FpsMode, Framing
from lambdas.domain.moods import Mood
from lambdas.domain.scopes import Scope
from lambdas.domain.shapes import Aspect
from lambdas.domain.stages import Stage
from lambdas.domain.video_parts import ClipState, Failure, JoinStep
from lambdas.domain.video_request import (
    CaptionPosition,
    CaptionStyle,
    Gate,
    Lora,
    OnWarning,
    OriginKind,
    ScenesGate,
)
from lambdas.domain.webhooks import DeliveryState, EventType

# --- errors


class ErrorDetail(TypedDict):
    message: str
    """What is wrong and what is allowed, for people."""
    type: Literal["invalid_request_error", "rate_limit_error", "server_error"]
    param: str | None
    """The field, query parameter or header at fault."""
    code: str | None
    """What is wrong, for programs."""


class ErrorAnswer(TypedDict):
    error: ErrorDetail


# --- a video


class VideoError(TypedDict):
    code: str
    """`cancelled`, or the code in `failure`."""
    message: str
    """The reason, and what to do."""


class ReviewState(TypedDict):
    requested: list[ScenesGate]
    gate: Gate | None
    """The gate at which the film waits for you. `film`: it is finished and not delivered, because checks warn
    and `on_warning` is `review`; download it and its quality report."""
    until: int | None
    """When the film fails for want of an approval, in seconds since the epoch."""
    approved: list[Gate]


class OriginOf(TypedDict):
    video: str | None
    """The source's id; null if it is a file."""
    kind: OriginKind
    strength: float | None


class EnhanceState(TypedDict):
    requested: bool
    prompt: str | None
    """The prompt as enhanced."""
    by: str | None
    """The model that wrote it."""
    note: str | None
    """Why the original was kept, if it was."""
    cost: float | None


class Made(TypedDict):
    reused: bool
    """Whether it was found, and not made anew."""
    cost: float | None
    """USD; 0 if reused, null if its price is unknown."""
    started_ms: int | None
    finished_ms: int | None
    took: float | None
    """Duration in seconds, once it is finished."""


class ClipPart(Made):
    state: ClipState
    seconds: float
    """Its length up to where the next clip begins."""


class ScenePart(Made):
    scene: int
    """The scene's index, from 0."""
    state: ClipState
    by: str | None
    """The voice or the image model."""


class AssemblyState(TypedDict):
    transition: TransitionKind
    transition_seconds: float
    cut_on_beats: bool
    """Whether cuts between scenes are to fall on the music's beats."""
    even_out: bool
    clip_sound: ClipSound
    """What becomes of the clips' own sound, if they have some."""
    stems: bool
    """Whether the sound is delivered apart, too."""
    fragmented: bool
    steps: list[JoinStep]
    """Visible steps in light where a clip continues the one before, in 8-bit levels."""
    made: Made | None


class MusicOf(TypedDict):
    mood: Mood | None
    """Null for music of yours."""
    seconds: float | None
    """The file's length; null for music of a mood."""
    level: float
    """In dB against speech."""
    start: float
    """The second of the file at which it begins."""
    fade_in: float
    """Seconds."""
    fade_out: float
    """Seconds."""


class CaptionLookOf(TypedDict):
    """As `caption_position` and the like of the request say. Without a position or outline, as the style
    has it."""

    position: CaptionPosition | None
    size: float
    colour: str
    outline: str | None
    outline_width: float
    font: str | None
    font_file: bool
    """Whether the request had a `caption_font_file`."""


class StoryboardState(TypedDict):
    by: str | None
    """The model that wrote it; null if you gave all of it."""
    note: str | None
    """What was changed in the model's answer."""
    cost: float | None
    sha256: str | None
    filmed: bool
    """Whether the film was made from it."""


class WebhookOf(TypedDict):
    url: str
    event_types: list[EventType]


class SecondTriesOf(TypedDict):
    clips: list[int]
    """The indexes of the clips that were rendered once more, because they, or a clip that they start from,
    warn."""
    kept: list[int] | None
    """Those whose second try is in the film, because it has fewer warnings; null until that is decided."""
    cost: float | None
    """USD of their first tries, part of the video's `cost`; null if unknown."""
    note: str | None
    """Why other clips that warn were not rendered again, if there are some."""


class VisionCheckOf(TypedDict):
    clips: int
    """Of how many clips the model was asked, in this attempt or before."""
    cost: float | None
    """USD in this attempt, part of the video's `cost`; null if unknown."""
    note: str | None
    """Why it was not asked about the others, if there are some."""


class CharacterUsed(TypedDict):
    id: str
    name: str
    description: str | None
    """What enters the prompts of its scenes."""
    by: str | None
    """The model that described its picture; null if you did."""
    note: str | None
    """Why there is no description, if there is none."""
    cost: float | None
    voice: str | None
    """What speaks where it is a scene's `speaker`."""
    scenes: list[int] | None
    """The indexes of its scenes, once the film is planned."""


class StageEntered(TypedDict):
    stage: Stage
    at_ms: int


class ShapeOf(TypedDict):
    aspect: Aspect
    fit: Framing
    size: str
    """Its width x height in pixels."""
    cropped: float
    """The share of the film's picture that it doesn't show, 0 to 1."""
    variant: str
    """Its name among the files of the film; with `_thumbnail`, its poster's."""
    url: str | None
    """A link to it, valid for an hour; null until there is one."""
    thumbnail_url: str | None
    """A link to its poster, as long."""


class VideoObject(TypedDict):
    id: str
    object: Literal["video"]
    created_at: int
    """Seconds since the epoch."""
    completed_at: int | None
    expires_at: int
    """When the video and its film are deleted."""
    model: str
    """The engine that renders it."""
    status: Literal["queued", "in_progress", "completed", "failed"]
    """A cancelled video has the status `failed` and the error code `cancelled`."""
    progress: int
    """0 to 100."""
    prompt: str
    """The prompt or topic; of a remix, edit or extension, what that request asked for."""
    remixed_from_video_id: str | None
    """The video that a remix, edit or extension was made from."""
    seconds: str
    """The film's length. Until it is planned, an estimate for scenes as long as their narration."""
    size: str
    """The film's width x height in pixels."""
    error: VideoError | None
    url: str | None
    """A link to the finished film, valid for an hour; null until there is one."""
    thumbnail_url: str | None
    """A link to its poster, as long."""
    stage: Stage
    """What is being done, in more detail than `status`."""
    waits_for: str | None
    """`text_model` while the text model writes."""
    queue_position: int | None
    """While none of its clips is rendered: how many of other films' clips go to the engine before. Only when
    you retrieve it."""
    expected_seconds: int | None
    """With a `queue_position`: until its clips are rendered, if nobody else comes; null if unknown."""
    attempt: int
    """From 1. A retry, an approval after the end, and a lost execution start another."""
    review: ReviewState
    cost: float | None
    """USD of what the last attempt made; null if nothing was made yet, or a part has no known price."""
    max_cost: float | None
    """USD that all its attempts may cost: the request's, or that of the last retry or approval."""
    origin: OriginOf | None
    """What it was made from: see remix, edit and extend."""
    signed_by: str | None
    """The name in the certificate of the film's content credentials; null if it is not signed."""
    quality_warnings: int | None
    """How many checks of the quality report warn, of the film that waits for your review or else of the
    latest one; null if there is none."""
    on_warning: OnWarning
    second_tries: SecondTriesOf | None
    """With `on_warning=retry_once`: what was rendered again, once the clips were checked."""
    vision_check: VisionCheckOf | None
    """What a vision model was asked, once it was: its opinions are in the quality report."""
    draft: bool
    """Whether its engine draws drafts."""
    draft_for: str | None
    """The engine whose crop or bars the draft shows."""
    fps: int
    """The film's frames per second."""
    rendered_size: str
    """The size that the engine renders."""
    rendered_fps: int
    """The rate that the engine renders."""
    fit: Framing
    fps_mode: FpsMode
    cropped: float
    """The share of the rendered picture's area that the film doesn't show, 0 to 1."""
    notes: list[str]
    """What you should know about how it is made, for example that an engine's picture is cut."""
    seed: int
    speed: str | None
    loras: list[Lora]
    enhance: EnhanceState
    """What became of the prompt."""
    assembly: AssemblyState
    characters: list[CharacterUsed]
    """The characters in it, and in which scenes."""
    captions: bool
    burn_captions: bool
    caption_style: CaptionStyle
    """As asked for; `notes` says so where the captions are plain because the voice has no times of words."""
    caption_look: CaptionLookOf
    """How captions are drawn."""
    shapes: list[ShapeOf]
    """The film's further shapes."""
    focal_point: str | None
    """What a crop to one of them keeps in view; null: the middle."""
    shaping: str | None
    """The further shape that is being made."""
    music: MusicOf | None
    storyboard: StoryboardState | None
    """Set once it is written."""
    narrations: list[ScenePart]
    stills: list[ScenePart]
    clips: list[ClipPart]
    webhook: WebhookOf | None
    """The request's `webhook_url`, and the events that are sent there."""
    failure: Failure | None
    """Which step of which scene, clip or shape failed, why, and what to do."""
    stages: list[StageEntered]
    """Every stage it has entered, in all attempts, in milliseconds since the epoch."""


class CostPart(TypedDict):
    usd: float | None
    """0 if the film has no such part; null if unknown."""
    reason: str | None
    """Why it is unknown."""


class CostParts(TypedDict):
    """What each part of a film costs, in USD."""

    writing: CostPart
    """The storyboard, or the enhanced prompt."""
    narration: CostPart
    stills: CostPart
    clips: CostPart
    vision: CostPart
    """A vision model's opinion of each clip, with `vision_check`."""
    assembly: CostPart


class VideoEstimate(TypedDict):
    """What a film would take that was not created."""

    object: Literal["video.estimate"]
    model: str
    """The engine that would render it."""
    clips: int
    """How many it would render."""
    seconds: str
    """The film's length; an estimate for scenes as long as their narration."""
    size: str
    """The film's width x height in pixels."""
    fps: int
    rendered_size: str
    """The size that the engine renders."""
    rendered_fps: int
    cost: float | None
    """USD, by list prices; null if a part has no known cost. On a PC 0."""
    highest_cost: float | None
    """USD if every clip warns that may be rendered once more (`on_warning=retry_once`); else `cost`."""
    costs: CostParts
    max_cost: float | None
    """USD; the request's."""
    expected_seconds: int | None
    """Until it is made, if nothing else is; null if unknown."""
    expected_seconds_reason: str | None
    """Why it is unknown."""
    notes: list[str]
    """As the video would have them."""
    refusals: list[ErrorDetail]
    """What would refuse it: `max_cost`, or a quota. An invalid request is refused as without `dry_run`."""


class VideoList(TypedDict):
    object: Literal["list"]
    data: list[VideoObject]
    first_id: str | None
    last_id: str | None
    """Send it as `after` for the next page."""
    has_more: bool


class FilmObject(TypedDict):
    object: Literal["video.film"]
    attempt: int
    """The attempt that made it: ask for its files with it."""
    completed_at: int
    """Seconds since the epoch."""
    seconds: float
    """Its length."""
    bytes: int
    cost: float | None
    """USD of what the attempt made; null if a part has no known price."""
    signed_by: str | None
    """The name in the certificate of its content credentials; null if it is not signed."""
    quality_warnings: int | None
    """How many checks of its quality report warn; null if there is none."""
    variants: list[str]
    """The files that it has."""
    new_scenes: list[int] | None
    """The indexes of its scenes, from 0, that the film before it did not have: their clips or narration are
    others. Null for the first film."""
    url: str
    """A link to it, valid for an hour."""
    thumbnail_url: str
    """A link to its poster, as long."""


class FilmList(TypedDict):
    object: Literal["list"]
    data: list[FilmObject]
    has_more: bool


class PlannedClip(TypedDict):
    object: Literal["video.clip"]
    index: int
    """In the film, from 0."""
    scene: int
    """The index of its scene, from 0; a film of one prompt has one scene."""
    seconds: float
    """Its length up to where the next clip begins."""
    seed: int


class ClipList(TypedDict):
    object: Literal["list"]
    data: list[PlannedClip]
    has_more: bool


class ContentLink(TypedDict):
    object: Literal["content.link"]
    url: str
    """The link, which needs no key."""
    media_type: str
    expires_at: int
    """When the link ends, in seconds since the epoch."""


class EventObject(TypedDict):
    object: Literal["video.event"]
    type: str
    """`video.` and a stage, or `narration.`, `still.`, `clip.` or `assembly.` with `started`, `completed` or
    `failed`."""
    at_ms: int
    """Milliseconds since the epoch."""
    attempt: int
    """The video's attempt it belongs to."""
    scene: int | None
    """The scene's index, from 0."""
    clip: int | None
    """The clip's index, from 0."""
    shape: str | None
    """The further shape of the film that was being made when it failed."""
    reused: bool | None
    """Whether it was found, and not made anew."""
    by: str | None
    """The voice, the image model or the engine."""
    seconds: float | None
    """How long it took."""
    cost: float | None
    """USD."""
    code: str | None
    """Why it failed, for programs."""
    reason: str | None
    """Why it failed."""
    advice: str | None
    """What to do about it."""


class EventList(TypedDict):
    object: Literal["list"]
    data: list[EventObject]
    has_more: bool


class Deletion(TypedDict):
    id: str
    object: Literal["video.deleted"]
    deleted: bool


# --- engines


class ModelObject(TypedDict):
    id: str
    """Send it as `model`."""
    object: Literal["model"]
    created: int
    """Always 0: engines have no date."""
    owned_by: Literal["reelworks"]
    summary: str
    draft: bool
    """Whether it draws drafts."""
    size: str
    """The size that it renders unless you ask for another."""
    sizes: str
    """All sizes that it renders."""
    fps: list[int]
    """The rates that it renders, the usual one first."""
    film_sizes: str
    """The sizes that a film may have with it."""
    film_fps: str
    """The rates that a film may have with it."""
    longest_clip: int
    """Seconds."""
    longest_film: int
    """Seconds."""
    most_clips: int
    """Of a film."""
    image: Literal["none", "optional", "required"]
    """Whether it starts from an image."""
    last_image: Literal["none", "optional", "required"]
    """Whether it takes an image to end on."""
    video: Literal["none", "optional"]
    """Whether it renders from a video, for an edit that keeps its motion."""
    audio: Literal["none", "required"]
    """Whether it renders from speech."""
    sound: bool
    """Whether its clips may have sound of their own."""
    refuses: list[str]
    """Fields of a create that it refuses."""
    speeds: list[str]
    """The values of `speed` that it takes."""
    loras: bool
    """Whether it takes LoRA adapters."""
    steps: int | None
    """Denoising steps, unless you ask for others; null if it has none."""
    least_steps: int
    """The fewest that you may ask for."""
    prompt_tokens: int
    """The length of the prompt that it reads."""
    seconds_per_clip: float | None
    """Of its longest clip, at speed `exact` and with these steps; null if unknown here."""
    cost_per_clip: float | None
    """USD of that clip; null if unknown. On a PC 0."""
    cost_per_second: float | None
    """USD of a second of film in clips of that length; null if unknown."""


class ModelList(TypedDict):
    object: Literal["list"]
    data: list[ModelObject]


# --- prompts and voices


class PromptEnhancement(TypedDict):
    object: Literal["prompt.enhancement"]
    model: str
    """The engine that it is written for."""
    given: str
    """The prompt as you sent it."""
    prompt: str
    """The enhanced prompt; the one you sent if the model's answer is unusable."""
    by: str | None
    """The model that wrote it."""
    note: str | None
    """Why the original was kept, or what was changed in the answer."""
    cost: float | None
    """USD."""
    tokens: int
    """The prompt's length, estimated."""
    prompt_tokens: int
    """The longest prompt that the engine reads."""


class VoiceObject(TypedDict):
    id: str
    """Send it as `voice`."""
    object: Literal["voice"]
    language: str
    language_name: str
    other_languages: list[str]
    """Those of a bilingual voice."""
    gender: str | None
    engines: list[str]
    """The values of `voice_engine` that it takes."""
    default: bool
    """Whether films that name no voice have it."""
    cost_per_million_characters: dict[str, float | None]
    """USD, by engine; null if the price is unknown."""


class VoiceList(TypedDict):
    object: Literal["list"]
    data: list[VoiceObject]


# --- webhooks


class WebhookEndpoint(TypedDict):
    id: str
    object: Literal["webhook_endpoint"]
    created_at: int
    """Seconds since the epoch."""
    updated_at: int
    name: str
    url: str
    event_types: list[EventType]
    """The events that are sent to it."""
    signing_secret_hint: str
    """The end of the secret."""
    enabled: bool
    """False after you disabled it, or after its receiver answered 410."""
    signing_secret: NotRequired[str]
    """The secret, shown once: when it is made."""


class WebhookEndpointList(TypedDict):
    object: Literal["list"]
    data: list[WebhookEndpoint]
    first_id: str | None
    last_id: str | None
    """Send it as `after` for the next page."""
    has_more: bool


class WebhookEndpointDeletion(TypedDict):
    id: str
    object: Literal["webhook_endpoint.deleted"]
    deleted: bool


class WebhookTest(TypedDict):
    object: Literal["webhook_endpoint.test"]
    webhook_endpoint_id: str
    event_type: EventType
    status_code: int
    """What the receiver answered."""
    success: bool


class EventTypeList(TypedDict):
    object: Literal["list"]
    data: list[EventType]


class DeliveredEvent(TypedDict):
    object: Literal["event"]
    id: str
    """The same on every attempt: the header `webhook-id`."""
    type: EventType
    created_at: int
    data: dict[str, Any]
    """The video's `id`, and what belongs to the type."""


class DeliveryAttempt(TypedDict):
    at: int
    """Seconds since the epoch."""
    took: float
    """Seconds."""
    status_code: int | None
    """What the receiver answered; null if it did not."""
    reason: str | None
    """Why there was no answer."""


class WebhookDelivery(TypedDict):
    id: str
    object: Literal["webhook_delivery"]
    created_at: int
    event: DeliveredEvent
    state: DeliveryState
    reason: str | None
    """Why it is given up or cancelled."""
    attempts: list[DeliveryAttempt]
    """The latest, the oldest of them first."""
    next_attempt_at: int | None


class WebhookDeliveryList(TypedDict):
    object: Literal["list"]
    data: list[WebhookDelivery]
    first_id: str | None
    last_id: str | None
    """Send it as `after` for the next page."""
    has_more: bool


# --- API keys, usage


class ApiKey(TypedDict):
    id: str
    object: Literal["api_key"]
    name: str
    redacted_value: str
    """The start of the secret."""
    scopes: list[str]
    """What the key may do: `read`, `create`, `admin`, `operate`."""
    created_at: int
    """Seconds since the epoch."""
    last_used_at: int | None
    """To the hour; null if it was not used."""
    value: NotRequired[str]
    """The secret, shown once: when the key is created."""


class ApiKeyList(TypedDict):
    object: Literal["list"]
    data: list[ApiKey]
    has_more: bool


class ApiKeyDeletion(TypedDict):
    id: str
    object: Literal["api_key.deleted"]
    deleted: bool


class CallerObject(TypedDict):
    object: Literal["caller"]
    tenant: str
    scopes: list[Scope]
    """`read`: look; `create`: create, edit, cancel and delete videos; `admin`: manage the tenant's API keys;
    `operate`: see what runs, waits and failed, of all tenants."""


class UsageSums(TypedDict):
    films: int
    """Films that ended."""
    failed: int
    """Those of them that failed."""
    clips: int
    """Clips that were made."""
    seconds: float
    """Of film."""
    cost: float
    """USD."""
    unknown: int
    """Films whose cost is not in it, because a price is unknown."""


class UsageRow(UsageSums):
    id: str
    object: Literal["usage"]
    tenant: NotRequired[str]
    day: NotRequired[str]
    """In UTC, for example 2026-11-30."""
    engine: NotRequired[str]


class QuotaState(TypedDict):
    quota: str
    limit: float
    remaining: float
    resets_at: int | None
    """Seconds since the epoch; null: when films end."""


class UsageAnswer(TypedDict):
    object: Literal["list"]
    tenant: str
    first_day: str
    last_day: str
    group_by: list[str]
    data: list[UsageRow]
    first_id: str | None
    last_id: str | None
    """Send it as `after` for the next page."""
    has_more: bool
    total: UsageSums
    """Of all rows, also those on other pages."""
    quotas: list[QuotaState]
    """What is left of each quota that the tenant has."""


# --- all tenants, for operators


class OpenFilm(TypedDict):
    id: str
    tenant: str
    model: str
    """The engine that renders it."""
    stage: Stage
    since: int
    """When it entered the stage, in seconds since the epoch."""
    progressed_at: int
    """When its record last changed or a part was finished."""
    waits_for: str | None
    clips_done: int
    clips_total: int
    """0 until it is planned."""
    runbook: str | None
    """A link, if it has made no progress for longer than is usual."""


class OpenFilms(TypedDict):
    total: int
    stages: dict[Stage, int]
    """How many are at each stage."""
    has_more: bool
    """Whether there are more than were counted: then the numbers are lower bounds."""
    oldest: list[OpenFilm]
    """At most 20, those first that entered their stage longest ago."""


class TenantClips(TypedDict):
    tenant: str
    clips: int


class EngineLoad(TypedDict):
    """An engine whose clips wait in a queue; one that draws in a function has none."""

    name: str
    in_flight: int
    """Clips that it renders or that wait at its endpoint."""
    waiting: int
    waiting_by_tenant: list[TenantClips]
    """At most 20 tenants, those with the most clips first."""
    waiting_since: int | None
    """Since when the oldest clip waits, in seconds since the epoch."""
    instances: int | None
    """As of `instances_at`, which is when clips were last admitted; null if unknown."""
    instances_at: int | None
    runbook: str | None
    """A link, if clips wait longer than is usual."""


class FailureKind(TypedDict):
    step: str
    code: str
    films: int
    runbook: str


class FailedFilm(TypedDict):
    id: str
    tenant: str
    model: str
    at: int
    """Seconds since the epoch."""
    step: str
    code: str
    reason: str
    runbook: str


class RecentFailures(TypedDict):
    since: int
    """Seconds since the epoch."""
    total: int
    has_more: bool
    """Whether there are more than were counted: then only the latest are."""
    kinds: list[FailureKind]
    """The most frequent first."""
    latest: list[FailedFilm]
    """At most 20, the latest first."""


class EngineSpend(UsageSums):
    model: str


class Spend(TypedDict):
    """What the films cost that ended on these days, in UTC, by list prices."""

    today: list[EngineSpend]
    week: list[EngineSpend]
    """Today and the six days before."""
    week_from: str
    """The week's first day."""
    runbook: str


class OperationsObject(TypedDict):
    object: Literal["operations"]
    at: int
    """Seconds since the epoch."""
    open: OpenFilms
    """Films that are being made. Those that wait for their user are not among them."""
    engines: list[EngineLoad]
    failures: RecentFailures
    """Films that failed within a day and were not tried again."""
    spend: Spend | None
    spend_reason: str | None
    """Why it is unknown."""
    runbook: str
    """The runbooks' first page."""


# --- characters, uploads


class CharacterObject(TypedDict):
    id: str
    object: Literal["character"]
    created_at: int
    """Seconds since the epoch."""
    name: str
    handle: str
    """What names it in a prompt, such as `@mossy`."""
    description: str | None
    """Yours, or a text model's of its picture, once a film needed it."""
    described_by: str | None
    """The model that described its picture."""
    voice: str | None
    """What speaks where it is a scene's `speaker`."""
    width: int
    """Of its picture, in pixels."""
    height: int


class CharacterList(TypedDict):
    object: Literal["list"]
    data: list[CharacterObject]
    first_id: str | None
    last_id: str | None
    """Send it as `after` for the next page."""
    has_more: bool


class CharacterDeletion(TypedDict):
    id: str
    object: Literal["character.deleted"]
    deleted: bool


class UploadObject(TypedDict):
    id: str
    """Send it as `file_id`."""
    object: Literal["upload"]
    bytes: int | None
    """Its size, once it has arrived; before, what you said."""
    created_at: int
    expires_at: int
    """When the form ends, in seconds since the epoch. The file is kept for a week."""
    filename: str | None
    purpose: None
    status: Literal["pending", "completed", "expired"]
    mime_type: str
    kind: str
    max_bytes: int
    url: NotRequired[str]
    """Where to POST the form; only in the answer that opens the upload."""
    fields: NotRequired[dict[str, str]]
    """The form's fields, which come before the `file`."""
