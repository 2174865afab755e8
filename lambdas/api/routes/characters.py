"""Routes of characters: create, list, retrieve, delete."""

from typing import Literal

from pydantic import Field

from lambdas.adapters import stores
from lambdas.adapters.characters import Characters
from lambdas.api import openai_format
from lambdas.api.answers import CharacterDeletion, CharacterList, CharacterObject
from lambdas.api.operations import IDEMPOTENCY_KEY, RETRY_COUNT, Body, Routes
from lambdas.api.request import Query, body, idempotency_key, query, retry_count, settings, tenant
from lambdas.api.response import Response, answer
from lambdas.domain.characters import CHARACTER_ID, CastMember, Character
from lambdas.domain.errors import CharacterNotFound, ContentRefused, ImageRejected, InvalidRequest, NameTaken
from lambdas.intake.characters import CharacterIntake
from lambdas.intake.content_filter import ContentFilter
from lambdas.intake.fields import CharacterFields
from lambdas.intake.files import IMAGE, VIDEO
from lambdas.telemetry import logger

routes = Routes("Characters", "Subjects that stay the same across scenes and films.")

_PNG = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSu"
    "QmCC"
)


class CharacterPage(Query):
    """Which of your characters to list."""

    after: str | None = Field(default=None, max_length=100, description="the id of one of your characters")
    """The last character of the page before."""
    limit: int = Field(default=20, ge=1, le=100, description="a whole number from 1 to 100")
    """The most characters to return."""
    order: Literal["asc", "desc"] = Field(default="desc", description="asc or desc")
    """Oldest or newest first."""


@routes.post(
    "/v1/videos/characters",
    body=Body(
        CharacterFields,
        form=True,
        files=(VIDEO, IMAGE),
        examples={
            "Of a picture": {
                "name": "Mossy",
                "description": "A small red fox.",
                "image": {"image_url": _PNG},
            }
        },
    ),
    headers=(IDEMPOTENCY_KEY,),
    answer=CharacterObject,
    errors=(ImageRejected, ContentRefused, NameTaken),
)
def create_character() -> Response:
    """Create a character

    Takes its name and a clip (`video`) or a picture (`image`). Name it in a create by id, or as `@name` in a
    text.
    """
    idempotency_key()  # checked only: a name belongs to one character, so a repeat finds it
    fields, files = body(files=(VIDEO, IMAGE))
    intake = CharacterIntake(stores.inputs(settings()), ContentFilter(settings()))
    character = intake.create(tenant(), fields, files)
    return answer(openai_format.character_object(character))


@routes.get("/v1/videos/characters", query=CharacterPage, answer=CharacterList)
def list_characters() -> Response:
    """List your characters"""
    page = query(CharacterPage)
    store = _characters()
    ids = [entry.id for entry in store.listed(tenant())]
    if page.order == "desc":
        ids.reverse()
    if page.after is not None:
        if page.after not in ids:
            raise InvalidRequest(
                f"after must be the id of one of your characters; got {page.after!r}.", param="after"
            )
        ids = ids[ids.index(page.after) + 1 :]
    shown = ids[: page.limit]
    found = store.read(tenant(), shown)
    return answer(openai_format.character_list(found, has_more=len(shown) < len(ids)))


@routes.get("/v1/videos/characters/<character_id>", answer=CharacterObject, errors=(CharacterNotFound,))
def retrieve_character(character_id: str) -> Response:
    """Retrieve a character"""
    character = _character(character_id)
    seen = None
    if not character.description:
        seen = _characters().described(tenant(), CastMember(**character.role.model_dump()))
    return answer(openai_format.character_object(character, seen))


@routes.delete(
    "/v1/videos/characters/<character_id>",
    headers=(RETRY_COUNT,),
    answer=CharacterDeletion,
    errors=(CharacterNotFound,),
)
def delete_character(character_id: str) -> Response:
    """Delete a character

    Films that have it stay as they are.
    """
    try:
        _characters().delete(tenant(), _character(character_id))
    except CharacterNotFound:
        # A client's retry of a deletion whose answer was lost.
        if not retry_count() or not CHARACTER_ID.fullmatch(character_id):
            raise
    logger.info("character deleted", extra={"character": character_id})
    return answer(openai_format.character_deletion(character_id))


def _characters() -> Characters:
    return Characters(stores.inputs(settings()))


def _character(id_: str) -> Character:
    found = _characters().find(tenant(), id_) if CHARACTER_ID.fullmatch(id_) else None
    if found is None:
        raise CharacterNotFound(f"There is no character {id_[:100]!r}.", param="id")
    return found
