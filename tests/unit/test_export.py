"""`reel export`: the project's timelines, read again as editors do."""

import json
import zipfile
from collections.abc import Callable
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import opentimelineio as otio
import pytest

from reelworks.client import ApiError, NotFound, Video
from reelworks.export.final_cut import fcpxml
from reelworks.export.material import Chapter, Material, Shot, Sound, cuts
from reelworks.export.open_timeline import edit_decision_list, timeline
from reelworks.export.project import export, read_me
from tests.media import clips, sounds

VIDEO = "video_0123456789abcdef0123456789abcdef"


def shot(index: int, start: int, frames: int, *, begin: str = "0", heard: bool = False) -> Shot:
    """A clip of 8 frames a second in a film of 24."""
    return Shot(
        file=f"clips/clip-{index:03d}.mp4",
        name=f"clip-{index:03d}",
        start=start,
        frames=frames,
        begin=Fraction(begin),
        width=96,
        height=64,
        rate=Fraction(8),
        available=Fraction(frames, 24) + Fraction(begin),
        heard=heard,
    )


def material(transition: str = "none", **changes: Any) -> Material:
    """A film of three clips; with a crossfade or wipe, the first two share 9 frames."""
    shared = 9 if transition in ("crossfade", "wipe") else 0
    shots = [
        shot(0, 0, 48 + shared, heard=True),
        shot(1, 48, 72),
        shot(2, 120, 24, begin="1/8"),
    ]
    fields: dict[str, Any] = {
        "title": "Kites & winds",
        "width": 96,
        "height": 64,
        "fps": 24,
        "frames": 144,
        "fit": "cover",
        "transition": transition,
        "transition_frames": 9 if transition != "none" else 0,
        "cuts": cuts(shots, 24),
        "narration": [
            Sound("narration/scene-000.m4a", "scene-000", Fraction(1, 4), Fraction(1), Fraction(1)),
            Sound("narration/scene-001.m4a", "scene-001", Fraction(9, 4), Fraction(5, 2), Fraction(5, 2)),
        ],
        "music": [
            Sound("music.mp3", "music", Fraction(0), Fraction(4), Fraction(4)),
            Sound("music.mp3", "music", Fraction(4), Fraction(2), Fraction(4)),
        ],
        "chapters": [Chapter(0, "A kite rises."), Chapter(48, "It falls.")],
        "captions": ["captions.vtt", "captions.srt"],
        "stems": [],
        "missing": [],
    }
    return Material(**{**fields, **changes})


def spans(track: otio.schema.Track) -> list[tuple[str, float, float]]:
    """Return each item of a track with its start and end in the track, in frames."""
    found = []
    for item in track:
        if isinstance(item, otio.schema.Clip | otio.schema.Gap):
            at = track.range_of_child(item)
            found.append((item.name, at.start_time.value, at.end_time_exclusive().value))
    return found


def read_again(film: Material) -> otio.schema.Timeline:
    text = otio.adapters.write_to_string(timeline(film), "otio_json")
    return otio.adapters.read_from_string(text, "otio_json")


def test_each_piece_lies_where_it_is_in_the_film() -> None:
    pictures, own, narration, music = read_again(material()).tracks
    assert spans(pictures) == [("clip-000", 0, 48), ("clip-001", 48, 120), ("clip-002", 120, 144)]
    assert spans(own) == [("clip-000", 0, 48)]
    assert spans(narration) == [
        *(("", 0, 6), ("scene-000", 6, 30)),
        *(("", 30, 54), ("scene-001", 54, 114)),
    ]
    assert spans(music) == [("music", 0, 96), ("music", 96, 144)]
    assert [track.kind for track in (pictures, own, narration, music)] == ["Video", *["Audio"] * 3]
    last = pictures[2]
    assert last.source_range.start_time.value == 3, "the engine's first frame at 8 a second is left out"
    assert last.media_reference.target_url == "clips/clip-002.mp4"
    assert [(m.name, c.name) for c in pictures for m in c.markers] == [
        ("A kite rises.", "clip-000"),
        ("It falls.", "clip-001"),
    ]


