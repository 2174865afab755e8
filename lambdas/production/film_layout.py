"""Build the layout of a film from its plan and the clips in S3. The film's bytes are streamed from it.

Everything that must be encoded on the way is its own content-addressed artifact, so a retried task encodes
nothing twice and produces the same film, byte for byte.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from fractions import Fraction
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

from lambdas.adapters.object_source import ObjectSource
from lambdas.adapters.objects import Objects
from lambdas.adapters.shared_objects import SharedObjects
from lambdas.animatic.lettering import draft_mark
from lambdas.domain import keys
from lambdas.domain.assembly import FITS, ClipSound, Fit
from lambdas.domain.documents import fingerprint
from lambdas.domain.engines import CATALOGUE
from lambdas.domain.errors import ClipMismatch, ClipUnreadable
from lambdas.domain.film_plan import Clip, FilmPlan, Footage, Scene
from lambdas.domain.narration import Sentence
from lambdas.domain.quality import CaptionTurn, ClipMeasures, QualityReport, SoundMeasures, report
from lambdas.domain.shapes import point_of
from lambdas.domain.video_parts import JoinStep
from lambdas.media import burned_captions, clip_sound, continuity, splice
from lambdas.media.background import Bed
from lambdas.media.caption_design import Design
from lambdas.media.captions import Cue, timed_text, turns
from lambdas.media.clip_sound import SHORTEST_FADE, SoundPart, lay_sound
from lambdas.media.conform import FilmFormat, conform, conforms
from lambdas.media.images import with_alpha
from lambdas.media.lines import shortened
from lambdas.media.mp4.clip import blame
from lambdas.media.mp4.layout import Layout
from lambdas.media.mp4.merge import Chapter, Piece, lay_out
from lambdas.media.overlays import Overlay, logo_overlay, third_overlay
from lambdas.media.quality import measure_sound
from lambdas.media.sound import Placed, mix, silence
from lambdas.media.sound_input import has_sound
from lambdas.media.source import BytesSource, FileSource, Source
from lambdas.media.stems import pack
from lambdas.production.film_fonts import film_fonts
from lambdas.production.film_music import bed
from lambdas.production.measures import clip_measures, sound_measures

_LONGEST_TITLE = 120  # characters; players show it in the window title
_MOST_IN_MEMORY = 64 * 1024 * 1024  # bytes of one clip; three are in memory
_MAKING = 2  # increment when the same clips produce other bytes


class Film:
    """Lays out the film of a plan, or of its further shape. `inputs` holds the music, `parts` are what was
    encoded before, `scratch` is a folder for the sound, and `encoded` is called for each part that needed
    encoding, once it exists."""

    def __init__(
        self,
        plan: FilmPlan,
        inputs: Objects,
        outputs: Objects,
        parts: SharedObjects,
        scratch: Path,
        encoded: Callable[[], None],
    ) -> None:
        self._plan = plan
        self._inputs = inputs
        self._outputs = outputs
        self._parts = parts
        self._scratch = scratch
        self._encoded = encoded
        self._format = FilmFormat(plan.width, plan.height, Fraction(plan.fps))
        self.steps: list[JoinStep] = []  # set by layout()
        self._clip_measures: list[ClipMeasures | None] = []
        self._sound_measures: SoundMeasures | None = None
        self.stems: Path | None = None  # a zip file, if the plan asks for it; set by layout()

    def layout(self) -> Layout:
        """Return the film's layout.

        Raises ArtifactMissing, ClipMismatch; ClipUnreadable, ClipsDiffer with a clip's index.
        """
        plan = self._plan
        pieces = [self._piece(index) for index in range(len(plan.clips))]
        if plan.shape is None:
            self.steps = self._measured(pieces)
        pieces = self._encoded_where_needed(pieces)
        layout = lay_out(
            pieces,
            sound=self._sound(),
            captions=self._captions(),
            chapters=chapters(plan),
            metadata=metadata(plan),
            fragmented=plan.assembly.fragmented,
        )
        if layout.frames != plan.frames:
            raise ClipMismatch(f"the film must have {plan.frames} frames, as planned; got {layout.frames}")
        return layout

    def report(self) -> QualityReport:
        """Return the quality report of the film that was laid out."""
        return quality_report(self._plan, self._clip_measures, self._sound_measures)

    def _piece(self, index: int) -> Piece:
        """Return a clip, converted if its format or frame count differs from the film's. In a further shape,
        each clip is: it is cropped or framed anew, and nothing that is drawn over the film is in it."""
        clip = self._plan.clips[index]
        key = keys.clip(self._plan.tenant, clip.key_hash)
        source = self._outputs.source(key)
        self._clip_measures.append(clip_measures(source))
        with blame(index):
            if conforms(source, self._format, frames=clip.film_frames):
                return Piece(source, index)
        size = [self._format.width, self._format.height]
        shape = self._plan.shape
        fit = Fit.FIT if shape is None else FITS[shape.fit]
        scene, _ = self._plan.clip(index)
        focus = point_of(self._plan.focal_points[scene.index])
        cropped = fit is Fit.COVER
        marked = cropped and CATALOGUE[self._plan.engine].draft  # a crop may cut a draft's own mark
        kept = [*map(str, focus), marked] if cropped else []
        wanted = fingerprint([_MAKING, size, self._plan.fps, fit, clip.film_frames, *kept])
        conformed = keys.conformed_clip(self._plan.tenant, clip.key_hash, wanted)

        def make() -> bytes:
            output = BytesIO()
            with blame(index):
                conform(
                    _in_memory(source),
                    self._format,
                    fit,
                    output,
                    frames=clip.film_frames,
                    focus=focus,
                    over=draft_mark((self._format.width, self._format.height)) if marked else None,
                )
            return output.getvalue()

        piece = Piece(self._made(conformed, make, "video/mp4"), index)
        if shape is not None:
            self._encoded()
        return piece

    def _measured(self, pieces: list[Piece]) -> list[JoinStep]:
        """Return the visible brightness steps where clips continue one another."""
        joined = [
            pieces[i - 1 : i + 1] for i, clip in enumerate(self._plan.clips) if clip.starts_from is not None
        ]
        steps = [step for pair in joined for step in continuity.measure_steps(pair) if step.is_seen]
        return [JoinStep(**asdict(step)) for step in steps]

    def _encoded_where_needed(self, pieces: list[Piece]) -> list[Piece]:
        plan = self._plan
        if any(plan.transitions):
            pieces = splice.splice(pieces, plan.transitions, partial(self._keep_transition, pieces))
        if plan.assembly.even_out:
            chained = {clip.index for clip in plan.clips if clip.starts_from is not None}
            pieces = continuity.even_out(pieces, chained, partial(self._keep_evened_out, pieces))
        captions, overlays = cues(plan) if plan.burn_captions else [], self._overlays()
        if captions or overlays:
            design = captions_design(plan, self._inputs)
            pieces = burned_captions.burn(pieces, captions, self._keep_drawn, design, overlays)
        return pieces

    def _keep_transition(self, pieces: list[Piece], index: int, make: Callable[[], bytes]) -> Source:
        first = max(0, index - 2)
        near = [asdict(one) if one else None for one in self._plan.transitions[first : index + 1]]
        around = pieces[first : index + 2]
        return self._keep(["transition", splice.REVISION, near, index - first, *map(_address, around)], make)

    def _keep_evened_out(self, pieces: list[Piece], index: int, make: Callable[[], bytes]) -> Source:
        around = pieces[index - 1 : index + 1]
        return self._keep(["even out", continuity.REVISION, *map(_address, around)], make)

    def _overlays(self) -> list[Overlay]:
        """Return what is laid over the pictures: the logo over all of them, lower thirds."""
        plan = self._plan
        size = plan.width, plan.height
        found: list[Overlay] = []
        if (logo := plan.logo) is not None:
            picture = with_alpha(self._inputs.get(logo.picture.key))
            address = [logo.picture.sha256, logo.corner, logo.size]
            found.append(logo_overlay(picture, address, size, logo.corner, logo.size, plan.frames))
        if not any(scene.lower_third for scene in plan.scenes):
            return found
        fonts = film_fonts(plan.lettered, plan.language, self._inputs)
        starts = [*(plan.starts[scene.clips[0].index] for scene in plan.scenes), plan.frames]
        for scene, start, end in zip(plan.scenes, starts, starts[1:], strict=False):
            if (third := scene.lower_third) is None:
                continue
            captioned = plan.burn_captions and bool(scene.said)
            laid = third_overlay(
                third.title,
                third.subtitle,
                plan.colours,
                size,
                (start, end),
                plan.fps,
                fonts,
                captioned=captioned,
            )
            if laid:
                letters = plan.lettered.address_in(plan.language)
                found.append(replace(laid, address=[*laid.address, letters]))
        return found

    def _keep_drawn(
        self, part: Piece, shown: Sequence[burned_captions.Drawn], make: Callable[[], bytes]
    ) -> Source:
        plan = self._plan
        lettered = any(isinstance(one, burned_captions.Shown) for one in shown)
        look = [plan.caption_style, plan.caption_look.model_dump(), plan.language] if lettered else []
        return self._keep(["drawn", _address(part), look, [one.determines for one in shown]], make)

    def _keep(self, determines: list[Any], make: Callable[[], bytes]) -> Source:
        """Return what is encoded in place of a piece. `determines` is everything that determines its
        bytes."""
        joint = self._made(keys.joint(self._plan.tenant, fingerprint(determines)), make, "video/mp4")
        self._encoded()
        return joint

    def _sound(self) -> Source:
        """Return the film's sound: the narration and the clips' own sound in their place with the music under
        them, at the film's loudness, or silence if there is none of them, so that every film has a sound
        track."""
        plan = self._plan
        duration = Fraction(plan.frames, plan.fps)
        said = [[str(start), sentence.sound] for start, sentence in plan.narration]
        music = plan.music.address if plan.music else None
        clips = self._heard()
        ducked = plan.clips_heard is ClipSound.DUCK
        laid = [clip_sound.REVISION, ducked, *map(_heard_as, clips)]
        key = keys.sound(
            plan.tenant, fingerprint([_MAKING, said, music, str(duration), *([laid] if clips else [])])
        )

        stems = self._scratch / "stems" if plan.stems else None

        def make() -> tuple[bytes, SoundMeasures]:
            output = BytesIO()
            if not (said or clips or plan.music):
                silence(duration, output, stems=stems)
                return output.getvalue(), SoundMeasures()
            voices = [self._placed(*one) for one in plan.narration]
            mixed = mix(
                duration,
                voices,
                self._music(),
                output,
                clips=self._laid(clips, duration) if clips else None,
                duck_clips=ducked,
                stems=stems,
            )
            return output.getvalue(), measure_sound(mixed, output, voices, music=plan.music is not None)

        found = self._parts.find(key)
        if stems is not None:
            stems.mkdir()
        if stems is not None or not found:
            sound, measures = make()
            if not found:
                self._parts.put(key, sound, "audio/mp4", measures=measures.stored())
        if stems is not None:
            self.stems = pack(stems, self._scratch / "stems.zip")
        source = self._outputs.source(key)
        self._sound_measures = sound_measures(source)
        # Read from disk: it is interleaved with the pictures a second at a time, and from S3 each read is a
        # call.
        return FileSource(self._saved(source, "sound"))

    def _heard(self) -> list[SoundPart]:
        """Return the sound of each clip that has some. A transition fades it as it fades the pictures."""
        plan = self._plan
        if plan.clips_heard is ClipSound.DROP:
            return []
        joints = [None, *plan.transitions, None]
        parts = []
        for clip, start, before, after in zip(plan.clips, plan.starts, joints, joints[1:], strict=False):
            if (found := self._sound_of(clip)) is not None:
                source, begin = found
                fades = (before.head if before else 0, after.tail if after else 0)
                fade_in, fade_out = (max(SHORTEST_FADE, Fraction(frames, plan.fps)) for frames in fades)
                parts.append(
                    SoundPart(
                        source=source,
                        clip=clip.index,
                        start=Fraction(start, plan.fps),
                        seconds=Fraction(clip.film_frames, plan.fps),
                        begin=begin,
                        fade_in=fade_in,
                        fade_out=fade_out,
                    )
                )
        return parts

    def _sound_of(self, clip: Clip) -> tuple[Source, Fraction] | None:
        """Return the file that has a clip's sound, and the second at which it begins there: the clip's own,
        else that of what it was made from."""
        own = Footage(clip=clip.key_hash) if clip.sound else None
        for found in (own, clip.sound_of):
            if found is None:
                continue
            key = keys.clip(self._plan.tenant, str(found.clip))
            source = self._inputs.source(found.file) if found.file else self._outputs.source(key)
            with blame(clip.index):
                if has_sound(source):
                    return source, Fraction(found.start, self._plan.fps)
        return None

    def _laid(self, clips: Sequence[SoundPart], duration: Fraction) -> Path:
        """Save the clips' sound as one: a mix reads it several times."""
        path = self._scratch / "clips"
        with path.open("wb") as file:
            lay_sound((replace(one, source=_in_memory(one.source)) for one in clips), duration, file)
        return path

    def _music(self) -> Bed | None:
        music = self._plan.music
        return bed(music, self._inputs, self._scratch / "music") if music else None

    def _saved(self, source: Source, name: str) -> Path:
        path = self._scratch / name
        with path.open("wb") as file:
            file.writelines(source.stream(0, source.size))
        return path

    def _placed(self, start: Fraction, sentence: Sentence) -> Placed:
        sound = self._outputs.get(keys.speech(self._plan.tenant, sentence.sound))
        return Placed(BytesIO(sound), start)

    def _captions(self) -> list[Source]:
        said = cues(self._plan) if self._plan.captions else []
        if not said:
            return []
        duration = Fraction(self._plan.frames, self._plan.fps)
        return [BytesSource(timed_text(said, duration, language=self._plan.language))]

    def _made(self, key: str, make: Callable[[], bytes], content_type: str) -> Source:
        if not self._parts.find(key):
            self._parts.put(key, make(), content_type)
        return self._outputs.source(key)


