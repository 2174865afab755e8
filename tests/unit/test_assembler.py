"""Which films a function assembles, and that the longest films fit the services' limits."""

import pytest

from lambdas.domain.assembler import (
    LONGEST_IN_A_FUNCTION,
    Assembler,
    assembler_for,
    seconds_to_assemble,
)
from lambdas.domain.brief import Brief
from lambdas.domain.characters import Image
from lambdas.domain.documents import LONGEST_FILM, LONGEST_PROMPT
from lambdas.domain.engines import CATALOGUE
from lambdas.domain.film_format import Framing
from lambdas.domain.film_plan import FilmPlan
from lambdas.domain.narration import Sentence
from lambdas.domain.planning import MOST_CLIPS, clip_lengths
from lambdas.domain.shapes import Aspect, Shape
from lambdas.domain.storyboard import MOST_SCENES, PartialScene, PartialStoryboard
from lambdas.domain.video_parts import ClipProgress, ClipState, JoinStep, PartProgress
from lambdas.intake.film_kind import LARGEST_STORYBOARD
from lambdas.production.clips_to_make import clips_to_make
from tests.factories import a_plan, a_request, a_video

# Those that need a last frame for each clip make no film of one long scene.
ENGINES = pytest.mark.parametrize(
    "name", [name for name, engine in CATALOGUE.items() if engine.last_image != "required"]
)


def longest(name: str, **fields: object) -> FilmPlan:
    """Return the film with the most clips an engine allows."""
    engine = CATALOGUE[name]
    width, height = engine.sizes.default
    seconds = min(LONGEST_FILM, fields.pop("seconds", MOST_CLIPS * engine.longest_clip))
    image = Image(key="uploads/acme/1.png", sha256="1" * 64, width=8, height=8)
    given = {"image": image} if engine.image == "required" else {}
    request = a_request(
        engine=name, seconds=seconds, width=width, height=height, fps=engine.fps[0], **given, **fields
    )
    return a_plan(a_video(request=request), ["x"] * len(clip_lengths(request, engine)))


@ENGINES
def test_a_short_film_is_assembled_in_a_function(name: str) -> None:
    assert assembler_for(longest(name, seconds=60)) is Assembler.FUNCTION
    assert assembler_for(longest(name, seconds=12, even_out=True)) is Assembler.FUNCTION


def test_long_partly_encoded_films_need_a_build() -> None:
    fades = longest("cogvideox-1.5-5b", transition="crossfade")
    assert assembler_for(fades) is Assembler.BUILD
    evened = longest("cogvideox-1.5-5b-i2v", even_out=True)
    assert assembler_for(evened) is Assembler.BUILD
    assert assembler_for(longest("cogvideox-5b", transition="fade")) is Assembler.BUILD


def test_further_shapes_take_time_for_each_picture_and_need_a_build_if_they_take_too_long() -> None:
    plan = longest("cogvideox-5b", seconds=60)
    shapes = [Shape(aspect=Aspect.TALL), Shape(aspect=Aspect.SQUARE, fit=Framing.BLUR)]
    alone, one, two = (seconds_to_assemble(plan, shapes[:count]) for count in range(3))
    assert alone < one < two
    assert one - alone > plan.frames * 0.34 * 0.08, "megapixels x seconds"
    assert assembler_for(plan, shapes) is Assembler.FUNCTION
    assert assembler_for(longest("cogvideox-5b", seconds=2400), shapes) is Assembler.BUILD
    assert assembler_for(longest("cogvideox-5b", seconds=2400)) is Assembler.FUNCTION


def test_the_estimate_grows_with_length_size_and_joints() -> None:
    seconds = [
        seconds_to_assemble(plan)
        for plan in (
            longest("cogvideox-5b", seconds=60),
            longest("cogvideox-5b", seconds=600),
            longest("cogvideox-1.5-5b", seconds=600),
            longest("cogvideox-1.5-5b", seconds=600, transition="crossfade", transition_seconds=0.1),
            longest("cogvideox-1.5-5b", seconds=600, transition="crossfade", transition_seconds=1),
        )
    ]
    assert seconds == sorted(seconds)
    assert seconds[0] < LONGEST_IN_A_FUNCTION / 10


