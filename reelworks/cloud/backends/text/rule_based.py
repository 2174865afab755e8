"""The rule-based director as a text backend, which needs no model (reelworks/cloud/director)."""

import json

from reelworks.cloud.backends.text.interface import Answer, Conversation
from reelworks.cloud.backends.text.writers import how_to_get_one
from reelworks.cloud.director import prompts, storyboards
from reelworks.cloud.errors import ServiceError


class RuleBasedDirector:
    """The rule-based director as a backend; it counts words as tokens and takes no settings."""

    name = "rule-based director"
    schema_refused = None

    def __init__(self, *_: object, **__: object) -> None: ...

    async def answer(self, conversation: Conversation) -> Answer:
        if conversation.images:
            raise ServiceError(400, "ValidationException", "The rule-based director can't see pictures")
        message, note = conversation.turns[-1].text, None
        try:
            if conversation.tool:
                note = (
                    "The rule-based director wrote this from your own words; a text model would write real "
                    f"narration. To get one: {how_to_get_one()}"
                )
                text = json.dumps(storyboards.fill(conversation.tool.name, message), ensure_ascii=False)
            else:
                task = prompts.read_task(message)
                text = prompts.enhance(task.prompt, task.words, task.change)
        except prompts.NotATask as error:
            raise ServiceError(400, "ValidationException", str(error)) from error
        return Answer(text, "end_turn", len(message.split()), len(text.split()), note)

    async def free(self) -> None:
        """Do nothing: there is no model to unload."""