@pytest.mark.parametrize(
    ("transition", "kind"), [("crossfade", "SMPTE_Dissolve"), ("wipe", "Custom_Transition")]
)
def test_clips_that_share_frames_meet_in_a_transition(transition: str, kind: str) -> None:
    pictures = read_again(material(transition)).tracks[0]
    first, between, second, _ = pictures
    assert spans(pictures)[:2] == [("clip-000", 0, 52), ("clip-001", 52, 120)]
    assert (between.transition_type, between.in_offset.value, between.out_offset.value) == (kind, 4, 5)
    assert second.source_range.start_time.value == 4
    assert (
        first.source_range.end_time_exclusive().value + 5
        == first.media_reference.available_range.duration.value
    )


def test_a_fade_leaves_the_clips_apart() -> None:
    pictures = read_again(material("fade")).tracks[0]
    assert [type(item).__name__ for item in pictures] == ["Clip"] * 3
    assert "fades through black for 9 frames" in read_me(material("fade"))


def test_an_edit_decision_list_has_the_cuts() -> None:
    text = edit_decision_list(material())
    read = otio.adapters.read_from_string(text, "cmx_3600", rate=24)
    assert [(start, end) for _, start, end in spans(read.tracks[0])] == [(0, 48), (48, 120), (120, 144)]
    assert "* FROM CLIP NAME:  clip-002" in text
    assert "TITLE: Kites & winds" in text


def test_an_edit_decision_list_has_dissolves_but_no_wipes() -> None:
    assert " D 009 " in edit_decision_list(material("crossfade"))
    assert " D " not in edit_decision_list(material("wipe"))
    read = otio.adapters.read_from_string(edit_decision_list(material("crossfade")), "cmx_3600", rate=24)
    assert read.tracks[0].duration().value == 144


def seconds(text: str | None) -> Fraction:
    assert text
    return Fraction(text.removesuffix("s"))


@pytest.mark.parametrize("transition", ["none", "crossfade", "wipe"])
def test_final_cut_s_timeline_has_no_gaps_and_names_every_file(transition: str) -> None:
    root = ElementTree.fromstring(fcpxml(material(transition)))
    resources = {one.get("id"): one for one in root.find("resources") or ()}
    spine = root.find("library/event/project/sequence/spine")
    assert spine is not None
    at = Fraction(0)
    for clip in spine.findall("asset-clip"):
        assert seconds(clip.get("offset")) == at
        at += seconds(clip.get("duration"))
        asset = resources[clip.get("ref")]
        assert seconds(clip.get("start")) + seconds(clip.get("duration")) <= seconds(asset.get("duration"))
        assert asset.get("format") in resources
    assert at == 6
    files = [one.get("src") for one in root.iter("media-rep")]
    assert sorted(map(str, files)) == [
        *(f"./clips/clip-00{index}.mp4" for index in range(3)),
        *("./music.mp3", "./narration/scene-000.m4a", "./narration/scene-001.m4a"),
    ]
    [dissolve] = spine.findall("transition") if transition == "crossfade" else [None]
    if dissolve is not None:
        assert (seconds(dissolve.get("offset")), seconds(dissolve.get("duration"))) == (2, Fraction(9, 24))
        assert resources[(dissolve.find("filter-video") or dissolve[0]).get("ref")].tag == "effect"
    assert [one.get("value") for one in spine.iter("chapter-marker")] == ["A kite rises.", "It falls."]


def test_final_cut_s_sounds_are_connected_to_the_clip_during_which_they_start() -> None:
    root = ElementTree.fromstring(fcpxml(material("crossfade")))
    placed = {}
    for clip in root.findall("library/event/project/sequence/spine/asset-clip"):
        for sound in clip.findall("asset-clip"):
            at = seconds(clip.get("offset")) + seconds(sound.get("offset")) - seconds(clip.get("start"))
            placed[sound.get("name"), at] = (clip.get("name"), sound.get("audioRole"))
    assert placed == {
        ("scene-000", Fraction(1, 4)): ("clip-000", "dialogue"),
        ("scene-001", Fraction(9, 4)): ("clip-001", "dialogue"),
        ("music", Fraction(0)): ("clip-000", "music"),
        ("music", Fraction(4)): ("clip-001", "music"),
    }
    heard = {one.get("name"): one.get("srcEnable") for one in root.iter("asset-clip")}
    assert (heard["clip-000"], heard["clip-001"]) == ("all", "video")


