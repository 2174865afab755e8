"""Check, record and queue a request. Both the API and the drop folder use this entry point only.

The media libraries are imported where a file came: they would triple the time in which the API starts.
"""

import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from lambdas.adapters import stores
from lambdas.adapters.clients import client
from lambdas.adapters.recent_creates import Creates
from lambdas.adapters.requests_queue import RequestsQueue
from lambdas.adapters.shared_objects import SharedObjects, Uses, uploads
from lambdas.adapters.tenant_counters import Admission
from lambdas.adapters.videos import now_ms
from lambdas.domain import keys, names
from lambdas.domain.assembly import ClipSound
from lambdas.domain.brand import Brand
from lambdas.domain.brief import Brief, Writing
from lambdas.domain.characters import CastMember, Image, Role, opening
from lambdas.domain.documents import LONGEST_FILM
from lambdas.domain.engine_notes import notes_of, shape_notes
from lambdas.domain.engines import CATALOGUE, Engine, deployed, engine_named
from lambdas.domain.errors import (
    ArtifactMissing,
    IdempotencyConflict,
    InvalidRequest,
    MaxCostExceeded,
    QuotaExceeded,
    RequestError,
    VideoNotFound,
)
from lambdas.domain.estimate import Estimate, check_cost, estimate
from lambdas.domain.film_format import Size
from lambdas.domain.fonts import FONT_TYPES, FontFile, Lettered
from lambdas.domain.narration_notes import narration_notes
from lambdas.domain.planning import check_length, check_pictures, check_scenes
from lambdas.domain.prompts import check_tokens
from lambdas.domain.recordings import check_recordings
from lambdas.domain.spoken_text import spoken_text
from lambdas.domain.stages import Stage
from lambdas.domain.storyboard import EXTENSIONS, MOST_SCENES, OwnClip, files_of
from lambdas.domain.uploads import SOUND_TYPES
from lambdas.domain.video import Source, Video, video_id
from lambdas.domain.video_parts import StageEntry
from lambdas.domain.video_request import (
    SHORTEST_MUSIC,
    CaptionLook,
    CaptionStyle,
    Music,
    Stills,
    VideoRequest,
    Voice,
)
from lambdas.intake.card_letters import brand_fonts, check_card_letters
from lambdas.intake.characters import Casting
from lambdas.intake.content_filter import ContentFilter, texts_of_create
from lambdas.intake.fields import Fields, parse, requested_webhook
from lambdas.intake.files import FONT, INPUT_REFERENCE, LAST_FRAME, MUSIC, File
from lambdas.intake.film_kind import LOOK, OF_SCENES, SOURCES, brief_of, film_seconds
from lambdas.intake.film_size import check_shapes, film_size
from lambdas.intake.other_names import OURS
from lambdas.intake.scene_frames import SceneFrames, check_font
from lambdas.intake.tenant_quotas import TenantQuotas
from lambdas.intake.uploads import Arrived
from lambdas.intake.voices import check_voices
from lambdas.settings import IntakeSettings
from lambdas.telemetry import count, logger

_DAY_MS = 24 * 3600 * 1000
_NO_CONTENT: Mapping[str, bytes] = {}
_NO_FILES: Mapping[str, File] = {}
_PLAYED = {"music_level", "music_start", "music_fade_in", "music_fade_out"}
# Fields that the record stores in another form; it stores all others as given.
_IN_ANOTHER_FORM = {
    *SOURCES,
    *OF_SCENES,
    *("model", "size", "aspect", "fps", "seconds", "enhance", "draft_for", "characters"),
    *("webhook_url", "webhook_event_types"),
    *("music_mood", *_PLAYED),
}


class DryRun(NamedTuple):
    """A request that was not accepted, and why it would not have been: by its own limit or the quotas."""

    request: VideoRequest
    estimate: Estimate
    notes: tuple[str, ...]
    refusals: Sequence[RequestError]


