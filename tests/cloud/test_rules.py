"""The rules of records and executions, in any order that hypothesis thinks of, kills included.

What a client, the queue and upkeep do is the functions' own code on tables that evaluate their conditions. An
execution's steps write what the states write to the record. Every walk ends with a quiet time: messages
arrive, upkeep runs, executions go on. Then each video has ended, its quotas are given back, and no attempt
made a clip twice.

REELWORKS_RULES=1000 walks longer and more often:

    REELWORKS_RULES=1000 python -m pytest -n 0 tests/cloud/test_rules.py
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from lambdas.adapters import stores
from lambdas.adapters.clients import client
from lambdas.adapters.executions import Machine
from lambdas.adapters.requests_queue import QueuedRequest
from lambdas.api.cancel_delete import Ending
from lambdas.api.review_actions import Editing
from lambdas.domain import names
from lambdas.domain.errors import NotReady, VideoClosed, VideoNotFound
from lambdas.domain.failures import failure
from lambdas.domain.prices import AWS
from lambdas.domain.stages import Stage
from lambdas.domain.video import Video, execution_name, video_id
from lambdas.domain.video_parts import ClipProgress, ClipState
from lambdas.domain.video_request import Gate
from lambdas.intake.accept import Intake
from lambdas.intake.dispatch import dispatch
from lambdas.production.task_token import VideoTask
from lambdas.settings import ApiSettings, UpkeepSettings
from lambdas.tasks.record_failure import RecordFailure
from lambdas.tasks.review import ReviewTask, review
from lambdas.tasks.write_storyboard import write_storyboard
from lambdas.upkeep.heal import AT_ONCE, Heal
from tests.cloud.in_process_aws import MACHINE, Killed, in_process_aws

WALKS = int(os.environ.get("REELWORKS_RULES", "0"))
TENANT = "acme"
CLIP_COST = 0.25
NONCES = ("one", "two", "reviewed")
REVIEWED = video_id(TENANT, NONCES[2])
VIDEOS = st.sampled_from([video_id(TENANT, nonce) for nonce in NONCES])
DEEDS = st.sampled_from(["create", "dispatch", "cancel", "retry", "upkeep", "approve", "edit"])
KILLS = st.sampled_from([None] * 14 + [*range(2, 16, 2)])  # mostly none, or walks stay short
QUIET_ROUNDS = 30
_FIELDS = {"prompt": "A kite in the wind", "seconds": 1}
_SCENE = {"image": {"positive_prompt": "A kite"}, "video": {"positive_prompt": "A kite flies"}, "seconds": 1}
_REVIEWED = {
    "storyboard": {"title": "A kite", "scenes": [_SCENE]},
    "narrate": False,
    "review": ["storyboard"],
}
_ORDER = (Stage.PLANNING, Stage.RENDERING, Stage.ASSEMBLING, Stage.PUBLISHING, Stage.COMPLETED)
_SETTINGS: dict[str, Any] = {
    "videos_table": "videos",
    "clips_table": "clips",
    "input_bucket": "input",
    "output_bucket": "output",
    "requests_queue_url": "http://127.0.0.1:1/000000000000/requests",
    "engines": "animatic",
    "default_engine": "animatic",
    "model_aliases": "",
    "retention_days": 90,
    "prices": AWS.model_dump_json(),
    "api_keys_table": "api-keys",
    "state_machine_arn": MACHINE,
    "text_model": "amazon.nova-lite-v1:0",
    "text_seconds": "90",
    "voice": "Joanna",
    "voice_engine": "neural",
    "webhooks_table": "webhooks",
    "webhooks_queue_url": "http://127.0.0.1:1/000000000000/webhooks",
    "deliver_function": "deliver",
}
_PROJECTIONS: dict[str, dict[str, Any]] = {
    "by_created": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["parts"]},
    "open": {"ProjectionType": "KEYS_ONLY"},
}
_UPKEEP = {
    "event_bus": "videos",
    "build_project": "assemble",
    "intake_function": "intake",
    "dead_letter_queue_urls": "",
    "endpoint_prefix": "reelworks",
    "invocation_seconds": 900,
    "request_ttl_seconds": 3600,
    "film_hours": 144,
}


@dataclass
class _Place:
    """Where an execution is that has a review."""

    state: str = "write"  # then review, wait, write again, and film
    entered: datetime = datetime.min
    token: str = ""


def _no_model() -> Any:
    """No text model is asked: the storyboard is the user's."""
    return None