def _address(piece: Piece) -> list[Any]:
    """Return what a piece shows. Keys are content addresses."""
    assert isinstance(piece.source, ObjectSource)  # noqa: S101 - everything joined is stored in S3
    return [piece.source.key, piece.start, piece.stop]


def _in_memory(source: Source) -> Source:
    """Return a clip as read by one request. A long upload stays in S3."""
    if source.size > _MOST_IN_MEMORY:
        return source
    return BytesSource(b"".join(source.stream(0, source.size)))


def _heard_as(part: SoundPart) -> list[Any]:
    """Return what determines the sound of a clip in the film."""
    assert isinstance(part.source, ObjectSource)  # noqa: S101 - as above
    times = (part.start, part.seconds, part.begin, part.fade_in, part.fade_out)
    return [part.source.key, *map(str, times)]


def forget_broken_clip(plan: FilmPlan, outputs: Objects, error: ClipUnreadable) -> None:
    """Delete the broken clip, which the next attempt would otherwise reuse."""
    if error.clip is not None:
        outputs.delete(keys.clip(plan.tenant, plan.clips[error.clip].key_hash))


def quality_report(
    plan: FilmPlan, clips: Sequence[ClipMeasures | None], sound: SoundMeasures | None
) -> QualityReport:
    """Return the report of a film whose clips and sound measure so."""
    shown = turns(cues(plan)) if plan.captions or plan.burn_captions else ()
    captions = [CaptionTurn(turn.start / 1000, turn.end / 1000, turn.text) for turn in shown]
    return report(plan, clips, sound, captions)


