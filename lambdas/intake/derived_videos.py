"""Create videos from other videos: OpenAI's remix, edit and extend."""

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, TypeVar

from lambdas.adapters import stores
from lambdas.domain import keys
from lambdas.domain.assembly import ClipSound
from lambdas.domain.brief import SHORTEST_NARRATED
from lambdas.domain.documents import LONGEST_FILM
from lambdas.domain.engines import CATALOGUE, TURBO_STEPS, Engine, Speed, engine_named
from lambdas.domain.errors import ArtifactMissing, InvalidRequest, NotReady, VideoNotFound
from lambdas.domain.origin import all_paragraphs
from lambdas.domain.planning import MOST_CLIPS, clip_lengths
from lambdas.domain.prompts import check_tokens, closed, material
from lambdas.domain.stages import Stage
from lambdas.domain.storyboard import MOST_SCENES, Scene, Storyboard, files_of
from lambdas.domain.video import Video
from lambdas.domain.video_request import Origin, OriginKind, VideoRequest
from lambdas.intake.accept import Intake
from lambdas.intake.characters import Casting
from lambdas.intake.clip_files import check_sound, frames_of
from lambdas.intake.fields import EditFields, ExtendFields, Fields, RemixFields, parse_form, requested_webhook
from lambdas.intake.files import VIDEO, File
from lambdas.intake.other_names import OURS
from lambdas.intake.uploads import Arrived, ClipFile
from lambdas.settings import IntakeSettings

STRENGTH = 0.8  # default of an edit; the CogVideoX server and diffusers use the same
# Fields allowed if the source is a file. If it is a video, they are taken from that video.
OF_FILE = (
    "model",
    "size",
    "aspect",
    "fit",
    "fps",
    "fps_mode",
    "shapes",
    "focal_point",
    "seed",
    "steps",
    "guidance",
    "negative_prompt",
    "speed",
    "loras",
    "characters",
    "enhance",
    "even_out",
    "clip_sound",
    "stems",
    "fragmented",
    "on_warning",
    "vision_check",
)


