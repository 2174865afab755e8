"""Render a refusal as the called service does, so that AWS's clients raise it with its code and message.

S3 answers in XML, the services of the query protocol in theirs, all others in JSON. The codes are AWS's:
https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html and
https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html
"""

import re
from dataclasses import dataclass
from xml.sax.saxutils import escape

from starlette.responses import JSONResponse, Response

from reelworks.cloud.server.signatures import Refused, Request

_QUERY_SERVICES = frozenset({"cloudformation", "elasticloadbalancing", "iam", "rds", "ses", "sns", "sts"})


@dataclass(frozen=True)
class _Reason:
    s3: str
    query: str
    json: str
    message: str
    status: int = 403


_SIGN_IT = "Sign it with the credentials in the file that `reel status` names."
_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. "
    f"Check your AWS Secret Access Key and signing method. {_SIGN_IT}"
)
_INVALID_TOKEN = "The security token included in the request is invalid."  # noqa: S105  a message
_REASONS = {
    "missing": _Reason(
        "AccessDenied",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        f"Access Denied: the request is not signed. {_SIGN_IT}",
    ),
    "unknown key": _Reason(
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        f"The AWS Access Key Id you provided does not exist in our records. {_SIGN_IT}",
    ),
    "token": _Reason("InvalidToken", "InvalidClientTokenId", "UnrecognizedClientException", _INVALID_TOKEN),
    "mismatch": _Reason(
        "SignatureDoesNotMatch", "SignatureDoesNotMatch", "InvalidSignatureException", _MISMATCH
    ),
    "malformed": _Reason(
        "AuthorizationHeaderMalformed", "IncompleteSignature", "IncompleteSignatureException", _MISMATCH
    ),
    "skewed": _Reason(
        "RequestTimeTooSkewed", "SignatureDoesNotMatch", "InvalidSignatureException", _MISMATCH
    ),
    "expired": _Reason(
        "AccessDenied", "SignatureDoesNotMatch", "InvalidSignatureException", "Request has expired"
    ),
    "denied": _Reason("AccessDenied", "AccessDenied", "AccessDeniedException", "Access Denied"),
    "content": _Reason(
        "XAmzContentSHA256Mismatch",
        "SignatureDoesNotMatch",
        "InvalidSignatureException",
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
        400,
    ),
    "too large": _Reason(
        "EntityTooLarge",
        "RequestEntityTooLarge",
        "RequestEntityTooLargeException",
        "The request body is larger than the cloud accepts.",
        413,
    ),
    "busy": _Reason(
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "Too many unverified requests at once. Please reduce your request rate.",
        503,
    ),
    "encoding": _Reason(
        "InvalidRequest",
        "UnsupportedMediaType",
        "UnsupportedMediaTypeException",
        "Content-Encoding must be gzip or absent.",
        415,
    ),
}


def refusal(refused: Refused, request: Request) -> Response:
    """Return the response that AWS's clients understand."""
    reason = _REASONS[refused.reason]
    message = refused.message or reason.message
    match refused.service or _service(request):
        case "s3":
            error = f"<Error><Code>{reason.s3}</Code><Message>{escape(message)}</Message></Error>"
            return _xml(f'<?xml version="1.0" encoding="UTF-8"?>\n{error}', reason.status)
        case service if service in _QUERY_SERVICES and "x-amz-target" not in request.headers:
            error = f"<Type>Sender</Type><Code>{reason.query}</Code><Message>{escape(message)}</Message>"
            return _xml(f"<ErrorResponse><Error>{error}</Error></ErrorResponse>", reason.status)
        case _:
            return JSONResponse(
                {"__type": reason.json, "message": message},
                reason.status,
                {"x-amzn-errortype": reason.json},
                media_type="application/x-amz-json-1.0",
            )


def _xml(content: str, status: int) -> Response:
    return Response(content, status, media_type="application/xml")


def _service(request: Request) -> str:
    """Return the family of services that an unsigned request is probably for."""
    content_type = "".join(request.headers.get("content-type", []))
    if content_type.startswith("application/x-www-form-urlencoded"):
        return "sts"
    # REST services of AWS begin their paths with a date; S3's begin with a bucket.
    is_json = "json" in content_type or "x-amz-target" in request.headers
    return "json" if is_json or re.match(r"/\d{4}-\d{2}-\d{2}/", request.raw_path) else "s3"


def api_error(status: int, code: str, message: str) -> JSONResponse:
    """Return an error in the REST API's format."""
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return JSONResponse({"error": error}, status)
