"""Write a film's project for video editors as one zip file."""

import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import opentimelineio as otio

from reelworks.client import ApiError, Client
from reelworks.export.final_cut import fcpxml
from reelworks.export.material import Material, gather
from reelworks.export.open_timeline import edit_decision_list, timeline
from reelworks.saved_file import SavedFile


def export(
    client: Client, video_id: str, path: Path, on_progress: Callable[[int, int], Any] = lambda *_: None
) -> Material:
    """Save the project of a video's latest film as a zip file, completely or not at all, and return what is
    in it. `on_progress` is called with the number of files that are there, and with all.

    Raises ApiError, also until the film is completed; OSError; ClipUnreadable, SoundUnreadable.
    """
    video = client.status(video_id)
    if (
        video.status != "completed"
    ):  # the clips may be those of a new attempt, and the manifest the last one's
        raise ApiError(f"Video {video_id} is {video.stage}. Export it once it is completed.")
    with tempfile.TemporaryDirectory(prefix="reelworks-export-") as scratch:
        folder, packed = Path(scratch, video_id), Path(scratch, "packed.zip")
        folder.mkdir()
        material = gather(client, video_id, folder, on_progress)
        otio.adapters.write_to_file(timeline(material), str(folder / "film.otio"))
        if (edl := edit_decision_list(material)) is not None:
            (folder / "film.edl").write_text(edl, "utf-8")
        (folder / "film.fcpxml").write_bytes(fcpxml(material))
        (folder / "README.txt").write_text(read_me(material, edl=edl is not None), "utf-8")
        _pack(folder, packed)
        with SavedFile(path) as file, packed.open("rb") as source:
            file.begin(None)
            while chunk := source.read(1 << 20):
                file.write(chunk)
            file.finish()
    return material


def _pack(folder: Path, packed: Path) -> None:
    """Put a folder in a zip file, under its name. Pictures and sound are compressed already."""
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as file:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                file.write(path, path.relative_to(folder.parent))


def read_me(material: Material, *, edl: bool = True) -> str:
    """Return what is in the project, and what an editor has to set anew."""
    rate = f"timecode has no {material.fps} frames a second"
    return "\n".join(
        [
            material.title,
            "",
            f"{material.width}x{material.height}, {material.fps} frames a second, {material.frames} frames.",
            "Unpack the folder, then open one of the timelines in your editor:",
            "",
            "  film.otio    OpenTimelineIO: DaVinci Resolve, Premiere Pro, Kdenlive and others",
            "  film.fcpxml  Final Cut Pro and DaVinci Resolve",
            *(["  film.edl     edit decision list (CMX 3600): the cuts of the pictures only"] if edl else []),
            "",
            *_contents(material),
            "  film.mp4     the finished film, for comparison",
            "",
            "Timelines have cuts and positions. Set anew what they don't have:",
            "",
            *(f"- {line}" for line in _left(material)),
            *(f"- Not included: {line}" for line in material.missing),
            *([] if edl else [f"- Not included: an edit decision list, whose {rate}."]),
            "",
        ]
    )


def _contents(material: Material) -> list[str]:
    lines = ["  clips/       the clips, as the engine made them"]
    if material.narration:
        lines.append("  narration/   the narration of each scene")
    lines += [f"  {file:<12} the music" for file in dict.fromkeys(one.file for one in material.music)]
    lines += [f"  {file:<12} the captions" for file in material.captions]
    if material.stems:
        lines.append(
            "  stems/       the film's mix, and narration, music and clips as loud as they are in it"
        )
    return lines


def _left(material: Material) -> list[str]:
    left = ["Loudness: the film has -16 LUFS and no true peak above -1 dBTP."]
    if material.music and material.narration:
        left.append("Music: the film lowers it while somebody speaks.")
    if material.transition not in ("none", "crossfade"):
        kind = {"fade": "fades through black"}.get(material.transition, f"has a {material.transition}")
        left.append(f"Transitions: the film {kind} for {material.transition_frames} frames between clips.")
    shapes = {(cut.shot.width, cut.shot.height) for cut in material.cuts}
    if shapes != {(material.width, material.height)}:
        ways = {"cover": "fill the frame and are cropped", "contain": "have black bars"}
        how = ways.get(material.fit, "have blurred bars")
        left.append(f"Size: clips of another size are scaled; of another shape, they {how}.")
    return left