class Remake:
    """Remix, edit and extend videos. `nonce` and `retry` are those of `Intake.accept`."""

    def __init__(self, settings: IntakeSettings) -> None:
        self._settings = settings
        self.intake = Intake(settings)
        self._videos = stores.videos(settings)
        self._uploads = stores.inputs(settings)
        self._outputs = stores.outputs(settings)

    def remix(
        self, tenant: str, video_id: str, fields: Mapping[str, Any], *, nonce: str | None, retry: bool
    ) -> Video:
        """Create a video from another one with a change.

        Raises InvalidRequest, VideoNotFound, NotReady, QuotaExceeded, IdempotencyConflict.
        """
        parsed = parse_form(RemixFields, fields)
        source, engine = self._source(tenant, video_id, "id")
        casting = self.intake.casting(tenant, source.cast)
        request = _changed(source, engine, parsed.prompt, OriginKind.REMIX, casting)
        return self._admit(source, self._told(request, parsed), casting, nonce=nonce, retry=retry)

    def edit(
        self,
        tenant: str,
        fields: Mapping[str, Any],
        files: Mapping[str, File],
        *,
        nonce: str | None,
        retry: bool,
    ) -> Video:
        """Create a video from the pictures of another one or of a file. Raises as `remix` does."""
        parsed, file, others = _read(EditFields, fields, files)
        if file is not None:
            clip = Arrived(tenant, self._uploads).clip(VIDEO, file)
            casting = self.intake.casting(tenant)
            request, engine = self._of_file(tenant, clip, parsed, OriginKind.EDIT, others, casting)
            _check_takes_video(engine, self._settings.offered)
            request = _edited(request, engine, parsed.strength)
            return self._admit_file(
                tenant, self._told(request, parsed), clip, casting, nonce=nonce, retry=retry
            )
        source, engine = self._source(tenant, str(parsed.video and parsed.video.id), VIDEO)
        casting = self.intake.casting(tenant, source.cast)
        request = _changed(source, engine, parsed.prompt, OriginKind.EDIT, casting)
        if engine.video != "none":
            request = _edited(request, engine, parsed.strength)
        elif parsed.strength is not None:
            _check_takes_video(engine, self._settings.offered, "strength")
        return self._admit(source, self._told(request, parsed), casting, nonce=nonce, retry=retry)

    def extend(
        self,
        tenant: str,
        fields: Mapping[str, Any],
        files: Mapping[str, File],
        *,
        nonce: str | None,
        retry: bool,
    ) -> Video:
        """Create a video that continues another one or a file. Raises as `remix` does."""
        parsed, file, others = _read(ExtendFields, fields, files)
        if file is not None:
            clip = Arrived(tenant, self._uploads).clip(VIDEO, file)
            casting = self.intake.casting(tenant)
            request, engine = self._of_file(tenant, clip, parsed, OriginKind.EXTEND, others, casting)
            frames = request.origin.frames if request.origin else None
            before = -(-(frames or 0) // request.fps)
            request = _longer(request, engine, parsed.seconds, before, clips=1)
            return self._admit_file(
                tenant, self._told(request, parsed), clip, casting, nonce=nonce, retry=retry
            )
        source, engine = self._source(tenant, str(parsed.video and parsed.video.id), VIDEO)
        casting = self.intake.casting(tenant, source.cast)
        prompt = casting.text(parsed.prompt, "prompt")
        _check_prompt(prompt, engine)
        origin = _origin(source, engine, prompt, OriginKind.EXTEND)
        if engine.last_image == "required":
            raise InvalidRequest(
                f"engine {engine.name} can't extend a video: it needs a last frame for each scene. Add a "
                "scene that has one to the storyboard instead.",
                param=VIDEO,
            )
        # What comes next does not end on the source's last picture.
        update = {"seed": source.seed, "origin": origin, "characters": casting.roles, "last_image": None}
        request = source.request.model_copy(update=update)
        ends = source.request.expected_seconds - source.request.seconds
        request = _longer(request, engine, parsed.seconds, source.seconds - ends, clips=len(source.clips))
        self._check_scenes(source, origin, parsed.seconds)
        return self._admit(source, self._told(request, parsed), casting, nonce=nonce, retry=retry)

    def _told(self, request: VideoRequest, fields: RemixFields) -> VideoRequest:
        """Return the request with its own webhook, limit and, if it has one, sound of clips instead of the
        source's."""
        webhook = requested_webhook(fields, loopback=self._settings.to_loopback)
        update: dict[str, Any] = {"webhook": webhook, "max_cost": fields.max_cost}
        if fields.clip_sound is not None:
            update["clip_sound"] = fields.clip_sound
        return request.model_copy(update=update)

    def _source(self, tenant: str, video_id: str, param: str) -> tuple[Video, Engine]:
        """Return the source video and its engine."""
        try:
            source = self._videos.get(tenant, video_id)
        except VideoNotFound as error:
            raise VideoNotFound(f"There is no video {video_id[:100]!r}.", param=param) from error
        if source.stage is not Stage.COMPLETED:
            raise NotReady(
                f"Video {video_id} is {source.stage}; only a completed video can be the source of another.",
                param=param,
            )
        return source, engine_named(source.request.engine, self._settings.offered, self._settings.workflow)

    def _check_scenes(self, source: Video, origin: Origin, seconds: int) -> None:
        """Check that the source has room for one more scene."""
        scenes = [] if origin.storyboard is None else self._scenes(source, origin.storyboard)
        count = len(scenes or origin.paragraphs)
        if count >= MOST_SCENES:
            raise InvalidRequest(
                f"video must have fewer than {MOST_SCENES} scenes, the maximum of a film; "
                f"{source.id} has {count}.",
                param=VIDEO,
            )
        if seconds < SHORTEST_NARRATED and any(scene.narration for scene in scenes):
            raise InvalidRequest(
                f"seconds must be at least {SHORTEST_NARRATED} because video {source.id} has narration; "
                f"got {seconds}.",
                param="seconds",
            )

    def _scenes(self, source: Video, storyboard: str) -> list[Scene]:
        key = keys.storyboard(source.tenant, source.id, storyboard)
        return Storyboard.model_validate_json(_there(source, lambda: self._outputs.get(key))).scenes

    def _of_file(
        self,
        tenant: str,
        clip: ClipFile,
        fields: RemixFields,
        kind: OriginKind,
        others: Mapping[str, Any],
        casting: Casting,
    ) -> tuple[VideoRequest, Engine]:
        for name in others:
            ours = OURS.get(name, name)
            if ours in Fields.model_fields and ours not in OF_FILE:
                raise InvalidRequest(
                    f"{name} is not allowed when video is a file; allowed: {', '.join(OF_FILE)}.",
                    param=name,
                )
        request = self.intake.check(
            tenant, {**others, "prompt": fields.prompt}, casting=casting, pictured=kind is OriginKind.EXTEND
        )
        frames = frames_of(clip, VIDEO, fps=request.fps, size=(request.width, request.height))
        heard = fields.clip_sound or request.clip_sound
        drop = "Send clip_sound=drop to leave its sound out."
        sound = heard is not ClipSound.DROP and check_sound(clip, VIDEO, otherwise=drop)
        key = keys.upload(tenant, clip.name, "mp4")
        origin = Origin(kind=kind, prompt=request.prompt, file=key, frames=frames, sound=sound)
        seconds = max(1, round(Fraction(frames, request.fps)))
        request = request.model_copy(update={"origin": origin, "seconds": seconds})
        return request, engine_named(request.engine, self._settings.offered, self._settings.workflow)

    def _admit(
        self, source: Video, request: VideoRequest, casting: Casting, *, nonce: str | None, retry: bool
    ) -> Video:
        """Admit the request. Copy what the film needs of its source's own, and note that it is made from it,
        so that the source can be deleted."""
        request = request.model_copy(update={"shapes": tuple(source.shapes)})
        origin = request.origin
        self.intake.filter.check({"prompt": origin.prompt if origin else ""})
        scenes = self._scenes(source, origin.storyboard) if origin and origin.storyboard else []
        given = [*files_of(scenes), *(request.brand.files if request.brand else ())]
        files = [file.key(source.tenant) for file in given]

        def keep(id_: str) -> None:
            tenant = source.tenant
            uploads = self.intake.uploads(tenant, id_)
            casting.keep(uploads)
            for key in (*request.uploads, *files):
                uploads.find(key)
            copies = [(keys.film_plan(tenant, source.id), keys.origin_plan(tenant, id_))]
            if origin and (sha256 := origin.storyboard):
                copies.append(
                    (keys.storyboard(tenant, source.id, sha256), keys.storyboard(tenant, id_, sha256))
                )
            for old, new in copies:
                self._outputs.copy(old, new, "application/json")
            self._outputs.put(keys.heir(tenant, source.id, id_), b"", "application/octet-stream")
            # A deletion that begins later sees what was noted.
            if self._videos.outline(tenant, source.id).deleting:
                raise ArtifactMissing(f"video {source.id} is being deleted")

        return _there(
            source,
            lambda: self.intake.admit(source.tenant, request, keep, nonce=nonce, retry=retry),
        )

    def _admit_file(
        self,
        tenant: str,
        request: VideoRequest,
        clip: ClipFile,
        casting: Casting,
        *,
        nonce: str | None,
        retry: bool,
    ) -> Video:
        key = str(request.origin and request.origin.file)

        def keep(id_: str) -> None:
            uploads = self.intake.uploads(tenant, id_)
            clip.keep(self._uploads, uploads, key)
            casting.keep(uploads)

        return self.intake.admit(tenant, request, keep, nonce=nonce, retry=retry)


_T = TypeVar("_T")
_Form = TypeVar("_Form", EditFields, ExtendFields)


def _there(source: Video, read: Callable[[], _T]) -> _T:
    """Return what `read` reads from the source. Raises VideoNotFound if the source was deleted meanwhile."""
    try:
        return read()
    except ArtifactMissing as error:
        raise VideoNotFound(f"Video {source.id} was deleted or has expired.", param=VIDEO) from error


def _read(
    form: type[_Form], fields: Mapping[str, Any], files: Mapping[str, File]
) -> tuple[_Form, File | None, dict[str, Any]]:
    """Return the form's own fields, the file if the request names no video, and all other fields given."""
    own = {name: value for name, value in fields.items() if name in form.model_fields}
    others = {name: value for name, value in fields.items() if name not in own and value is not None}
    parsed = parse_form(form, own)
    file = _file(parsed.video is not None, files)
    if file is None:
        _refuse(others, form)
    return parsed, file, others


def _refuse(others: Mapping[str, Any], form: type[RemixFields]) -> None:
    """Reject all other fields: the source video determines the rest."""
    for name in others:
        if OURS.get(name, name) in OF_FILE:
            raise InvalidRequest(
                f"{name} must be omitted: it is taken from the source video.", param=name[:100]
            )
        allowed = ", ".join(form.model_fields)
        raise InvalidRequest(f"{name[:100]!r} is not a known field; allowed: {allowed}.", param=name[:100])


def _file(named: bool, files: Mapping[str, File]) -> File | None:
    """Return the file, or None if the request names a video."""
    if named == (VIDEO in files):
        raise InvalidRequest(
            f"{VIDEO} is required: " + str(EditFields.model_fields[VIDEO].description) + ".", param=VIDEO
        )
    return files.get(VIDEO)


def _changed(source: Video, engine: Engine, prompt: str, kind: OriginKind, casting: Casting) -> VideoRequest:
    """Return the source's request with a change, and with the characters that the change names."""
    prompt = casting.text(prompt, "prompt")
    _check_prompt(prompt, engine)
    update: dict[str, Any] = {
        "seed": source.seed,
        "origin": _origin(source, engine, prompt, kind),
        "characters": casting.roles,
    }
    if source.request.brief is None:
        update["prompt"] = f"{closed(source.request.prompt)} {prompt}"
    return source.request.model_copy(update=update)


def _check_prompt(prompt: str, engine: Engine) -> None:
    if not material(prompt):
        raise InvalidRequest("prompt is empty or contains only invisible characters.", param="prompt")
    check_tokens("prompt", prompt, engine)


def _origin(source: Video, engine: Engine, prompt: str, kind: OriginKind) -> Origin:
    of_prompts = source.request.brief is None
    return Origin(
        kind=kind,
        prompt=prompt,
        video=source.id,
        film=source.film,
        paragraphs=all_paragraphs(source, engine.prompt_tokens) if of_prompts else (),
        storyboard=None if of_prompts else source.filmed or source.storyboard,
    )


def _edited(request: VideoRequest, engine: Engine, strength: float | None) -> VideoRequest:
    strength = STRENGTH if strength is None else strength
    steps = request.steps or (TURBO_STEPS if request.speed is Speed.TURBO else engine.steps) or 1
    if int(steps * strength) < 1:  # the engine's server runs the last int(steps × strength) steps
        raise InvalidRequest(
            f"strength must be at least {-(-10_000 // steps) / 10_000:g}, which leaves one of {steps} "
            f"steps; got {strength:g}.",
            param="strength",
        )
    origin = request.origin and request.origin.model_copy(update={"strength": strength})
    return request.model_copy(update={"origin": origin})


def _check_takes_video(engine: Engine, offered: frozenset[str], param: str = VIDEO) -> None:
    if engine.video != "none":
        return
    what = f"engine {engine.name} does not accept a video"
    if param != VIDEO:
        raise InvalidRequest(f"{what}; omit {param}.", param=param)
    taking = ", ".join(e.name for e in CATALOGUE.values() if e.video != "none" and e.name in offered)
    choose = f", or choose one of: {taking}" if taking else ": no available engine accepts one"
    raise InvalidRequest(f"{what}; extend the video instead{choose}.", param=param)


def _longer(request: VideoRequest, engine: Engine, by: int, before: int, *, clips: int) -> VideoRequest:
    """Return the request of a film of `before` seconds and `clips` clips that is extended by `by` seconds."""
    if before + by > LONGEST_FILM:
        raise InvalidRequest(
            f"seconds must be at most {max(0, LONGEST_FILM - before)}: the film has {before:,} s of at most "
            f"{LONGEST_FILM:,} s; got {by}.",
            param="seconds",
        )
    if clips + len(clip_lengths(request, engine, by * request.fps)) > MOST_CLIPS:
        raise InvalidRequest(
            f"seconds must be lower: the film already has {clips:,} of at most {MOST_CLIPS:,} clips.",
            param="seconds",
        )
    origin = request.origin and request.origin.model_copy(update={"seconds": by})
    return request.model_copy(update={"origin": origin, "seconds": before + by, "num_frames": None})
