"""A film's timeline as FCPXML, which Final Cut Pro and DaVinci Resolve read.

Written here: OpenTimelineIO's adapter for it has no transitions and rounds frame rates. Elements and times as
in Apple's FCPXML reference, version 1.10: https://developer.apple.com/documentation/professional-video-applications/fcpxml-reference
"""

from fractions import Fraction
from urllib.parse import quote
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from reelworks.export.material import Cut, Material, Shot, Sound

VERSION = "1.10"
_CROSS_DISSOLVE = "FxPlug:4731E73A-8DAC-4113-9A30-AE85B1761265"
_STEREO = {"hasAudio": "1", "audioSources": "1", "audioChannels": "2", "audioRate": "48000"}


def fcpxml(material: Material) -> bytes:
    """Return the document. Files are named by their paths beside it."""
    return _Project(material).document()


class _Project:
    def __init__(self, material: Material) -> None:
        self._material = material
        self._root = Element("fcpxml", version=VERSION)
        self._resources = SubElement(self._root, "resources")
        self._assets: dict[str, str] = {}  # by file
        self._formats: dict[tuple[int, int, Fraction], str] = {}
        film = self._format(material.width, material.height, Fraction(material.fps))
        event = SubElement(SubElement(self._root, "library"), "event", name=material.title)
        project = SubElement(event, "project", name=material.title)
        sequence = SubElement(
            project,
            "sequence",
            format=film,
            duration=_time(Fraction(material.frames, material.fps)),
            tcStart="0s",
            tcFormat="NDF",
            audioLayout="stereo",
            audioRate="48k",
        )
        self._spine = SubElement(sequence, "spine")

    def document(self) -> bytes:
        sounds = [(sound, "dialogue") for sound in self._material.narration]
        sounds += [(sound, "music") for sound in self._material.music]
        for number, cut in enumerate(self._material.cuts):
            if cut.before + cut.behind and self._material.transition == "crossfade":
                self._dissolve(cut)
            clip = self._clip(cut)
            later = self._material.cuts[number + 1 :][:1]
            end = Fraction(later[0].start, self._material.fps) if later else None
            start = Fraction(cut.start, self._material.fps)
            for sound, role in sounds:
                if start <= sound.start and (end is None or sound.start < end):
                    self._connected(clip, cut, sound, role)
            for chapter in self._material.chapters:
                if chapter.start == cut.shot.start:
                    SubElement(
                        clip,
                        "chapter-marker",
                        start=_time(cut.begin),
                        duration=_time(Fraction(1, self._material.fps)),
                        value=chapter.title,
                    )
        indent(self._root)
        head = b'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE fcpxml>\n'
        text: bytes = tostring(self._root, encoding="utf-8")
        return head + text + b"\n"

    def _clip(self, cut: Cut) -> Element:
        shot = cut.shot
        return SubElement(
            self._spine,
            "asset-clip",
            ref=self._pictures(shot),
            name=shot.name,
            offset=_time(Fraction(cut.start, self._material.fps)),
            start=_time(cut.begin),
            duration=_time(Fraction(cut.frames, self._material.fps)),
            tcFormat="NDF",
            srcEnable="all" if shot.heard else "video",
        )

    def _connected(self, clip: Element, cut: Cut, sound: Sound, role: str) -> None:
        """Attach a sound to the clip during which it starts. Its offset is in that clip's own time."""
        SubElement(
            clip,
            "asset-clip",
            ref=self._sound(sound),
            lane="-1" if role == "dialogue" else "-2",
            name=sound.name,
            offset=_time(cut.begin + sound.start - Fraction(cut.start, self._material.fps)),
            start=_time(sound.begin),
            duration=_time(sound.seconds),
            audioRole=role,
        )

    def _dissolve(self, cut: Cut) -> None:
        fps = self._material.fps
        transition = SubElement(
            self._spine,
            "transition",
            name="Cross Dissolve",
            offset=_time(Fraction(cut.start - cut.before, fps)),
            duration=_time(Fraction(cut.before + cut.behind, fps)),
        )
        if "dissolve" not in self._assets:
            self._assets["dissolve"] = self._resource("effect", name="Cross Dissolve", uid=_CROSS_DISSOLVE)
        SubElement(transition, "filter-video", ref=self._assets["dissolve"], name="Cross Dissolve")

    def _pictures(self, shot: Shot) -> str:
        return self._asset(
            shot.file,
            shot.name,
            shot.available,
            hasVideo="1",
            format=self._format(shot.width, shot.height, shot.rate),
            **(_STEREO if shot.heard else {}),
        )

    def _sound(self, sound: Sound) -> str:
        return self._asset(sound.file, sound.name, sound.available, **_STEREO)

    def _asset(self, file: str, name: str, seconds: Fraction, **has: str) -> str:
        if file not in self._assets:
            self._assets[file] = self._resource(
                "asset", name=name, start="0s", duration=_time(seconds), **has
            )
            asset = self._resources[-1]
            SubElement(asset, "media-rep", kind="original-media", src=f"./{quote(file)}")
        return self._assets[file]

    def _format(self, width: int, height: int, rate: Fraction) -> str:
        if (width, height, rate) not in self._formats:
            self._formats[width, height, rate] = self._resource(
                "format",
                frameDuration=_time(1 / rate),
                width=str(width),
                height=str(height),
                colorSpace="1-1-1 (Rec. 709)",
            )
        return self._formats[width, height, rate]

    def _resource(self, kind: str, **attributes: str) -> str:
        id_ = f"r{len(self._resources) + 1}"
        SubElement(self._resources, kind, {"id": id_, **attributes})
        return id_


def _time(seconds: Fraction) -> str:
    """Return seconds as FCPXML has them: 5s, 1001/30000s."""
    whole = seconds.denominator == 1
    return f"{seconds.numerator}s" if whole else f"{seconds.numerator}/{seconds.denominator}s"
