"""Refuse what users write that the deployment's content filter refuses, before anything is made of it."""

from collections.abc import Mapping, Sequence

from lambdas.adapters.clients import client
from lambdas.domain.brief import Brief
from lambdas.domain.errors import ContentRefused
from lambdas.domain.storyboard import PartialScene, PartialStoryboard, Scene, Storyboard, card_texts
from lambdas.intake.fields import Fields
from lambdas.settings import IntakeSettings
from lambdas.telemetry import logger


class ContentFilter:
    """Without the setting `guardrail`, nothing is refused and nothing is asked."""

    def __init__(self, settings: IntakeSettings) -> None:
        self._guardrail = settings.guardrail

    def check(self, texts: Mapping[str, str]) -> None:
        """Check texts by the field that each is from.

        Raises ContentRefused, which names the field and the filter's reason. If the filter doesn't answer,
        nothing passes: raises ServiceUnavailable.
        """
        if not self._guardrail:
            return
        from lambdas.adapters.guardrail import Guardrail  # only with the setting: a start should be light

        id_, _, version = self._guardrail.partition(":")
        refused = Guardrail(client("bedrock-runtime"), id_, version).refused(texts)
        if refused is None:
            return
        logger.info("content refused", extra={"fields": refused.names, "reasons": refused.reasons})
        together = ", taken together," if len(refused.names) > 1 else ""
        raise ContentRefused(
            f"{', '.join(refused.names)}{together} is refused by the content filter: "
            f"{', '.join(refused.reasons)}. Word it differently.",
            param=refused.names[0],
        )


def texts_of_create(fields: Fields, brief: Brief | None) -> dict[str, str]:
    """Return what the fields of a create say, by field or path."""
    texts = {"negative_prompt": fields.negative_prompt}
    for name in ("intro", "outro"):
        if end := getattr(fields.brand, name, None):
            texts |= {f"brand.{name}.{field}": text for field, text in card_texts(end).items()}
            texts |= {f"brand.{name}.narration.text": end.narration.text} if end.narration else {}
    if brief is None:
        return {"prompt": str(fields.prompt), **texts}
    topic = {"topic": fields.topic} if fields.topic else {}
    return {**topic, "tone": fields.tone, **texts, **texts_of_storyboard(brief.given)}


def texts_of_storyboard(storyboard: Storyboard | PartialStoryboard) -> dict[str, str]:
    """Return a storyboard's texts by their paths."""
    texts = {"title": storyboard.title or "", "style": storyboard.style or ""}
    for word, said in storyboard.lexicon.items():
        texts[f"lexicon.{word}"] = f"{word} {said}" if isinstance(said, str) else word
    scenes: Sequence[Scene | PartialScene] = storyboard.scenes
    for index, scene in enumerate(scenes):
        path = f"scenes[{index}]"
        if scene.narration:
            texts[f"{path}.narration.text"] = scene.narration.text or ""
        texts |= {f"{path}.{name}": text for name, text in card_texts(scene).items()}
        for name, prompts in (("image", scene.image), ("video", scene.video)):
            if prompts:
                texts[f"{path}.{name}.positive_prompt"] = prompts.positive_prompt or ""
                texts[f"{path}.{name}.negative_prompt"] = prompts.negative_prompt or ""
    return texts
