"""The stages of a video and the transitions allowed between them."""

from enum import StrEnum


class Stage(StrEnum):
    QUEUED = "queued"
    PLANNING = "planning"
    REVIEWING = "reviewing"  # waiting for the user
    PREPARING = "preparing"  # voices and stills
    RENDERING = "rendering"
    ASSEMBLING = "assembling"
    PUBLISHING = "publishing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


CLOSED = frozenset({Stage.COMPLETED, Stage.FAILED, Stage.CANCELLED})
_ENDS = frozenset({Stage.FAILED, Stage.CANCELLED})
# Each open stage may be entered again (a step is retried), and every stage may return to queued: a new
# attempt after the execution was lost, or at the user's request (a retry, an edited storyboard).
NEXT: dict[Stage, frozenset[Stage]] = {
    Stage.QUEUED: frozenset({Stage.QUEUED, Stage.PLANNING}) | _ENDS,
    Stage.PLANNING: frozenset(
        {Stage.PLANNING, Stage.REVIEWING, Stage.PREPARING, Stage.RENDERING, Stage.QUEUED}
    )
    | _ENDS,
    # After the first gate the film continues with voices and stills, after the second with clips, after the
    # last with its delivery; from each it may return to planning to be rewritten.
    Stage.REVIEWING: frozenset(
        {Stage.REVIEWING, Stage.PLANNING, Stage.PREPARING, Stage.PUBLISHING, Stage.QUEUED}
    )
    | _ENDS,
    Stage.PREPARING: frozenset({Stage.PREPARING, Stage.REVIEWING, Stage.RENDERING, Stage.QUEUED}) | _ENDS,
    Stage.RENDERING: frozenset({Stage.RENDERING, Stage.ASSEMBLING, Stage.QUEUED}) | _ENDS,
    Stage.ASSEMBLING: frozenset({Stage.ASSEMBLING, Stage.REVIEWING, Stage.PUBLISHING, Stage.QUEUED}) | _ENDS,
    Stage.PUBLISHING: frozenset({Stage.PUBLISHING, Stage.COMPLETED, Stage.QUEUED}) | _ENDS,
    Stage.COMPLETED: frozenset({Stage.QUEUED}),
    Stage.FAILED: frozenset({Stage.QUEUED}),
    Stage.CANCELLED: frozenset({Stage.QUEUED}),
}


def stages_before(stage: Stage) -> frozenset[Stage]:
    """Return the stages that may come directly before `stage`."""
    return frozenset(before for before, after in NEXT.items() if stage in after)