class Intake:
    def __init__(self, settings: IntakeSettings) -> None:
        self._settings = settings
        self._videos = stores.videos(settings)
        self._uploads = stores.inputs(settings)
        self._uses = Uses(self._uploads, keys.UPLOADS_PREFIX)
        self._creates = Creates(client("dynamodb"), settings.videos_table)
        self._queue = RequestsQueue(client("sqs"), settings.requests_queue_url)
        self._quotas = TenantQuotas(settings)
        self.filter = ContentFilter(settings)
        self.quota_headers: dict[str, str] = {}  # what is left of the quotas after a new video

    def accept(
        self,
        tenant: str,
        fields: Mapping[str, Any],
        files: Mapping[str, File] = _NO_FILES,
        *,
        nonce: str | None = None,
        retry: bool = False,
        source: Source | None = None,
    ) -> Video:
        """Return the video that the request creates, or that it created before. `files` are keyed by field.

        `nonce` identifies the request: the same nonce always means the same video. Without it, `retry` says
        that the client is retrying, and the video of its first try is found by the request itself.
        Raises InvalidRequest; QuotaExceeded; IdempotencyConflict if the nonce belongs to another request.
        """
        casting, frames = self.casting(tenant), SceneFrames(tenant, self._uploads)
        content = Arrived(tenant, self._uploads).read(files)
        request = self.check(tenant, fields, content, casting, frames)
        # The same file has the same key, so a retry stores no second copy.
        given = (
            (request.image, INPUT_REFERENCE),
            (request.last_image, LAST_FRAME),
            (request.music, MUSIC),
            (request.caption_look.font_file, FONT),
        )
        sent = {file.key: content[name] for file, name in given if name in content and file and file.key}

        def keep(id_: str) -> None:
            kept = self.uploads(tenant, id_)
            _keep(sent, kept)
            casting.keep(kept)
            frames.keep(kept)

        return self.admit(tenant, request, keep, nonce=nonce, retry=retry, source=source)

    def dry_run(
        self, tenant: str, fields: Mapping[str, Any], files: Mapping[str, File] = _NO_FILES
    ) -> "DryRun":
        """Return what `accept` would do, without doing any of it. Raises InvalidRequest as it does."""
        content = Arrived(tenant, self._uploads).read(files)
        request = self.check(tenant, fields, content)
        expected = self._estimate(request)
        refusals: list[RequestError] = []
        try:
            check_cost(request, expected)
        except MaxCostExceeded as error:
            refusals.append(error)
        try:
            self._quotas.admit(tenant, expected.demand)
        except QuotaExceeded as error:
            refusals.append(error)
        return DryRun(request, expected, self._notes(request), refusals)

    def uploads(self, tenant: str, id_: str) -> SharedObjects:
        """Return the uploads of a video that is not recorded yet."""
        return uploads(self._uploads, tenant, id_, None)

    def casting(self, tenant: str, known: Sequence[Role] = ()) -> Casting:
        """Return a new casting of a request; `known`: the characters of the video that it is made from."""
        return Casting(tenant, self._uploads, known)

    def admit(
        self,
        tenant: str,
        request: VideoRequest,
        keep: Callable[[str], None],
        *,
        nonce: str | None,
        retry: bool,
        source: Source | None = None,
    ) -> Video:
        """Return the video of a checked request, as `accept` does.

        `keep` takes the video's id and stores what the record will reference. Raises QuotaExceeded,
        IdempotencyConflict.
        """
        fingerprint = request.fingerprint()
        random_id = video_id(tenant, secrets.token_hex(16))
        video = None
        if nonce is None and not retry:  # nothing has this id, so nothing needs to be looked up
            logger.append_keys(video_id=random_id)
            admission = self._admission(tenant, request)
            try:
                keep(random_id)  # before the record, which must not reference a missing file
                video = self._videos.create_noted(
                    self._queued(tenant, random_id, request, source),
                    self._creates.note(tenant, fingerprint, random_id),
                    admission,
                )
            except (RequestError, ArtifactMissing):  # it was certainly not recorded
                self._uses.let_go(tenant, random_id)
                raise
            if video is not None:
                self.quota_headers = admission.headers
                _tell_created(video)
            else:
                self._uses.let_go(tenant, random_id)
        if video is None:
            if nonce is None:
                id_ = self._creates.claim(tenant, fingerprint, random_id, retry=retry)
            else:
                id_ = video_id(tenant, nonce)
            logger.append_keys(video_id=id_)
            video = self._find(tenant, id_) or self._new(tenant, id_, request, keep, source)
        if video.request.fingerprint() != fingerprint:
            raise IdempotencyConflict(
                f"Idempotency-Key was already used to create video {video.id} from a different request; "
                "send a new key, or repeat the original request.",
                param=names.IDEMPOTENCY_HEADER,
            )
        if video.stage is Stage.QUEUED:
            # Also for an existing video: its first try may have stopped between recording and queueing.
            self._queue.send(video)
        return video

    def check(
        self,
        tenant: str,
        fields: Mapping[str, Any],
        files: Mapping[str, bytes] = _NO_CONTENT,
        casting: Casting | None = None,
        frames: SceneFrames | None = None,
        *,
        pictured: bool = False,
    ) -> VideoRequest:
        """Check the fields and return the request that they describe. `casting` finds its characters,
        `frames` reads its scenes' pictures.

        `pictured`: the film that comes before provides the first picture. Raises InvalidRequest.
        """
        casting = casting or self.casting(tenant)
        frames = frames or SceneFrames(tenant, self._uploads)
        parsed = casting.fields(parse(frames.fields(fields)))
        image = files.get(INPUT_REFERENCE)
        brief = brief_of(parsed)
        model = parsed.model or self._settings.default_engine
        name = self._settings.aliases.get(model, model)
        engine = engine_named(name, self._settings.offered, self._settings.workflow)
        width, height = film_size(parsed, engine)
        fps = parsed.fps or engine.fps[0]
        stills = _stills(parsed, brief, engine, image=image is not None)
        engine.check(
            width=width,
            height=height,
            fps=fps,
            image=image is not None
            or stills is not None
            or (brief is not None and not brief.unpictured and engine.image != "none")
            or (pictured and engine.image != "none")
            or (brief is None and _is_pictured(casting.roles, str(parsed.prompt), engine)),
            offered=self._settings.offered,
            workflow=self._settings.workflow,
            speed=parsed.speed,
            loras=bool(parsed.loras),
            last_image=LAST_FRAME in files,
            scenes=brief is not None,
            sound=_asks_sound(fields, parsed),
            steps=parsed.steps,
        )
        _check_taken(parsed, brief, engine)
        _check_budget(parsed, engine)
        look = _caption_look(tenant, parsed, files.get(FONT))
        _check_captions(parsed, look)
        _check_shapes(parsed, (width, height))
        lettered = parsed.brand.lettered(tenant) if parsed.brand else Lettered()
        if (parsed.captions or parsed.burn_captions) and not look.has_font:
            look = look.model_copy(update=dict(lettered))
        _check_letters(parsed, look, _font(files, frames))
        if parsed.storyboard is not None:
            check_card_letters(parsed.storyboard.scenes, lettered, frames.font)
        if parsed.brand is not None:
            _check_brand(parsed.brand, lettered, frames, brief)
        request = VideoRequest(
            **parsed.model_dump(exclude=_IN_ANOTHER_FORM),
            prompt=brief.topic if brief else str(parsed.prompt),
            enhance=parsed.enhance and brief is None,
            engine=engine.name,
            seconds=film_seconds(parsed, brief, fps),
            width=width,
            height=height,
            fps=fps,
            **self._rendering(parsed, engine, (width, height), fps),
            image=None if image is None else _image(tenant, image, INPUT_REFERENCE),
            last_image=_image(tenant, files[LAST_FRAME], LAST_FRAME) if LAST_FRAME in files else None,
            characters=casting.roles,
            narration_fit=parsed.narration_fit,
            music=_music(tenant, parsed, files.get(MUSIC)),
            brief=brief,
            writing=Writing(
                model=parsed.text_model,
                temperature=parsed.temperature,
                top_p=parsed.top_p,
                max_tokens=parsed.max_tokens,
                context_size=parsed.context_size,
            ),
            voice=Voice(
                name=parsed.voice,
                # Only if requested, so that a voice of another variety of English is not rejected.
                language=parsed.language if "language" in parsed.model_fields_set else None,
                engine=parsed.voice_engine,
                speed=parsed.speech_speed,
                sample_rate=parsed.sample_rate,
            ),
            cut_on_beats=parsed.cut_on_beats,
            captions=parsed.captions,
            burn_captions=parsed.burn_captions,
            caption_style=parsed.caption_style,
            caption_look=look,
            stills=stills,
            review=parsed.review,
            webhook=requested_webhook(parsed, loopback=self._settings.to_loopback),
        )
        # Raises if the film or a scene can't be cut into clips.
        if brief:
            check_scenes(brief.known_lengths(), request, engine, brief.own)
            check_recordings(brief.given.scenes, parsed.narration_fit)
            check_pictures(
                [brief.scene_given(index) for index in range(brief.count)],
                engine,
                stills=stills is not None,
                last_image=LAST_FRAME in files,
                offered=self._settings.offered,
                workflow=self._settings.workflow,
            )
        else:
            check_length(request, engine)
        if request.expected_seconds > LONGEST_FILM:
            raise InvalidRequest(
                f"seconds must be at most {LONGEST_FILM:,} with intro and outro; got "
                f"{request.expected_seconds:,}.",
                param="seconds",
            )
        check_voices(parsed.storyboard, request.voice, casting.roles, self._settings)
        self.filter.check(texts_of_create(parsed, brief))
        return request

    def _rendering(self, fields: Fields, engine: Engine, film: Size, fps: int) -> dict[str, Any]:
        """Return the request's fields about how its engine renders a film of that size and rate. They are
        empty where it renders just that, so that a request keeps the fingerprint it had before them."""
        like = self._stands_in_for(fields, engine)
        rendered, rate = (like or engine).rendered_size(film), engine.rendered_fps(fps)
        made: dict[str, Any] = {"draft_for": like.name} if like else {}
        if rendered != film:
            made |= {"rendered_width": rendered[0], "rendered_height": rendered[1]}
        if rate != fps:
            made |= {"rendered_fps": rate}
        return made

    def _stands_in_for(self, fields: Fields, engine: Engine) -> Engine | None:
        """Return the engine whose framing a draft shows."""
        if fields.draft_for is None:
            return None
        if not engine.draft:
            raise InvalidRequest(
                f"draft_for must be omitted: engine {engine.name} renders no drafts. For a draft, choose "
                "model animatic.",
                param="draft_for",
            )
        name = self._settings.aliases.get(fields.draft_for, fields.draft_for)
        try:
            return engine_named(name, self._settings.offered, self._settings.workflow)
        except InvalidRequest as error:
            raise InvalidRequest(error.message.replace("model", "draft_for", 1), param="draft_for") from error

    def _new(
        self, tenant: str, id_: str, request: VideoRequest, keep: Callable[[str], None], source: Source | None
    ) -> Video:
        try:
            admission = self._admission(tenant, request)
            keep(id_)
            video, is_new = self._videos.create(self._queued(tenant, id_, request, source), admission)
        except QuotaExceeded:
            # The same create may have been accepted meanwhile: it holds the place.
            if (twin := self._find(tenant, id_)) is None:
                raise
            return twin
        if is_new:
            _tell_created(video)
        self.quota_headers = admission.headers
        return video

    def _admission(self, tenant: str, request: VideoRequest) -> Admission:
        expected = self._estimate(request)
        check_cost(request, expected)
        return self._quotas.admit(tenant, expected.demand)

    def _estimate(self, request: VideoRequest) -> Estimate:
        engine = deployed(request.engine, self._settings.workflow)
        return estimate(request, engine, self._settings.makers)

    def _find(self, tenant: str, id_: str) -> Video | None:
        try:
            return self._videos.get(tenant, id_)
        except VideoNotFound:
            return None

    def _queued(self, tenant: str, id_: str, request: VideoRequest, source: Source | None) -> Video:
        now = now_ms()
        return Video(
            id=id_,
            tenant=tenant,
            request=request,
            created_ms=now,
            updated_ms=now,
            expires_ms=now + self._settings.retention_days * _DAY_MS,
            source=source,
            cast=tuple(CastMember(**role.model_dump()) for role in request.characters),
            draft=CATALOGUE[request.engine].draft,
            max_cost=request.max_cost,
            notes=self._notes(request),
            history=[StageEntry(stage=Stage.QUEUED, at_ms=now)],
        )

    def _notes(self, request: VideoRequest) -> tuple[str, ...]:
        engine = notes_of(request, self._settings.offered, self._settings.workflow)
        return (*engine, *narration_notes(request), *shape_notes(request.shapes, request))


