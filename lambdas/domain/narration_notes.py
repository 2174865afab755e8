"""Notes to the user on narration that is probably longer than its scene."""

from lambdas.domain.speaking_time import seconds_to_narrate
from lambdas.domain.storyboard import PartialNarration
from lambdas.domain.video_request import NarrationFit, VideoRequest

_MOST_NAMED = 5  # scenes
_HOW = {
    NarrationFit.EXTEND: "they are extended. To keep their length, send narration_fit=faster or fewer words.",
    NarrationFit.FASTER: "it is spoken up to 15% faster, and they are extended by what is still missing.",
    NarrationFit.REFUSE: "the film fails if it is. Send fewer words, more seconds or another narration_fit.",
}


def narration_notes(request: VideoRequest) -> tuple[str, ...]:
    """Return a sentence on the given narration that would take longer than its scene at the pace of an
    unhurried narrator; empty if all fits. What a voice needs is known once it has spoken."""
    if request.brief is None:
        return ()
    scenes = request.brief.given.scenes or []
    longer = []
    for index, (scene, seconds) in enumerate(zip(scenes, request.brief.lengths(), strict=False)):
        takes = _seconds(scene.narration, request.voice.speed) if scene.narration else 0
        if seconds is not None and takes > seconds:
            longer.append(f"{index} ({takes:.0f} s of {seconds:g} s)")
    if not longer:
        return ()
    more = f" and {len(longer) - _MOST_NAMED} more" if len(longer) > _MOST_NAMED else ""
    named = ", ".join(longer[:_MOST_NAMED]) + more
    how = _HOW[request.narration_fit]
    return (f"Narration is probably longer than these scenes, counted from 0: {named}; {how}",)


def _seconds(narration: PartialNarration, speed: float) -> float:
    if narration.recording is not None:
        return narration.recording.scene_seconds
    return seconds_to_narrate(narration.text) / (narration.speed or speed) if narration.text else 0
