"""The record of a video: its request, stage and results."""

import hashlib
from collections.abc import Sequence
from itertools import pairwise

from lambdas.domain.characters import CastMember, Description, appearing, voice_of
from lambdas.domain.documents import Document, fingerprint
from lambdas.domain.fonts import Lettered
from lambdas.domain.prices import total
from lambdas.domain.pronunciation import Lexicon, Said, pronounced
from lambdas.domain.quotas import Reservation
from lambdas.domain.shapes import Aspect, Shape
from lambdas.domain.stages import CLOSED, Stage
from lambdas.domain.storyboard import Narration, Storyboard
from lambdas.domain.video_parts import (
    AssemblyProgress,
    ClipProgress,
    ClipState,
    DeliveredFilm,
    Enhancement,
    Failure,
    JoinStep,
    Looked,
    PartProgress,
    Review,
    Rewrite,
    SecondTries,
    StageEntry,
    Writer,
)
from lambdas.domain.video_request import Gate, OnWarning, Tenant, VideoRequest

VIDEO_ID = "video_[0-9a-f]{32}"  # see video_id
TEXT_MODEL = "text_model"  # what a video waits for while the text model writes
_AT_GATE = {Gate.STORYBOARD: 2, Gate.PREVIEWS: 4, Gate.FILM: 97}  # percent


class Source(Document):
    """The drop folder object that requested the video; the film is stored beside it."""

    bucket: str
    key: str
    etag: str