def _asks_sound(fields: Mapping[str, Any], parsed: Fields) -> str | None:
    """Return the field, as it was sent, that asks for the sound of an engine's clips. The default asks for
    nothing, nor does it if the user's own clips have sound."""
    if "clip_sound" not in parsed.model_fields_set or parsed.clip_sound is ClipSound.DROP:
        return None
    scenes = [*(parsed.storyboard.scenes if parsed.storyboard else ())]
    files = [*files_of(scenes), *(parsed.brand.files if parsed.brand else ())]
    if any(isinstance(file, OwnClip) and file.sound for file in files):
        return None
    return next(
        (name for name in fields if OURS.get(name) == "clip_sound" and fields[name] is not None), "clip_sound"
    )


def _keep(sent: Mapping[str, bytes], uploads: SharedObjects) -> None:
    if not sent:
        return
    media_types = (
        {extension: media_type for media_type, extension in EXTENSIONS.items()} | SOUND_TYPES | FONT_TYPES
    )
    for key, data in sent.items():
        if not uploads.find(key):
            uploads.put(key, data, media_types[key.rpartition(".")[2]])


def _tell_created(video: Video) -> None:
    logger.info("video created", extra={"engine": video.request.engine, "seconds": video.seconds})
    count(names.METRIC_VIDEOS_CREATED)