def test_burned_in_captions_count_for_at_most_the_whole_film() -> None:
    plain = longest("cogvideox-1.5-5b", seconds=3600)
    said = [Sentence(text="It flies!", sound="0", start=20.0 * n, seconds=3) for n in range(100)]

    def burnt(count: int, *, burn: bool = True) -> float:
        scene = plain.scenes[0].model_copy(update={"narration": said[:count]})
        plan = plain.model_copy(update={"scenes": [scene], "burn_captions": burn})
        return seconds_to_assemble(plan)

    spoken = burnt(100, burn=False)
    assert seconds_to_assemble(plain) < spoken < burnt(10) < burnt(100)
    assert spoken - seconds_to_assemble(plain) == pytest.approx(3600 * 0.15), "its sound is mixed"
    assert assembler_for(plain) is Assembler.FUNCTION
    assert burnt(100) > LONGEST_IN_A_FUNCTION
    whole = [Sentence(text="It flies!", sound="0", start=0, seconds=3000)] * 10
    scene = plain.scenes[0].model_copy(update={"narration": whole})
    at_most = plain.model_copy(update={"scenes": [scene], "burn_captions": True})
    assert seconds_to_assemble(at_most) < spoken + 3600 * 16 * 1.36 * 0.768 * 0.4


# --- the longest film


@ENGINES
def test_an_execution_s_history_has_room_for_every_clip_with_retries(name: str) -> None:
    """An execution may have 25,000 events (Step Functions' quotas). A clip needs ten: its iteration's start
    and end, the choice's enter and exit, and its task's enter, schedule, start, submit, success and exit; a
    retry needs four more. And its user may change the film a hundred times at a gate."""
    clips = len(longest(name).clips)
    scene, round_ = 20, 22  # per narrated and drawn scene; per round trip through a gate for one of them
    changes = 100
    assert clips * (10 + 2 * 4) + MOST_SCENES * scene + changes * (round_ + scene) + 200 < 25_000


@ENGINES
def test_a_state_s_output_has_room_for_the_plan(name: str) -> None:
    """The limit is 256 KiB (Step Functions' quotas)."""
    assert len(clips_to_make(longest(name), check=True).model_dump_json()) < 256 * 1024 / 2


@ENGINES
def test_a_table_item_has_room_for_the_record(name: str) -> None:
    """The limit is 400 KB (DynamoDB's quotas): with the largest storyboard and the most clips, where each
    clip that continues another may have a brightness step."""
    clips = len(longest(name).clips) + (0 if name == "cogvideox-nano" else MOST_SCENES)
    times = {"state": ClipState.DONE, "cost": 0.012345678901, "started_ms": 10**12, "finished_ms": 10**12}
    clip = ClipProgress(seconds=5.958333333333333, **times)
    part = PartProgress(scene=10, by="x" * 40, artifact="x" * 160, **times)
    step = JoinStep(clip=100, brightness=-12.345678901234567, colour=(-1.2345678901234567, 2.345678901234567))
    given = PartialStoryboard(scenes=[PartialScene()] * MOST_SCENES)
    bees = "\U0001f41d" * LONGEST_PROMPT
    video = a_video(
        request=a_request(prompt=bees, brief=Brief(topic=bees, tone=bees, given=given)),
        clips=[clip] * clips,
        steps=[step] * (clips if CATALOGUE[name].chained or CATALOGUE[name].workflow else MOST_SCENES),
        narrations=[part] * MOST_SCENES,
        stills=[part] * MOST_SCENES,
    )
    assert LARGEST_STORYBOARD + len(video.model_dump_json().encode()) < 400 * 1024
