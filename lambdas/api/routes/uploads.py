"""Routes of files that are sent ahead of the requests that name them."""

from lambdas.adapters import stores
from lambdas.adapters.uploads import Uploads
from lambdas.api import openai_format
from lambdas.api.answers import UploadObject
from lambdas.api.operations import IDEMPOTENCY_KEY, Body, Routes
from lambdas.api.request import idempotency_key, json_body, settings, tenant
from lambdas.api.response import Response, answer
from lambdas.domain.errors import IdempotencyConflict, UploadNotFound
from lambdas.domain.uploads import FILE_ID
from lambdas.intake.fields import UploadFields
from lambdas.intake.uploads import open_upload
from lambdas.telemetry import logger

routes = Routes("Uploads", "Files that are too large for a request, sent ahead of it.")


@routes.post(
    "/v1/uploads",
    body=Body(UploadFields, examples={"A song": {"mime_type": "audio/mpeg", "filename": "song.mp3"}}),
    headers=(IDEMPOTENCY_KEY,),
    answer=UploadObject,
    errors=(IdempotencyConflict,),
)
def create_upload() -> Response:
    """Open an upload

    Returns a form that sends one file to S3 within an hour. Requests name the file by `file_id`, wherever a
    file may be.
    """
    uploads = Uploads(stores.inputs(settings()))
    upload = open_upload(uploads, tenant(), json_body(), idempotency_key())
    logger.info("upload opened", extra={"file": upload.id, "kind": upload.kind})
    opened = openai_format.upload_object(upload, None)
    form = uploads.form(tenant(), upload)
    opened["url"], opened["fields"] = form["url"], form["fields"]
    return answer(opened)


@routes.get("/v1/uploads/<upload_id>", answer=UploadObject, errors=(UploadNotFound,))
def retrieve_upload(upload_id: str) -> Response:
    """Retrieve an upload

    Says whether its file has arrived.
    """
    uploads = Uploads(stores.inputs(settings()))
    upload = uploads.find(tenant(), upload_id) if FILE_ID.fullmatch(upload_id) else None
    if upload is None:
        raise UploadNotFound(f"There is no upload {upload_id[:100]!r}.", param="id")
    return answer(openai_format.upload_object(upload, uploads.size(tenant(), upload_id)))