def _stills(fields: Fields, brief: Brief | None, engine: Engine, *, image: bool) -> Stills | None:
    """Return how each scene's first picture is drawn, or None if none is."""
    if brief is None:
        return None
    needed = engine.image == "required" and any(index or not image for index in brief.unpictured)
    match fields.stills:
        case "none" if needed:
            raise InvalidRequest(
                f"stills can't be none: engine {engine.name} starts every scene from an image; send standard "
                "or premium, or choose another engine.",
                param="stills",
            )
        case None | "none":
            return Stills() if needed else None
    if engine.image == "none":
        raise InvalidRequest(
            f"stills must be none or omitted: engine {engine.name} does not accept an image.", param="stills"
        )
    return Stills(quality=fields.stills)


def _is_pictured(roles: Sequence[Role], prompt: str, engine: Engine) -> bool:
    """Return whether a film of one prompt starts from a character's picture."""
    if engine.image == "none":
        return False
    return opening(roles, prompt, needed=engine.image == "required") is not None


def _check_taken(fields: Fields, brief: Brief | None, engine: Engine) -> None:
    """Reject fields that the engine does not take, and a silent film if it requires speech."""
    for name in engine.refuses:
        if getattr(fields, name):
            whose = "no node of its workflow takes it" if engine.workflow else "its server does not take it"
            raise InvalidRequest(f"{name} must be omitted with engine {engine.name}: {whose}.", param=name)
    if engine.audio == "required" and not (brief and brief.narrated):
        raise InvalidRequest(
            f"engine {engine.name} requires speech, but this film has no narration: "
            + (
                "send narrate=true, or add narration to the storyboard."
                if brief
                else "send topic or storyboard, with narration, instead of prompt."
            ),
            param="narrate" if brief else "prompt",
        )


