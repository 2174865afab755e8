"""What a film was made of, as files in a folder, and where each is in the film.

All times are exact: in frames of the film, or in seconds as fractions.
"""

import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

from lambdas.media.probe import probe
from lambdas.media.sound_file import find_sound
from lambdas.media.sound_input import RATE, samples
from reelworks.client import Client, NotFound

_CAPTIONS = {"captions": "vtt", "captions_srt": "srt", "captions_ass": "ass"}  # extensions by variant


@dataclass(frozen=True)
class Shot:
    """A clip and its place in the film. `begin`: the second of its file at which it begins there."""

    file: str  # path in the folder
    name: str
    start: int  # frame of the film
    frames: int  # of the film
    begin: Fraction
    width: int
    height: int
    rate: Fraction  # of the file's pictures
    available: Fraction  # seconds of the file
    heard: bool  # its sound is in the film


@dataclass(frozen=True)
class Cut:
    """What is shown of a shot between two cuts. Editors show two clips at once only in a transition around a
    cut, so where shots share frames, the cut lies in the middle of them."""

    shot: Shot
    start: int  # frame of the film
    frames: int  # of the film
    begin: Fraction  # seconds of the file
    before: int = 0  # frames of the transition that starts it, before and behind the cut
    behind: int = 0


@dataclass(frozen=True)
class Sound:
    """A sound file and its place in the film, in seconds. `begin`: the second of its file at which it begins
    there."""

    file: str
    name: str
    start: Fraction
    seconds: Fraction
    available: Fraction  # seconds of the file
    begin: Fraction = Fraction(0)


@dataclass(frozen=True)
class Chapter:
    start: int  # frame of the film
    title: str


@dataclass(frozen=True)
class Material:
    title: str
    width: int
    height: int
    fps: int
    frames: int
    fit: str  # how a clip of another shape fills the frame, as the API names it
    transition: str  # between clips that share frames, or that fade: as the API names it
    transition_frames: int
    cuts: list[Cut]
    narration: list[Sound]
    music: list[Sound]
    chapters: list[Chapter]
    captions: list[str]  # paths in the folder
    stems: list[str]  # likewise
    missing: list[str]  # what could not be had, in words


def gather(client: Client, video_id: str, folder: Path, on_progress: Callable[[int, int], Any]) -> Material:
    """Download what the latest film of a video was made of. `on_progress` is called with the number of files
    that are there, and with all. Raises ApiError, OSError; ClipUnreadable."""
    return _Gathering(client, video_id, folder, on_progress).gather()


