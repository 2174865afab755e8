"""Events of the bus, and the webhooks that are made from them."""

import json
from typing import Any

import pytest

from lambdas.adapters.events import Events
from lambdas.domain import names
from lambdas.domain.errors import ServiceUnavailable
from lambdas.domain.stages import Stage
from lambdas.domain.video_parts import ClipProgress, ClipState, Failure, StageEntry
from lambdas.domain.webhooks import WebhookEvent
from tests.factories import a_video

FAILURE = Failure(step="Plan", code="EngineRejected", reason="No.", advice="Change it.")
ENDED_MS = 1_790_000_000_123


class EventBridge:
    """Keeps what is put on the bus, or refuses it."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.entries: list[dict[str, Any]] = []
        self._refuses = refuses

    def put_events(self, *, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        self.entries += Entries
        refused = [{"ErrorMessage": "busy"}]
        return {"FailedEntryCount": 1, "Entries": refused} if self._refuses else {"FailedEntryCount": 0}

    @property
    def webhook(self) -> WebhookEvent:
        [entry] = self.entries
        return WebhookEvent.of(entry["DetailType"], json.loads(entry["Detail"]))


@pytest.mark.parametrize("event", [names.VIDEO_COMPLETED, names.VIDEO_FAILED])
def test_an_end_is_told_with_its_time_whenever_it_is_emitted(event: str) -> None:
    ended = a_video(
        stage=Stage.FAILED,
        failure=FAILURE if event == names.VIDEO_FAILED else None,
        history=[StageEntry(stage=Stage.FAILED, at_ms=ENDED_MS)],
        updated_ms=ENDED_MS + 60_000,
    )
    bus = EventBridge()
    Events(bus, "videos").video_ended(ended, event)
    assert (bus.webhook.type, bus.webhook.created_at) == (event, ENDED_MS // 1000)
    assert bus.webhook.data == {"id": ended.id}, "OpenAI's body"


@pytest.mark.parametrize("stage", [Stage.CANCELLED, Stage.FAILED, Stage.COMPLETED])
def test_a_clip_that_is_done_after_the_end_is_not_told(stage: Stage) -> None:
    clip = ClipProgress(state=ClipState.DONE, seconds=6, finished_ms=ENDED_MS)
    bus = EventBridge()
    Events(bus, "videos").clip_completed(a_video(stage=stage, clips=[clip]), 0, clip)
    assert bus.entries == []
    Events(bus, "videos").clip_completed(a_video(stage=Stage.RENDERING, clips=[clip]), 0, clip)
    assert bus.webhook.data["clips"] == 1


def test_an_event_that_the_bus_refuses_is_an_error_that_may_pass() -> None:
    with pytest.raises(ServiceUnavailable, match="busy"):
        Events(EventBridge(refuses=True), "videos").video_ended(a_video(), names.VIDEO_COMPLETED)