def _check_budget(fields: Fields, engine: Engine) -> None:
    """Check text that goes to the engine unchanged. An enhanced prompt is written to fit the token budget."""
    check_tokens("negative_prompt", fields.negative_prompt, engine)
    if fields.prompt and not fields.enhance:
        check_tokens("prompt", fields.prompt, engine, ", or send enhance=true")


def _check_captions(fields: Fields, look: CaptionLook) -> None:
    if fields.captions or fields.burn_captions:
        return
    given = [name for name in LOOK if name in fields.model_fields_set]
    if given or look.font_file:
        name = given[0] if given else FONT
        raise InvalidRequest(
            f"{name} needs captions: send burn_captions=true to draw them into the pictures, or "
            "captions=true for files, of which ASS has their look.",
            param=name,
        )
    if fields.caption_style is not CaptionStyle.PLAIN:
        raise InvalidRequest(
            f"caption_style {fields.caption_style} needs captions: send burn_captions=true to draw them into "
            "the pictures, or captions=true for a WebVTT file with the words' times.",
            param="caption_style",
        )


def _check_shapes(fields: Fields, film: Size) -> None:
    if fields.focal_point is not None and not fields.shapes:
        raise InvalidRequest(
            "focal_point must be omitted without shapes: it says what a crop to another shape keeps in view.",
            param="focal_point",
        )
    check_shapes(fields.shapes, film)


def _caption_look(tenant: str, fields: Fields, font: bytes | None) -> CaptionLook:
    look = CaptionLook(**{name.removeprefix("caption_"): getattr(fields, name) for name in LOOK})
    if font is None:
        return look
    if fields.caption_font is not None:
        raise InvalidRequest(f"caption_font must be omitted when {FONT} is set.", param="caption_font")
    kind = check_font(font, FONT)
    sha256 = hashlib.sha256(font).hexdigest()
    file = FontFile(key=keys.upload(tenant, sha256, kind), sha256=sha256)
    return look.model_copy(update={"font_file": file})


