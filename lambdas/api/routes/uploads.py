"""Routes of files that are sent ahead of the requests that name them."""

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router

from lambdas.adapters import stores
from lambdas.adapters.uploads import Uploads
from lambdas.api import openai_format
from lambdas.api.request import header, idempotency_key, settings, tenant
from lambdas.api.request_body import parse_json
from lambdas.api.response import answer
from lambdas.domain.errors import UploadNotFound
from lambdas.domain.uploads import FILE_ID
from lambdas.intake.uploads import open_upload
from lambdas.telemetry import logger

router = Router()  # type: ignore[no-untyped-call]


@router.post("/v1/uploads")
def create_upload() -> Response[str]:
    fields = parse_json(router.current_event.raw_event, header("content-type"))
    uploads = Uploads(stores.inputs(settings()))
    upload = open_upload(uploads, tenant(), fields, idempotency_key())
    logger.info("upload opened", extra={"file": upload.id, "kind": upload.kind})
    return answer(openai_format.upload_object(upload, None) | uploads.form(tenant(), upload))


@router.get("/v1/uploads/<upload_id>")
def retrieve_upload(upload_id: str) -> Response[str]:
    uploads = Uploads(stores.inputs(settings()))
    upload = uploads.find(tenant(), upload_id) if FILE_ID.fullmatch(upload_id) else None
    if upload is None:
        raise UploadNotFound(f"There is no upload {upload_id[:100]!r}.", param="id")
    return answer(openai_format.upload_object(upload, uploads.size(tenant(), upload_id)))
