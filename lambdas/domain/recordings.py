"""Check that scenes have room for the recordings they play, and the recordings for their words."""

from collections.abc import Sequence

from lambdas.domain.errors import InvalidRequest
from lambdas.domain.speaking_time import seconds_to_say
from lambdas.domain.storyboard import PartialScene, Recording, Scene
from lambdas.domain.video_request import NarrationFit

MOST_TIMES_FASTER = 3
"""How many times faster than another voice a recording may say its words. More is another text."""


def check_recordings(scenes: Sequence[Scene | PartialScene], fit: NarrationFit) -> None:
    """Raise InvalidRequest for a recording that is longer than its scene, if the request refuses that, or too
    short for its text."""
    for index, scene in enumerate(scenes):
        narration = scene.narration
        if narration is None or narration.recording is None:
            continue
        path, recording = f"scenes[{index}].narration", narration.recording
        if fit is NarrationFit.REFUSE and scene.seconds is not None:
            _check_room(recording, scene.seconds, f"{path}.recording")
        takes = seconds_to_say(narration.text or "")
        if takes > MOST_TIMES_FASTER * recording.seconds:
            raise InvalidRequest(
                f"{path}.text takes about {takes:.0f} s to say, but its recording lasts "
                f"{recording.seconds:g} s; send the text that is said in it, or no text.",
                param=f"{path}.text",
            )


def _check_room(recording: Recording, seconds: float, path: str) -> None:
    if recording.scene_seconds > seconds:
        raise InvalidRequest(
            f"{path} takes {recording.scene_seconds:.1f} s including pauses, "
            f"{recording.scene_seconds - seconds:.1f} s longer than its {seconds:g} s scene. Send a longer "
            "scene, or narration_fit=extend.",
            param=path,
        )
