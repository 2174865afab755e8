"""A film, by what it makes the pipeline do."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from lambdas.adapters.object_source import _KEPT_BLOCKS as KEPT_BEGINNINGS


class Unit(StrEnum):
    """What a film has some of, and calls, seconds and visits of states are counted by."""

    FILM = "film"
    READ = "read"  # a request for the video after its create, most of them by a client that polls
    AUTHORIZATION = "authorization"  # API Gateway remembers one for five minutes
    PROMPT_QUESTION = "question about a prompt"
    STORYBOARD = "storyboard"
    STORYBOARD_QUESTION = "question about a storyboard"
    PREPARED = "prepared scene"  # with a narration, a still or both
    NARRATION = "narration"
    SENTENCE = "sentence"
    STILL = "still"
    SCENE = "scene"  # of the plan; a film of one prompt has one
    CLIP = "clip"
    DRAWN = "drawn clip"  # in a function
    DRAWN_FROM_STILL = "drawn clip of a scene with a still"
    REREAD = "clip of a film with many"  # more than assembly keeps the beginnings of
    RENDERED = "rendered clip"  # on an endpoint
    CAPTIONS = "captions"
    MEBIBYTE = "MiB of film"


@dataclass(frozen=True, kw_only=True)
class Film:
    name: str
    clips: int
    rendered: bool  # on an endpoint; otherwise drawn in a function
    scenes: int = 0  # of its storyboard; 0 for a film of one prompt
    sentences: int = 0  # of all narrations; every scene has one, if there are any
    stills: int = 0
    asked: bool = True  # a text model writes the storyboard, or the prompt
    captions: bool = False
    mebibytes: float = 0.0
    clip_seconds: float = 0.0  # of its engine, for one clip

    def units(self, reads: float = 0, authorizations: float = 0) -> Mapping[Unit, float]:
        """Return how much of each unit there is, with what its client asks."""
        told = self.scenes > 0
        return {
            Unit.FILM: 1,
            Unit.READ: reads,
            Unit.AUTHORIZATION: authorizations,
            Unit.PROMPT_QUESTION: self.asked and not told,
            Unit.STORYBOARD: told,
            Unit.STORYBOARD_QUESTION: self.asked and told,
            Unit.PREPARED: self.scenes if self.sentences else self.stills,
            Unit.NARRATION: self.scenes if self.sentences else 0,
            Unit.SENTENCE: self.sentences,
            Unit.STILL: self.stills,
            Unit.SCENE: max(1, self.scenes),
            Unit.CLIP: self.clips,
            Unit.DRAWN: 0 if self.rendered else self.clips,
            Unit.DRAWN_FROM_STILL: 0 if self.rendered or not told else self.clips * self.stills / self.scenes,
            Unit.REREAD: self.clips if self.clips > KEPT_BEGINNINGS else 0,
            Unit.RENDERED: self.clips if self.rendered else 0,
            Unit.CAPTIONS: self.captions,
            Unit.MEBIBYTE: self.mebibytes,
        }

    def clips_at_once(self, per_scene: int) -> int:
        """Return how many of its clips may be made at once, given how many of each scene may be."""
        scenes = max(1, self.scenes)
        return min(self.clips, scenes * min(per_scene, math.ceil(self.clips / scenes)))


# Twelve clips of six seconds: the film of docs/engines.md and docs/deploy.md, with a storyboard.
_STORY = {"clips": 12, "scenes": 4, "sentences": 12, "stills": 4, "captions": True}
RENDERED = Film(
    name="rendered",
    rendered=True,
    mebibytes=8,  # benchmarks.assembly: 12 × 6 s at 720×480
    clip_seconds=209,  # docs/engines.md: CogVideoX-5b on an ml.g6e.2xlarge, derived
    **_STORY,  # type: ignore[arg-type]
)
DRAFT = Film(
    name="draft",
    rendered=False,
    mebibytes=8,
    clip_seconds=9,  # 6 s at 1280×720 and 24 a second: 8.1 s of a PC's processor
    **_STORY,  # type: ignore[arg-type]
)
