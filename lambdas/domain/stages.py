"""The stages of a video, and which may follow which."""

from enum import StrEnum


class Stage(StrEnum):
    QUEUED = "queued"
    PLANNING = "planning"
    REVIEWING = "reviewing"  # it waits for the user
    PREPARING = "preparing"  # voices and stills
    RENDERING = "rendering"
    ASSEMBLING = "assembling"
    PUBLISHING = "publishing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


CLOSED = frozenset({Stage.COMPLETED, Stage.FAILED, Stage.CANCELLED})
_ENDS = frozenset({Stage.FAILED, Stage.CANCELLED})
# Each open stage may be entered again (a step retried), and every one may go back to queued: a new attempt,
# after the execution was lost, or asked for by the user (a retry, an edited storyboard).
NEXT: dict[Stage, frozenset[Stage]] = {
    Stage.QUEUED: frozenset({Stage.QUEUED, Stage.PLANNING}) | _ENDS,
    Stage.PLANNING: frozenset(
        {Stage.PLANNING, Stage.REVIEWING, Stage.PREPARING, Stage.RENDERING, Stage.QUEUED}
    )
    | _ENDS,
    # From its first gate the film goes on to its voices and stills, from the second to its clips; from either
    # it goes back to be written anew.
    Stage.REVIEWING: frozenset({Stage.REVIEWING, Stage.PLANNING, Stage.PREPARING, Stage.QUEUED}) | _ENDS,
    Stage.PREPARING: frozenset({Stage.PREPARING, Stage.REVIEWING, Stage.RENDERING, Stage.QUEUED}) | _ENDS,
    Stage.RENDERING: frozenset({Stage.RENDERING, Stage.ASSEMBLING, Stage.QUEUED}) | _ENDS,
    Stage.ASSEMBLING: frozenset({Stage.ASSEMBLING, Stage.PUBLISHING, Stage.QUEUED}) | _ENDS,
    Stage.PUBLISHING: frozenset({Stage.PUBLISHING, Stage.COMPLETED, Stage.QUEUED}) | _ENDS,
    Stage.COMPLETED: frozenset({Stage.QUEUED}),
    Stage.FAILED: frozenset({Stage.QUEUED}),
    Stage.CANCELLED: frozenset({Stage.QUEUED}),
}


def stages_before(stage: Stage) -> frozenset[Stage]:
    """The stages from which `stage` may be entered."""
    return frozenset(before for before, after in NEXT.items() if stage in after)