class Rules(RuleBasedStateMachine):
    @initialize()
    def deploy(self) -> None:
        self._aws = in_process_aws()
        self.aws = self._aws.__enter__()
        for bucket in ("input", "output"):
            client("s3").create_bucket(Bucket=bucket)
        self.api = ApiSettings(**_SETTINGS)
        known = {name: value for name, value in _SETTINGS.items() if name in UpkeepSettings.model_fields}
        self.upkeep_settings = UpkeepSettings(**{**known, **_UPKEEP})
        _create_table("videos", by_created=("tenant", "created"), open=("open", "updated_ms"))
        _create_table("api-keys")
        _create_table("clips")
        self.videos = stores.videos(self.api)
        self.events = stores.events(self.upkeep_settings)
        self.clips_made: dict[tuple[str, int], int] = {}  # by video and attempt
        self.deleted: set[str] = set()
        self.reviews: dict[str, _Place] = {}  # by execution
        self.edits = 0
        self._create(NONCES[2])  # in every walk: it takes the most steps

    def teardown(self) -> None:
        if not hasattr(self, "_aws"):
            return
        try:
            if hasattr(self, "deleted"):
                self._until_quiet()
        finally:
            self._aws.__exit__(None, None, None)

    # --- what happens

    @rule(nonce=st.sampled_from(NONCES), kill=KILLS)
    def create(self, nonce: str, kill: int | None) -> None:
        self.deleted.discard(video_id(TENANT, nonce))  # it may be there again, whenever the create is killed
        self._killed(kill, lambda: self._create(nonce))

    @rule(again=st.booleans(), kill=KILLS)
    def deliver_message(self, again: bool, kill: int | None) -> None:
        if not self.aws.messages:
            return
        message = self.aws.messages.pop(0)
        request = QueuedRequest.model_validate(message)
        machine = Machine(client("stepfunctions"), MACHINE)
        killed = self._killed(kill, lambda: dispatch(request, self.videos, machine, trace=None))
        if again or killed:
            self.aws.messages.append(message)

    @rule()
    def lose_message(self) -> None:
        self.aws.messages[:1] = []

    @rule(id_=VIDEOS, kill=KILLS)
    def go_on(self, id_: str, kill: int | None) -> None:
        """The execution's next step; one that is killed is tried again, as the state machine retries it."""
        video = self._find(id_)
        if video is None or self.aws.executions.get(execution_name(id_, video.attempt)) != "RUNNING":
            return
        if video.stage not in (Stage.QUEUED, Stage.PREPARING, Stage.REVIEWING, *_ORDER):
            return
        self._killed(kill, lambda: self._step(video))

    @rule(steps=st.integers(1, 6))
    def nothing_happens_for_a_while(self, steps: int) -> None:
        """Without this, most walks never get far."""
        for _ in range(steps):
            self.deliver_message(again=False, kill=None)
            for id_ in _ids():
                self.go_on(id_, None)

    @rule(id_=VIDEOS, recorded=st.booleans(), kill=KILLS)
    def fail(self, id_: str, recorded: bool, kill: int | None) -> None:
        """A step fails. `recorded`: RecordFailure gets to run; else only the execution's end says so."""
        video = self._find(id_)
        name = video and execution_name(id_, video.attempt)
        if name is None or self.aws.executions.get(name) != "RUNNING":
            return
        if recorded:
            reason = failure("RenderClip", {"Error": "EngineFailed", "Cause": "{}"})
            self._killed(kill, lambda: RecordFailure(self.upkeep_settings).record(TENANT, id_, name, reason))
        self.aws.executions[name] = "FAILED"

    @rule(id_=VIDEOS, kill=KILLS)
    def cancel(self, id_: str, kill: int | None) -> None:
        self._killed(kill, lambda: Ending(self.api).cancel(TENANT, id_))

    @rule(id_=VIDEOS, kill=KILLS)
    def retry(self, id_: str, kill: int | None) -> None:
        self._killed(kill, lambda: Editing(self.api).retry(TENANT, id_))

    @rule(kill=KILLS)
    def approve(self, kill: int | None) -> None:
        self._killed(kill, lambda: Editing(self.api).approve(TENANT, REVIEWED))

    @rule(kill=KILLS)
    def edit(self, kill: int | None) -> None:
        self._killed(kill, self._edit)

    @rule(id_=VIDEOS, kill=KILLS)
    def delete(self, id_: str, kill: int | None) -> None:
        if self._find(id_) and not self._killed(kill, lambda: Ending(self.api).delete(TENANT, id_)):
            self.deleted.add(id_)

    @rule(kill=KILLS)
    def upkeep(self, kill: int | None) -> None:
        self._killed(kill, self._heal)

    @rule()
    def lose_executions(self) -> None:
        """A PC's cloud was lost; its records were kept."""
        self.aws.executions.clear()
        self.aws.messages.clear()

    @rule(first=DEEDS, second=DEEDS, id_=VIDEOS, after=st.integers(0, 9))
    def meanwhile(self, first: str, second: str, id_: str, after: int) -> None:
        """One deed comes between two calls of another."""
        self.aws.meanwhile = after, lambda: self._killed(None, lambda: self._deed(second, id_))
        self._killed(None, lambda: self._deed(first, id_))
        self.aws.meanwhile = None

    # --- what always holds

    @invariant()
    def each_is_listed_once_and_what_is_deleted_is_gone(self) -> None:
        if not hasattr(self, "videos"):
            return
        listed, more = self.videos.list(TENANT, after=None, limit=20, newest_first=True)
        ids = [video.id for video in listed]
        assert not more
        assert len(ids) == len(set(ids))
        assert not self.deleted & set(ids)

    @invariant()
    def open_films_hold_their_place_once(self) -> None:
        if not hasattr(self, "videos"):
            return
        found = [video for id_ in _ids() if (video := self._find(id_))]
        counted = self.videos.counters.now(TENANT, found[0].created_ms if found else 0)
        assert counted.videos_in_flight == sum(not video.closed for video in found)
        assert all((video.reserved is None) == video.closed for video in found)

    @invariant()
    def no_clip_is_made_twice_in_an_attempt(self) -> None:
        assert all(made == 1 for made in getattr(self, "clips_made", {}).values())

    # --- how

    def _until_quiet(self) -> None:
        for _ in range(QUIET_ROUNDS):
            self._heal()
            while self.aws.messages:
                self.deliver_message(again=False, kill=None)
            for id_ in _ids():
                self.go_on(id_, None)
            self._approve_what_waits()
            found = [video for id_ in _ids() if (video := self._find(id_))]
            if all(video.closed for video in found):
                break
        assert all(video.closed for video in found), [(video.id, video.stage) for video in found]
        assert all(video.failure for video in found if video.stage is Stage.FAILED)
        # Nothing is a dead end: a retry without further faults completes the film.
        for video in found:
            if video.stage is Stage.FAILED:
                Editing(self.api).retry(TENANT, video.id)
                self._run(video.id)
        self.each_is_listed_once_and_what_is_deleted_is_gone()
        self.open_films_hold_their_place_once()

    def _run(self, id_: str) -> None:
        """Let an attempt go on to its end."""
        for _ in range(QUIET_ROUNDS):
            while self.aws.messages:
                self.deliver_message(again=False, kill=None)
            self.go_on(id_, None)
            self._approve_what_waits()
            self._heal()
        video = self.videos.get(TENANT, id_)
        assert video.stage is Stage.COMPLETED, (video.stage, video.failure)

    def _deed(self, deed: str, id_: str) -> None:
        match deed:
            case "create":
                self.deleted.discard(id_)
                self._create(NONCES[_ids().index(id_)])
            case "dispatch":
                request = QueuedRequest(tenant=TENANT, video_id=id_)
                dispatch(request, self.videos, Machine(client("stepfunctions"), MACHINE), trace=None)
            case "cancel":
                Ending(self.api).cancel(TENANT, id_)
            case "retry":
                Editing(self.api).retry(TENANT, id_)
            case "upkeep":
                self._heal()
            case "approve":
                Editing(self.api).approve(TENANT, REVIEWED)
            case "edit":
                self._edit()

    def _create(self, nonce: str) -> None:
        fields = _REVIEWED if video_id(TENANT, nonce) == REVIEWED else _FIELDS
        Intake(self.api).accept(TENANT, fields, nonce=nonce)

    def _edit(self) -> None:
        self.edits += 1
        board = {"title": f"A kite, edit {self.edits}", "scenes": [_SCENE]}
        Editing(self.api).replace(TENANT, REVIEWED, board, None)

    def _approve_what_waits(self) -> None:
        video = self._find(REVIEWED)
        if video and video.stage is Stage.REVIEWING:
            self._killed(None, lambda: Editing(self.api).approve(TENANT, REVIEWED))

    def _step(self, video: Video) -> None:
        """Do what the state does that follows the record's stage."""
        name = execution_name(video.id, video.attempt)
        if video.id == REVIEWED and not self._reviewed(video, name):
            return
        video = self.videos.get(TENANT, video.id)
        if video.stage is Stage.RENDERING and video.clips[0].state is not ClipState.DONE:
            made = ClipProgress(seconds=1, state=ClipState.DONE, cost=CLIP_COST)
            self.videos.update_entry(TENANT, video.id, "clips", 0, made)
            key = (f"{video.id} {video.created_ms}", video.attempt)
            self.clips_made[key] = self.clips_made.get(key, 0) + 1
            return
        if video.stage is Stage.PREPARING:
            self.videos.advance(TENANT, video.id, Stage.RENDERING, clips=[ClipProgress(seconds=1)])
            return
        place = 0 if video.stage is Stage.QUEUED else min(_ORDER.index(video.stage) + 1, len(_ORDER) - 1)
        changes = {"clips": [ClipProgress(seconds=1)]} if _ORDER[place] is Stage.PLANNING else {}
        if video.stage is not Stage.COMPLETED:
            video = self.videos.advance(TENANT, video.id, _ORDER[place], **changes)
        if video.stage is Stage.COMPLETED:
            self.events.video_ended(video, names.VIDEO_COMPLETED)
            self.aws.executions[name] = "SUCCEEDED"

    def _reviewed(self, video: Video, name: str) -> bool:
        """Do the state's work that comes before the clips of a reviewed film. Return whether it is done."""
        at = self.reviews.setdefault(name, _Place())
        if at.state == "write":
            task = VideoTask(tenant=TENANT, video_id=video.id)
            boards = stores.inputs(self.api), stores.outputs(self.api)
            written = write_storyboard(task, self.videos, *boards, _no_model())
            at.state = "review" if Gate.STORYBOARD in written.review else "film"
            at.entered = datetime.now(UTC)
        elif at.state == "review":
            at.token = f"{name} {len(self.aws.waiting)}"  # each try of the state has its own
            self.aws.waiting[at.token] = name
            asked = {"tenant": TENANT, "video_id": video.id, "token": at.token, "execution": name}
            task = ReviewTask(**asked, gate=Gate.STORYBOARD, entered=at.entered, seconds=3600)
            decided = review(task, self.videos, stores.reviews(self.api), self.events)
            at.state = "write" if decided else "wait"
        elif at.state == "wait" and at.token in self.aws.answers:
            at.state = "write"  # whatever was decided: it reads the record
        return at.state == "film"

    def _heal(self) -> None:
        Heal(self.upkeep_settings, AT_ONCE).next_page(lambda: True)

    def _find(self, id_: str) -> Video | None:
        kill, self.aws.kill_after = self.aws.kill_after, None
        try:
            return self.videos.get(TENANT, id_)
        except VideoNotFound:
            return None
        finally:
            self.aws.kill_after = kill

    def _killed(self, after: int | None, act: Callable[[], Any]) -> bool:
        """Do it, with the process killed before the call after so many. Return whether it was cut off."""
        self.aws.kill_after = after
        try:
            act()
        except Killed:
            return True
        except (NotReady, VideoClosed, VideoNotFound):
            return False
        finally:
            self.aws.kill_after = None
        return False


