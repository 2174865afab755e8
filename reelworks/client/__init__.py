"""Clients for the REST API. Any OpenAI client works too; these also cover what Reelworks adds.

calls.py has the calls and their rules, as steps that both clients carry out (steps.py). models.py has the
API's documents, errors.py its errors.
"""

from reelworks.client.address import find_address
from reelworks.client.asynchronous import AsyncClient
from reelworks.client.blocking import Client
from reelworks.client.document import Document
from reelworks.client.errors import (
    AnswerNotUnderstood,
    ApiError,
    ApiUnreachable,
    Conflict,
    Forbidden,
    InvalidRequest,
    NoAddress,
    NotFound,
    PreconditionFailed,
    QuotaExceeded,
    ReviewNeeded,
    ServerError,
    Unauthenticated,
    UploadRefused,
    VideoFailed,
)
from reelworks.client.models import Storyboard, Video, VideoEstimate

__all__ = [
    "AnswerNotUnderstood",
    "ApiError",
    "ApiUnreachable",
    "AsyncClient",
    "Client",
    "Conflict",
    "Document",
    "Forbidden",
    "InvalidRequest",
    "NoAddress",
    "NotFound",
    "PreconditionFailed",
    "QuotaExceeded",
    "ReviewNeeded",
    "ServerError",
    "Storyboard",
    "Unauthenticated",
    "UploadRefused",
    "Video",
    "VideoEstimate",
    "VideoFailed",
    "find_address",
]
