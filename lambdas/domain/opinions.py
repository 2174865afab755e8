"""What a vision model says of clips: whether their pictures show what their prompts ask for.

A film has it by request (`vision_check`). A model's opinion is no measure: it may be wrong, and gives its
reason.
"""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, TypeAdapter

from lambdas.domain.documents import Document, fingerprint
from lambdas.domain.film_plan import Clip, FilmPlan

LOWEST_SCORE = 5
"""Of 10. A clip with less does not show what its prompt asks for."""
ASKED_TOKENS, ANSWER_TOKENS = 1_600, 150
"""About how many a question takes, with its picture, and an answer at most."""
_QUESTION = 1  # increment when the model is asked in another way


class Opinion(Document):
    """A model's opinion of a clip. `score`: from 0 to 10; None: there is none, and the `reason` says why."""

    score: Annotated[int, Field(ge=0, le=10)] | None
    reason: str = ""
    by: str | None = None  # the model

    @property
    def warns(self) -> bool:
        return self.score is not None and self.score < LOWEST_SCORE


Opinions = Mapping[str, Opinion]
"""Of a video's clips, by `opinion_of`."""
NO_OPINIONS: Opinions = {}
STORED = TypeAdapter(dict[str, Opinion])


def opinion_of(clip: Clip) -> str:
    """Return the name under which the opinion of a clip is stored. Another picture or prompt needs another
    one."""
    return fingerprint([_QUESTION, clip.key_hash, clip.prompt])[:32]


def looked_at(plan: FilmPlan) -> list[Clip]:
    """Return the clips that a model is asked about: all but the user's own material."""
    return [clip for clip in plan.clips if not clip.is_own]