class _Gathering:
    def __init__(
        self, client: Client, video_id: str, folder: Path, on_progress: Callable[[int, int], Any]
    ) -> None:
        self._client = client
        self._video = video_id
        self._folder = folder
        self._on_progress = on_progress
        self._done = self._all = 0

    def gather(self) -> Material:
        manifest = self._manifest()
        scenes = manifest["scenes"]
        delivered = {file["variant"] for file in manifest["delivered"]}
        captions = [one for one in _CAPTIONS if one in delivered]
        stems = "stems" in delivered
        clips = [clip for scene in scenes for clip in scene["clips"]]
        spoken = [scene for scene in scenes if scene["narration"]]
        self._all = 1 + len(clips) + len(spoken) + len(captions) + bool(manifest["music"]) + stems
        self._save("film.mp4", lambda path: self._client.download(self._video, path))
        missing: list[str] = []
        return Material(
            title=manifest["title"],
            width=(size := _size(manifest["size"]))[0],
            height=size[1],
            fps=manifest["fps"],
            frames=manifest["frames"],
            fit=manifest["fit"],
            transition=manifest.get("transition", "none"),
            transition_frames=manifest.get("transition_frames", 0),
            cuts=cuts([self._shot(manifest, clip) for clip in clips], manifest["fps"]),
            narration=[self._spoken(scene) for scene in spoken],
            music=self._music(manifest, missing),
            chapters=[
                Chapter(round(scene["at"]["start"] * manifest["fps"]), _title_of(scene)) for scene in scenes
            ],
            captions=[self._captions(variant) for variant in captions],
            stems=self._stems() if stems else [],
            missing=missing,
        )

    def _manifest(self) -> Mapping[str, Any]:
        path = self._folder / "manifest.json"
        self._client.download(self._video, path, variant="manifest")
        manifest: Mapping[str, Any] = json.loads(path.read_bytes())
        return manifest

    def _shot(self, manifest: Mapping[str, Any], clip: Mapping[str, Any]) -> Shot:
        file = f"clips/clip-{clip['index']:03d}.mp4"
        path = self._save(file, lambda path: self._client.download_clip(self._video, clip["index"], path))
        info = probe(path)
        return Shot(
            file=file,
            name=path.stem,
            start=round(clip["at"]["start"] * manifest["fps"]),
            frames=clip["frames"],
            begin=Fraction(clip.get("skipped", 0), manifest["rendered_fps"]),
            width=info.width,
            height=info.height,
            rate=info.fps,
            available=info.duration,
            heard=info.has_audio and manifest["clip_sound"] != "drop",
        )

    def _spoken(self, scene: Mapping[str, Any]) -> Sound:
        index, at = scene["index"], scene["narration"]["at"]
        path = self._save(
            f"narration/scene-{index:03d}.m4a",
            lambda path: self._client.preview(self._video, index, "narration", path),
        )
        start, available = _exact(at["start"]), _seconds(path)
        return Sound(
            file=f"narration/{path.name}",
            name=path.stem,
            start=start,
            seconds=min(_exact(at["end"]) - start, available),
            available=available,
        )

    def _music(self, manifest: Mapping[str, Any], missing: list[str]) -> list[Sound]:
        """Return the music, as often as it plays. Of a mood, it is no file: it is a stem."""
        film = Fraction(manifest["frames"], manifest["fps"])
        if manifest.get("music_mood"):
            if "stems" in {file["variant"] for file in manifest["delivered"]}:
                return [Sound("stems/music.wav", "music", Fraction(0), film, film)]
            missing.append("music of a mood, which is a file only in a film with stems (stems=true)")
        if not manifest["music"]:
            return []
        try:
            path = self._save("music", lambda path: self._client.download_music(self._video, path))
        except NotFound as error:
            missing.append(error.message)
            return []
        with path.open("rb") as file:
            kind = find_sound(file).kind
        path = path.rename(self._folder / f"music.{kind}")
        length = _seconds(path)
        starts = [number * length for number in range(-(-film // length))]
        return [Sound(path.name, "music", start, min(length, film - start), length) for start in starts]

    def _captions(self, variant: str) -> str:
        file = f"captions.{_CAPTIONS[variant]}"
        self._save(file, lambda path: self._client.download(self._video, path, variant=variant))
        return file

    def _stems(self) -> list[str]:
        packed = self._save(
            "stems.zip", lambda path: self._client.download(self._video, path, variant="stems")
        )
        with zipfile.ZipFile(packed) as file:
            file.extractall(self._folder / "stems")
            names = file.namelist()
        packed.unlink()
        return [f"stems/{name}" for name in names]

    def _save(self, file: str, fetch: Callable[[Path], Any]) -> Path:
        path = self._folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        fetch(path)
        self._done += 1
        self._on_progress(self._done, self._all)
        return path


def cuts(shots: Sequence[Shot], fps: int) -> list[Cut]:
    """Cut the film's shots in the middle of the frames that they share."""
    shared = [0, *(max(0, a.start + a.frames - b.start) for a, b in pairwise(shots)), 0]
    made = []
    for shot, entering, leaving in zip(shots, shared, shared[1:], strict=False):
        before, out = entering // 2, leaving - leaving // 2
        made.append(
            Cut(
                shot,
                start=shot.start + before,
                frames=shot.frames - before - out,
                begin=shot.begin + Fraction(before, fps),
                before=before,
                behind=entering - before,
            )
        )
    return made


def own_sounds(material: Material) -> list[Sound]:
    """Return the clips' own sound, cut where their pictures are."""
    made = []
    for cut in material.cuts:
        start, seconds = Fraction(cut.start, material.fps), Fraction(cut.frames, material.fps)
        seconds = min(seconds, cut.shot.available - cut.begin)
        if cut.shot.heard:
            shot = cut.shot
            made.append(Sound(shot.file, shot.name, start, seconds, shot.available, cut.begin))
    return made


def _title_of(scene: Mapping[str, Any]) -> str:
    if scene["narration"]:
        return str(scene["narration"]["text"])
    return str(scene["clips"][0]["prompt"])


def _size(text: str) -> tuple[int, int]:
    width, height = text.split("x")
    return int(width), int(height)


def _exact(seconds: float) -> Fraction:
    """Return the seconds that JSON rounded: to a sample of sound, at the most usual rates."""
    return Fraction(seconds).limit_denominator(RATE)


def _seconds(path: Path) -> Fraction:
    """Return the length of a sound file, by its samples. Raises SoundUnreadable."""
    return Fraction(sum(block.shape[1] for block in samples(path, path.name)), RATE)