def _create_table(name: str, **indexes: tuple[str, str]) -> None:
    def keys_of(partition: str, sort: str) -> list[dict[str, str]]:
        return [
            {"AttributeName": partition, "KeyType": "HASH"},
            {"AttributeName": sort, "KeyType": "RANGE"},
        ]

    found = [
        {"IndexName": index, "KeySchema": keys_of(*pair), "Projection": _PROJECTIONS[index]}
        for index, pair in indexes.items()
    ]
    attributes = {"pk", "sk", *(one for pair in indexes.values() for one in pair)}
    client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": one, "AttributeType": "N" if one == "updated_ms" else "S"}
            for one in sorted(attributes)
        ],
        KeySchema=keys_of("pk", "sk"),
        **({"GlobalSecondaryIndexes": found} if found else {}),
    )


def _ids() -> list[str]:
    return [video_id(TENANT, nonce) for nonce in NONCES]


TestRules = Rules.TestCase
TestRules.settings = settings(
    max_examples=WALKS or 8,
    stateful_step_count=50 if WALKS else 25,
    deadline=None,
    derandomize=not WALKS,
    database=None,
    suppress_health_check=list(HealthCheck),
    # A walk takes a second: finding the shortest that fails would take minutes.
    phases=[Phase.explicit, Phase.generate, *([Phase.shrink] if WALKS else [])],
)


@pytest.mark.parametrize("deed", ["create", "cancel"])
def test_what_is_done_twice_at_once_counts_once(deed: str) -> None:
    for after in range(12):
        walk = Rules()
        walk.deploy()
        try:
            if deed != "create":
                walk.create(NONCES[0], None)
            walk.meanwhile(deed, deed, _ids()[0], after)
            walk.open_films_hold_their_place_once()
        finally:
            walk.teardown()