def cues(plan: FilmPlan) -> list[Cue]:
    """Return the captions: each sentence while it is spoken, and in the pause behind it until it can be read,
    with its words' times if known."""
    end = Fraction(plan.frames, plan.fps)
    return [
        Cue(
            start,
            start + Fraction(str(sentence.seconds)),
            sentence.text,
            until=end,
            words=tuple((word.text, start + Fraction(str(word.start))) for word in sentence.words),
        )
        for start, sentence in plan.narration
        if sentence.text
    ]


def captions_design(plan: FilmPlan, inputs: Objects) -> Design:
    """Return what the captions look like. Raises ArtifactMissing, CaptionsRefused."""
    look = plan.caption_look
    return Design(plan.caption_style, look, film_fonts(look, plan.language, inputs))


def chapters(plan: FilmPlan) -> list[Chapter]:
    """Return one chapter per scene, starting at its first visible frame."""
    return [Chapter(plan.scene_start(scene), _title(scene.title)) for scene in plan.scenes]


def metadata(plan: FilmPlan) -> dict[str, str]:
    """Return the MP4's metadata, limited to what is part of the film's content address."""
    said = {
        "title": _title(plan.title),
        "description": " ".join(_told(scene) for scene in plan.scenes),
        "reelworks_engine": plan.engine,
    }
    if CATALOGUE[plan.engine].draft:
        said |= {"comment": "Draft storyboard film, not a rendered video", "reelworks_draft": "true"}
    return said


def _told(scene: Scene) -> str:
    return " ".join(sentence.text for sentence in scene.said) or scene.text


def _title(text: str) -> str:
    return shortened(text, _LONGEST_TITLE)
