"""A film's timeline in OpenTimelineIO's format, and as an edit decision list (CMX 3600)."""

from collections.abc import Iterable
from fractions import Fraction

import opentimelineio as otio
from opentimelineio.opentime import RationalTime, TimeRange

from reelworks.export.material import Cut, Material, Sound, own_sounds

_TRACKS = otio.schema.TrackKind


def timeline(material: Material) -> otio.schema.Timeline:
    """Return the film's timeline: its pictures, and a track each for the clips' own sound, the narration and
    the music. Files are named by their paths in the project's folder."""
    made = otio.schema.Timeline(material.title, global_start_time=RationalTime(0, material.fps))
    made.tracks.append(_pictures(material))
    if heard := own_sounds(material):
        made.tracks.append(_sounds(material, "Clips", heard))
    if material.narration:
        made.tracks.append(_sounds(material, "Narration", material.narration))
    if material.music:
        made.tracks.append(_sounds(material, "Music", material.music))
    return made


def edit_decision_list(material: Material) -> str | None:
    """Return the cuts and dissolves of the film's pictures, which is all that the format has. None: its
    timecode doesn't have the film's frame rate."""
    if not RationalTime.is_smpte_timecode_rate(material.fps):
        return None
    made = otio.schema.Timeline(material.title, global_start_time=RationalTime(0, material.fps))
    made.tracks.append(_pictures(material, edl=True))
    text: str = otio.adapters.write_to_string(made, "cmx_3600", rate=material.fps)
    return text


def _with_pictures(material: Material, *, edl: bool = False) -> otio.schema.Timeline:
    made = otio.schema.Timeline(material.title, global_start_time=RationalTime(0, material.fps))
    made.tracks.append(_pictures(material, edl=edl))
    return made


def _pictures(material: Material, *, edl: bool = False) -> otio.schema.Track:
    """`edl`: only what an edit decision list can have: whole frames and dissolves."""
    track, fps = otio.schema.Track("Pictures", kind=_TRACKS.Video), material.fps
    for cut in material.cuts:
        begin, available = cut.begin * fps, cut.shot.available * fps
        if edl:
            begin, available = Fraction(round(begin)), Fraction(round(available))
        clip = _clip(cut.shot.file, cut.shot.name, _range(begin, cut.frames, fps), _range(0, available, fps))
        clip.markers.extend(
            otio.schema.Marker(name=chapter.title, marked_range=_range(begin, 1, fps))
            for chapter in material.chapters
            if chapter.start == cut.shot.start
        )
        dissolves = material.transition == "crossfade"
        if cut.before + cut.behind and (dissolves or not edl):
            track.append(_transition(material, cut, dissolves=dissolves))
        track.append(clip)
    return track


def _transition(material: Material, cut: Cut, *, dissolves: bool) -> otio.schema.Transition:
    kinds = otio.schema.TransitionTypes
    return otio.schema.Transition(
        name=material.transition,
        transition_type=kinds.SMPTE_Dissolve if dissolves else kinds.Custom,
        in_offset=_time(cut.before, material.fps),
        out_offset=_time(cut.behind, material.fps),
    )


def _sounds(material: Material, name: str, sounds: Iterable[Sound]) -> otio.schema.Track:
    track, at = otio.schema.Track(name, kind=_TRACKS.Audio), Fraction(0)
    for sound in sounds:
        if sound.start > at:
            track.append(otio.schema.Gap(duration=_time((sound.start - at) * material.fps, material.fps)))
        begin, seconds, available = (
            one * material.fps for one in (sound.begin, sound.seconds, sound.available)
        )
        track.append(
            _clip(
                sound.file,
                sound.name,
                _range(begin, seconds, material.fps),
                _range(0, available, material.fps),
            )
        )
        at = max(at, sound.start) + sound.seconds
    return track


def _clip(file: str, name: str, shown: TimeRange, available: TimeRange) -> otio.schema.Clip:
    reference = otio.schema.ExternalReference(target_url=file, available_range=available)
    reference.name = name
    return otio.schema.Clip(name=name, media_reference=reference, source_range=shown)


def _range(start: Fraction | float, duration: Fraction | float, rate: int) -> TimeRange:
    return TimeRange(_time(start, rate), _time(duration, rate))


def _time(frames: Fraction | float, rate: int) -> RationalTime:
    return RationalTime(float(frames), rate)
