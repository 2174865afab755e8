"""Routes of characters: create, list, retrieve, delete."""

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router

from lambdas.adapters import stores
from lambdas.adapters.characters import Characters
from lambdas.api import openai_format
from lambdas.api.request import header, idempotency_key, limit, query, retry_count, settings, tenant
from lambdas.api.request_body import parse_body
from lambdas.api.response import answer
from lambdas.domain.characters import CHARACTER_ID, CastMember, Character
from lambdas.domain.errors import CharacterNotFound, InvalidRequest
from lambdas.intake.characters import CharacterIntake
from lambdas.intake.files import IMAGE, VIDEO
from lambdas.telemetry import logger

router = Router()  # type: ignore[no-untyped-call]


@router.post("/v1/videos/characters")
def create_character() -> Response[str]:
    idempotency_key()  # checked only: a name belongs to one character, so a repeat finds it
    fields, files = parse_body(router.current_event.raw_event, header("content-type"), (VIDEO, IMAGE))
    character = CharacterIntake(stores.inputs(settings())).create(tenant(), fields, files)
    return answer(openai_format.character_object(character))


@router.get("/v1/videos/characters")
def list_characters() -> Response[str]:
    after, order = query("after", None), query("order", "desc")
    if order not in ("asc", "desc"):
        raise InvalidRequest(f"order must be asc or desc; got {order[:80]!r}.", param="order")
    store = _characters()
    ids = [entry.id for entry in store.listed(tenant())]
    if order == "desc":
        ids.reverse()
    if after is not None:
        if after not in ids:
            raise InvalidRequest(
                f"after must be the id of one of your characters; got {after[:80]!r}.", param="after"
            )
        ids = ids[ids.index(after) + 1 :]
    shown = ids[: limit()]
    found = store.read(tenant(), shown)
    return answer(openai_format.character_list(found, has_more=len(shown) < len(ids)))


@router.get("/v1/videos/characters/<character_id>")
def retrieve_character(character_id: str) -> Response[str]:
    character = _character(character_id)
    seen = None
    if not character.description:
        seen = _characters().described(tenant(), CastMember(**character.role.model_dump()))
    return answer(openai_format.character_object(character, seen))


@router.delete("/v1/videos/characters/<character_id>")
def delete_character(character_id: str) -> Response[str]:
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
