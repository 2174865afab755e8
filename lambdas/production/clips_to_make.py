"""The clips that the state machine has made, and in which order."""

from collections.abc import Collection, Sequence

from lambdas.domain.assembler import Assembler, assembler_for
from lambdas.domain.documents import Document
from lambdas.domain.engines import Renderer
from lambdas.domain.film_plan import FilmPlan
from lambdas.domain.shapes import Shape

# Clips of a scene that don't start from each other: as many at once as a map allows. The setting `at_once`
# lowers it.
SIDE_BY_SIDE = 40


class PlannedClip(Document):
    index: int
    scene: int
    renderer: Renderer


class PlannedScene(Document):
    """A scene and the scenes that continue it, whose clips are made after its own."""

    concurrency: int  # clips that may be made at once
    clips: list[PlannedClip]


class ClipsToMake(Document):
    """What the state machine needs from a film's plan. When the clips are made, LookAtClips has a vision
    model `look` at them, and CheckClips may `check` them."""

    tenant: str
    video_id: str
    scenes: list[PlannedScene]
    look: bool
    check: bool
    assembler: Assembler


def clips_to_make(
    plan: FilmPlan,
    shapes: Sequence[Shape] = (),
    *,
    check: bool,
    look: bool = False,
    only: Collection[int] | None = None,
) -> ClipsToMake:
    """Return what is to be made of a film and its further shapes. `only`: the clips of these indexes; None:
    all."""
    scenes: list[PlannedScene] = []
    for scene in plan.scenes:
        clips = [
            PlannedClip(
                index=clip.index,
                scene=scene.index,
                renderer=Renderer.FUNCTION if clip.is_own else plan.renderer,
            )
            for clip in scene.clips
            if only is None or clip.index in only
        ]
        if scenes and scene.clips[0].starts_from is not None:
            scenes[-1] = PlannedScene(concurrency=1, clips=[*scenes[-1].clips, *clips])
        else:
            scenes.append(PlannedScene(concurrency=1 if scene.chained else SIDE_BY_SIDE, clips=clips))
    return ClipsToMake(
        tenant=plan.tenant,
        video_id=plan.video_id,
        scenes=[scene for scene in scenes if scene.clips],
        look=look,
        check=check,
        assembler=assembler_for(plan, shapes),
    )