def _font(files: Mapping[str, bytes], frames: SceneFrames) -> Callable[[str], bytes]:
    """Return what finds the content of the captions' font by its key: the request's own, or the brand's."""
    return frames.font if FONT not in files else lambda _: files[FONT]


def _check_letters(fields: Fields, look: CaptionLook, font: Callable[[str], bytes]) -> None:
    """Check the captions' font, and the letters of given narration. Generated narration is checked once it is
    written."""
    if not (fields.burn_captions or look.has_font):
        return
    from lambdas.media.typesetting import FontMissing, fonts_of

    try:
        fonts = fonts_of(look, fields.language, font)
    except FontMissing as error:
        param = "caption_font" if fields.caption_font else "brand.font"
        raise InvalidRequest(f"{param} must be one of these: {error}.", param=param) from error
    for index, scene in enumerate(fields.storyboard.scenes if fields.storyboard else ()):
        missing = fonts.lacks(spoken_text(scene.narration.text or "")) if scene.narration else None
        if missing:
            path = f"scenes[{index}].narration.text"
            raise InvalidRequest(
                f"{path} can't be drawn into the pictures: {missing}. Choose or install a font that has "
                "them, or send captions instead of burn_captions: players have fonts of their own.",
                param=path,
            )


def _check_brand(brand: Brand, lettered: Lettered, frames: SceneFrames, brief: Brief | None) -> None:
    """Check that there is its font, and that a film has room for its intro and outro, and a voice for what
    they say."""
    if lettered.has_font:
        brand_fonts(lettered, frames.font)
    ends = [(f"brand.{name}", one) for name in ("intro", "outro") if (one := getattr(brand, name))]
    for path, end in ends:
        check_card_letters([end], lettered, frames.font, path)
        if brief is None and end.is_spoken:
            raise InvalidRequest(
                f"{path}.narration must be omitted with prompt: only a film of scenes is narrated.",
                param=f"{path}.narration",
            )
    if brief is not None and brief.count + brand.scenes > MOST_SCENES:
        raise InvalidRequest(
            f"brand adds {brand.scenes} scenes to {brief.count}, and a film has at most {MOST_SCENES}; "
            "reduce the number of scenes.",
            param="brand",
        )


def _image(tenant: str, data: bytes, param: str) -> Image:
    from lambdas.media.images import check_image

    info = check_image(data, param)
    sha256 = hashlib.sha256(data).hexdigest()
    return Image(
        key=keys.upload(tenant, sha256, EXTENSIONS[info.media_type]),
        sha256=sha256,
        width=info.width,
        height=info.height,
    )


def _music(tenant: str, fields: Fields, data: bytes | None) -> Music | None:
    """Return the music and how it is played. Raises MusicRejected, InvalidRequest."""
    played = {
        "level": fields.music_level,
        "start": fields.music_start,
        "fade_in": fields.music_fade_in,
        "fade_out": fields.music_fade_out,
    }
    if data is None and fields.music_mood is not None:
        return Music(mood=fields.music_mood, **played)
    if data is None:
        if given := sorted(fields.model_fields_set & _PLAYED):
            raise InvalidRequest(f"{given[0]} must be omitted without {MUSIC} or music_mood.", param=given[0])
        if fields.cut_on_beats:
            raise InvalidRequest(
                f"cut_on_beats requires {MUSIC} or music_mood, on whose beats the cuts are to be.",
                param="cut_on_beats",
            )
        return None
    if fields.music_mood is not None:
        raise InvalidRequest(
            f"music_mood must be omitted when {MUSIC} is set: a film has one piece of music.",
            param="music_mood",
        )
    from lambdas.media.music import check_music

    info = check_music(data, MUSIC)
    latest = info.seconds - SHORTEST_MUSIC
    if fields.music_start > latest:
        raise InvalidRequest(
            f"music_start must be at most {latest:.1f}: the music is {info.seconds:.1f} s long, and a film "
            f"plays at least {SHORTEST_MUSIC} s of it; got {fields.music_start:g}.",
            param="music_start",
        )
    sha256 = hashlib.sha256(data).hexdigest()
    return Music(
        key=keys.upload(tenant, sha256, info.kind),
        sha256=sha256,
        seconds=info.seconds,
        **played,
    )
