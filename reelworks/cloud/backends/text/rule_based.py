"""The rule-based director as a text backend, which needs no model (reelworks/cloud/director)."""

import json

from reelworks.cloud.backends.text.interface import Answer, Conversation
from reelworks.cloud.director import prompts, storyboards
from reelworks.cloud.errors import ServiceError


class RuleBasedDirector:
    """The rule-based director as a backend; it counts words as tokens."""

    name = "rule-based director"

    async def answer(self, conversation: Conversation) -> Answer:
        if conversation.images:
            raise ServiceError(400, "ValidationException", "The rule-based director can't see pictures")
        message = conversation.turns[-1].text
        try:
            if conversation.tool:
                text = json.dumps(storyboards.fill(conversation.tool.name, message), ensure_ascii=False)
            else:
                task = prompts.read_task(message)
                text = prompts.enhance(task.prompt, task.words, task.change)
        except prompts.NotATask as error:
            raise ServiceError(400, "ValidationException", str(error)) from error
        return Answer(text, "end_turn", len(message.split()), len(text.split()))

    async def free(self) -> None:
        """Do nothing: there is no model to unload."""