MANIFEST = {
    "title": "Kites",
    "size": "96x64",
    "fps": 8,
    "rendered_fps": 8,
    "fit": "cover",
    "frames": 16,
    "clip_sound": "drop",
    "transition": "none",
    "music": "0" * 64,
    "delivered": [{"variant": "video"}, {"variant": "captions"}, {"variant": "stems"}],
    "scenes": [
        {
            "index": 0,
            "at": {"start": 0.0, "end": 2.0},
            "narration": {"text": "A kite rises.", "at": {"start": 0.1, "end": 1.1}},
            "clips": [
                {"index": 0, "prompt": "A kite", "skipped": 2, "frames": 16, "at": {"start": 0.0, "end": 2.0}}
            ],
        }
    ],
}


def stems() -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr("mix.wav", sounds.encoded(sounds.tone(2, 440)).getvalue())
    return file.getvalue()


class Api:
    """The client's calls that an export makes, answered from memory."""

    def __init__(self, music: bytes | None, stage: str = "completed") -> None:
        self._music = music
        self._video = Video(id=VIDEO, status=stage, stage=stage)
        self._files = {
            "manifest": json.dumps(MANIFEST).encode(),
            "video": clips.clip(16),
            "captions": b"WEBVTT\n",
            "stems": stems(),
        }

    def status(self, video_id: str) -> Video:
        return self._video

    def download(self, video_id: str, path: Path, *, variant: str = "video") -> int:
        assert video_id == VIDEO
        return path.write_bytes(self._files[variant])

    def download_clip(self, video_id: str, clip: int, path: Path) -> int:
        return path.write_bytes(clips.clip(18, seed=clip))

    def preview(self, video_id: str, scene: int, part: str, path: Path) -> int:
        return path.write_bytes(sounds.encoded(sounds.tone(1, 440), "flac").getvalue())

    def download_music(self, video_id: str, path: Path) -> int:
        if self._music is None:
            raise NotFound("The music has expired.", status=404)
        return path.write_bytes(self._music)


Exported = Callable[[Api], tuple[Material, Path]]


@pytest.fixture
def exported(tmp_path: Path) -> Exported:
    def run(api: Api) -> tuple[Material, Path]:
        path = tmp_path / "kites.zip"
        return export(api, VIDEO, path), path  # type: ignore[arg-type]

    return run


def test_a_project_is_one_zip_with_everything(exported: Exported) -> None:
    music = sounds.encoded(sounds.tone(1.5, 220), "flac").getvalue()
    made, path = exported(Api(music))
    with zipfile.ZipFile(path) as file:
        assert file.testzip() is None
        assert {name.removeprefix(f"{VIDEO}/") for name in file.namelist()} == {
            *("README.txt", "film.otio", "film.fcpxml", "film.mp4", "manifest.json"),
            *("clips/clip-000.mp4", "narration/scene-000.m4a", "music.flac", "captions.vtt"),
            "stems/mix.wav",
        }
        read = otio.adapters.read_from_string(file.read(f"{VIDEO}/film.otio").decode(), "otio_json")
        assert "timecode has no 8 frames a second" in file.read(f"{VIDEO}/README.txt").decode()
    [clip] = read.tracks[0]
    assert (clip.source_range.start_time.value, clip.source_range.duration.value) == (2, 16)
    assert clip.media_reference.available_range.duration.value == 18
    assert [(one.start, one.seconds) for one in made.music] == [
        (0, Fraction(3, 2)),
        (Fraction(3, 2), Fraction(1, 2)),
    ]
    assert made.narration[0].start == Fraction(1, 10)


def test_music_that_has_expired_is_named(exported: Exported) -> None:
    made, path = exported(Api(None))
    assert made.missing == ["The music has expired."]
    with zipfile.ZipFile(path) as file:
        assert "Not included: The music has expired." in file.read(f"{VIDEO}/README.txt").decode()


def test_nothing_is_left_of_an_export_that_fails(exported: Exported, tmp_path: Path) -> None:
    class Lost(Api):
        def download_clip(self, video_id: str, clip: int, path: Path) -> int:
            raise ApiError("lost")

    with pytest.raises(ApiError):
        exported(Lost(None))
    assert list(tmp_path.iterdir()) == []


def test_a_film_that_is_made_again_is_not_exported(exported: Exported, tmp_path: Path) -> None:
    with pytest.raises(ApiError, match=r"is rendering\. Export it once it is completed"):
        exported(Api(None, stage="rendering"))
    assert list(tmp_path.iterdir()) == []