class Video(Document):
    """The record of a video. Times are milliseconds since the epoch."""

    id: str
    tenant: Tenant
    request: VideoRequest
    created_ms: int
    updated_ms: int
    expires_ms: int
    stage: Stage = Stage.QUEUED
    version: int = 1  # increases with every change of the record
    attempt: int = 1  # increases when the execution was lost
    waits_for: str | None = None  # TEXT_MODEL, or nothing in particular
    deleting: bool = False  # its deletion has begun
    source: Source | None = None
    cast: tuple[CastMember, ...] = ()  # the request's characters, and those that edits added
    enhancement: Enhancement | None = None
    writer: Writer | None = None
    storyboard: str | None = None  # SHA-256 of the current storyboard: see keys.storyboard
    filmed: str | None = None  # SHA-256 of the storyboard that the film was made from
    rewrite: Rewrite | None = None  # requested, not yet done
    review: Review | None = None
    approved: tuple[Gate, ...] = ()
    narrations: list[PartProgress] = []  # of the scenes that have one, in order; likewise the stills
    stills: list[PartProgress] = []
    clips: list[ClipProgress] = []
    second_tries: SecondTries | None = None  # set when the clips were checked: see OnWarning.RETRY_ONCE
    looked: Looked | None = None  # set once a vision model was asked about the clips
    # The version of the record that asked for each narration, still and clip: see lambdas.adapters.videos.
    generations: dict[str, list[int]] = {}
    build: str | None = None  # the build that assembles the film, if a function's time is too short
    steps: list[JoinStep] = []  # the visible ones, in the clips as rendered
    assembled: int = 0  # progress of the assembling stage, in percent
    assembly: AssemblyProgress | None = None  # set when it is done
    more_shapes: tuple[Shape, ...] = ()  # asked for since it was created
    shaping: Aspect | None = None  # the further shape that is being made
    films: tuple[DeliveredFilm, ...] = ()  # of all attempts, the oldest first
    film: str | None = None  # key of the latest film in the output bucket
    thumbnail: str | None = None
    spritesheet: str | None = None
    captions: str | None = None  # WebVTT
    captions_srt: str | None = None
    captions_ass: str | None = None
    delivered_storyboard: str | None = None
    quality: str | None = None
    stems: str | None = None
    manifest: str | None = None
    film_bytes: int | None = None
    signed_by: str | None = None  # the certificate of the film's content credentials; None: not signed
    draft: bool = False
    notes: tuple[str, ...] = ()  # what the user should know about how it is made
    failure: Failure | None = None
    reserved: Reservation | None = None  # of the tenant's quotas, until it ends
    max_cost: float | None = None  # USD of all its attempts
    spent: float = 0.0  # USD of its earlier attempts, as far as known
    history: list[StageEntry] = []

    @property
    def shapes(self) -> list[Shape]:
        """The further shapes of its film, each aspect as it was asked for last."""
        return list({one.aspect: one for one in (*self.request.shapes, *self.more_shapes)}.values())

    @property
    def closed(self) -> bool:
        return self.stage in CLOSED

    @property
    def being_made(self) -> bool:
        """Whether it is open and doesn't wait for its user. That may last weeks; the user's decision, or the
        end of its execution, brings it back."""
        return not self.closed and self.stage is not Stage.REVIEWING

    @property
    def progress(self) -> int:
        """The progress from 0 to 100, as in the wire format; rendering takes 5 to 90, assembling 91 to 97."""
        done = sum(clip.state is ClipState.DONE for clip in self.clips)
        match self.stage:
            case Stage.QUEUED:
                return 0
            case Stage.PLANNING:
                return 2
            case Stage.PREPARING:
                return 3
            case Stage.REVIEWING:
                return _AT_GATE[self.review.gate] if self.review else 2
            case Stage.RENDERING:
                return 5 + (85 * done // len(self.clips) if self.clips else 0)
            case Stage.ASSEMBLING:
                return 91 + 6 * self.assembled // 100
            case Stage.PUBLISHING:
                return 97
            case Stage.COMPLETED:
                return 100
            case Stage.FAILED | Stage.CANCELLED:
                return 5 + 85 * done // len(self.clips) if self.clips else 0

    @property
    def cost(self) -> float | None:
        """USD for everything this attempt has made so far, estimated from list prices. None: nothing yet, or
        a price is unknown."""
        return self._cost([*self.narrations, *self.stills, *self.clips])

    @property
    def cost_of_attempt(self) -> float | None:
        """As `cost`, without what an earlier attempt has made and this one has not yet replaced."""
        return self._cost(self._made_in_attempt)

    @property
    def spent_so_far(self) -> float:
        """USD for everything that all attempts have made so far, as far as it is known."""
        known = [cost for cost in self._costs(self._made_in_attempt) if cost is not None]
        return self.spent + (total(known) or 0.0)

    @property
    def _made_in_attempt(self) -> list[PartProgress | ClipProgress]:
        parts: list[PartProgress | ClipProgress] = [*self.narrations, *self.stills]
        return [*(part for part in parts if (part.finished_ms or 0) >= self.attempt_ms), *self.clips]

    def _cost(self, parts: Sequence[PartProgress | ClipProgress]) -> float | None:
        costs = self._costs(parts)
        return total(costs) if costs else None

    def _costs(self, parts: Sequence[PartProgress | ClipProgress]) -> list[float | None]:
        once: list[Enhancement | Writer | SecondTries | Looked | AssemblyProgress | Description | None] = [
            self.enhancement,
            self.writer,
            self.second_tries,
            self.looked,
            self.assembly,
            *(one.described for one in self.cast),
        ]
        costs = [part.cost for part in parts if part.state is ClipState.DONE]
        return costs + [one.cost for one in once if one is not None]

    @property
    def attempt_ms(self) -> int:
        """When the current attempt was asked for."""
        queued = [entry.at_ms for entry in self.history if entry.stage is Stage.QUEUED]
        return queued[-1] if queued else self.created_ms

    @property
    def dated_films(self) -> list[tuple[DeliveredFilm, int]]:
        """Its films, the newest first, each with when it was completed, in milliseconds since the epoch."""
        times = (entry.at_ms for entry in reversed(self.history) if entry.stage is Stage.COMPLETED)
        return list(zip(reversed(self.films), times, strict=False))

    @property
    def seconds(self) -> int:
        """The requested length; an estimate until planned, if scenes last as long as their narration."""
        counted = self.request.brief is not None or self.request.brand is not None
        if not (counted and self.clips):
            return self.request.expected_seconds
        return round(sum(clip.seconds for clip in self.clips))

    @property
    def lettered(self) -> Lettered:
        """The font of its title cards and lower thirds."""
        return self.request.brand.lettered(self.tenant) if self.request.brand else Lettered()

    @property
    def in_stage_since_ms(self) -> int:
        """When it entered its stage; of a video that has ended, when it ended."""
        return self.history[-1].at_ms if self.history else self.updated_ms

    @property
    def failed_ms(self) -> int | None:
        """When it last failed, also if it was tried again since."""
        return max((entry.at_ms for entry in self.history if entry.stage is Stage.FAILED), default=None)

    @property
    def progressed_ms(self) -> int:
        """When its record changed or a part was finished."""
        parts: list[ClipProgress | PartProgress] = [*self.narrations, *self.stills, *self.clips]
        return max([self.updated_ms, *(part.finished_ms or 0 for part in parts)])

    @property
    def film_to_review(self) -> AssemblyProgress | None:
        """The film that waits for the user before it is delivered."""
        waits = self.stage is Stage.REVIEWING and self.review is not None and self.review.gate is Gate.FILM
        return self.assembly if waits else None

    @property
    def awaits_review(self) -> bool:
        """Whether its film, once assembled, waits for the user before it is delivered."""
        warns = self.assembly is not None and bool(self.assembly.warnings)
        return warns and self.request.on_warning is OnWarning.REVIEW and Gate.FILM not in self.approved

    @property
    def gates(self) -> list[Gate]:
        """The gates of the request at which it still has to wait, in order."""
        return [gate for gate in self.request.review if gate not in self.approved]

    @property
    def seed(self) -> int:
        """The request's seed, or a constant one for this video."""
        if self.request.seed is not None:
            return self.request.seed
        return int(hashlib.sha256(self.id.encode()).hexdigest()[:8], 16)


def unchanged_parts(
    video: Video, before: Storyboard, after: Storyboard, cast: Sequence[CastMember] | None = None
) -> dict[str, list[PartProgress]]:
    """Return the record's narrations and stills that still match their scenes, so that nobody mistakes an
    outdated one for what the storyboard says. `cast`: the film's characters from now on, if they change."""
    after_cast = video.cast if cast is None else cast
    played = _played(before, video.cast), _played(after, after_cast)
    pairs = list(enumerate(zip(before.scenes, after.scenes, strict=False)))
    said = {
        index
        for index, (old, new) in pairs
        if old.narration == new.narration
        and _said(old.narration, before.lexicon) == _said(new.narration, after.lexicon)
        and voice_of(old.narration, video.cast) == voice_of(new.narration, after_cast)
    }
    drawn = {
        index
        for index, (old, new) in pairs
        if (old.image, old.first_frame) == (new.image, new.first_frame)
        and before.style == after.style
        and played[0][index] == played[1][index]
    }
    return {
        "narrations": [part for part in video.narrations if part.scene in said],
        "stills": [part for part in video.stills if part.scene in drawn],
    }


def _said(narration: Narration | None, lexicon: Lexicon) -> Said | None:
    """Return how a narration is pronounced."""
    said = pronounced(narration.spoken, lexicon) if narration else None
    return None if said is None or said.is_plain else said


def _played(storyboard: Storyboard, cast: Sequence[CastMember]) -> list[list[str]]:
    """Return what determines how the characters of each scene look."""
    scenes = appearing(cast, storyboard.scene_texts)
    return [[one.appearance.sha256 for one in members] for members in scenes]


def seconds_worked(video: Video) -> float:
    """Return the seconds of a video's current attempt, from its request, without waits for the user."""
    queued = (place for place, entry in enumerate(video.history) if entry.stage is Stage.QUEUED)
    attempt = video.history[max(queued, default=0) :]
    spans = pairwise([*(entry.at_ms for entry in attempt), video.updated_ms])
    pairs = zip(attempt, spans, strict=True)
    return sum(end - start for entry, (start, end) in pairs if entry.stage is not Stage.REVIEWING) / 1000


def video_id(tenant: str, nonce: str) -> str:
    """Return the id of a video. The same tenant and nonce (an idempotency key, a drop object's version or a
    random value) always give the same id, so that one conditional write makes creating idempotent."""
    return "video_" + fingerprint([tenant, nonce])[:32]


def execution_name(video: str, attempt: int) -> str:
    """Return the name of a video's execution: its id, so that starting twice starts only one."""
    return video if attempt == 1 else f"{video}-{attempt}"
