"""Declare the API's operations, each in one place, from which the routes and the API's document come.

    @routes.post("/v1/videos/<video_id>/remix", body=Body(RemixFields, form=True), answer=VideoObject,
                 errors=(VideoNotFound, NotReady))
    def remix_video(video_id: str) -> Response:
        '''Remix a video

        What its user should know, in Markdown.'''

1. The function's name is the operation's id, its docstring's first line the summary, the rest the
   description.
2. `body` and `query` are the models that parse them, `answer` is the type of the JSON answer (answers.py,
   whose types the code that builds it is checked against), `errors` the classes of lambdas/domain/errors.py
   that it raises. What any operation may answer (401, 429, 500 …) is added: see document.py.
3. A docstring under a field of a model or an answer says what it is; a field's `description`, what is
   allowed.
4. Each parameter in a path has its line in PATH_PARAMETERS. A header is a constant below.
5. A group of routes is a module of routes/, listed in app.py. Google's routes are not in the document; they
   declare their answers only. Tests find what is not declared or not true:
   they check every answer of the API's tests against the document, and run every example.

Nothing here costs a start anything: lambdas/api/document.py builds the document when it is asked for.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from lambdas.api.response import Response
from lambdas.domain import names
from lambdas.domain.errors import RequestError
from lambdas.domain.quotas import Quota
from lambdas.domain.video import VIDEO_ID

_Handler = TypeVar("_Handler", bound=Callable[..., Response])
Json = Mapping[str, Any]

PATH_PARAMETERS: Mapping[str, Json] = {
    "video_id": {
        "description": "The video's id.",
        "schema": {"type": "string", "pattern": f"^{VIDEO_ID}$"},
        "example": "video_0123456789abcdef0123456789abcdef",
    },
    "character_id": {
        "description": "The character's id.",
        "schema": {"type": "string", "maxLength": 100},
        "example": "char_0123456789abcdef0123456789abcdef",
    },
    "voice": {
        "description": "The voice's id, as the list of voices has it.",
        "schema": {"type": "string", "maxLength": 100},
        "example": "Joanna",
    },
    "upload_id": {
        "description": "The upload's id.",
        "schema": {"type": "string", "maxLength": 100},
        "example": "file_0123456789abcdef0123456789abcdef",
    },
    "endpoint_id": {
        "description": "The webhook endpoint's id, or `default` for the `webhook_url` of requests.",
        "schema": {"type": "string", "maxLength": 100},
        "example": "we_0123456789abcdef0123456789abcdef",
    },
    "delivery_id": {
        "description": "The delivery's id.",
        "schema": {"type": "string", "maxLength": 200},
        "example": "wd_0123456789abcdef0123456789abcdef",
    },
    "scene": {
        "description": "The scene's index, from 0.",
        "schema": {"type": "integer", "minimum": 0},
        "example": 0,
    },
    "clip": {
        "description": "The clip's index in the film, from 0.",
        "schema": {"type": "integer", "minimum": 0},
        "example": 0,
    },
    "key_id": {
        "description": "The key's id.",
        "schema": {"type": "string", "maxLength": 100},
        "example": "key_" + 64 * "0",
    },
    "name": {
        "description": "The engine's name.",
        "schema": {"type": "string", "maxLength": 100},
        "example": "animatic",
    },
}


@dataclass(frozen=True)
class Header:
    name: str
    description: str
    schema: Json


IDEMPOTENCY_KEY = Header(
    "Idempotency-Key",
    "The same key with the same request always gives the same video; with another request it is refused "
    "(409). Any text that is unique to this request, for example a UUID.",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
)
RETRY_COUNT = Header(
    names.RETRY_COUNT_HEADER,
    "OpenAI's clients count their retries in it. A retry gets what its first try did.",
    {"type": "integer", "minimum": 0},
)
IF_MATCH = Header(
    "If-Match",
    "The `ETag` of the storyboard that you read: any other is left as it is (412).",
    {"type": "string"},
)
ETAG = Header("ETag", "The storyboard's version; send it as `If-Match`.", {"type": "string"})
POLL_AFTER = Header(
    names.POLL_AFTER_HEADER,
    "Milliseconds after which to ask again, while the video is being made: the longer it waits, the more.",
    {"type": "integer", "minimum": 0},
)


# Of each quota that a tenant has.
QUOTA_HEADERS = tuple(
    Header(f"x-ratelimit-{what}-{quota.replace('_', '-')}", says.format(quota=quota), {"type": "string"})
    for quota in Quota
    for what, says in (
        ("limit", "The limit of the quota `{quota}`, if there is one."),
        ("remaining", "What is left of `{quota}`."),
        ("reset", "When `{quota}` is whole again, for example 6m0s."),
    )
)


@dataclass(frozen=True)
class Body:
    """The body of a request.

    `form`: it may be multipart/form-data, too, with text for numbers, and with `files` (names of
    lambdas.intake.files). `with_file`: fields of a create that it takes together with a file.
    `other_names`: it also takes the fields of lambdas.intake.other_names.
    """

    model: type[Any]
    form: bool = False
    files: Sequence[str] = ()
    with_file: Sequence[str] = ()
    other_names: bool = False
    examples: Mapping[str, Json] = field(default_factory=dict)  # by what each shows


@dataclass(frozen=True, kw_only=True)
class Operation:
    """`redirects`: media types of what the answer's link (302) gives. `public`: it needs no key."""

    id: str
    handler: Callable[..., Response]  # called with the path's parameters
    methods: tuple[str, ...]
    path: str  # with <parameters>
    group: str
    summary: str
    description: str
    body: Body | None
    query: type[Any] | None
    answer: Any
    media_type: str
    redirects: Sequence[str]
    headers: Sequence[Header]
    sends: Sequence[Header]
    errors: Sequence[type[RequestError]]
    public: bool


class Routes:
    """A group of routes. `about` introduces it in the document."""

    def __init__(self, name: str, about: str) -> None:
        self.name, self.about = name, about
        self.operations: list[Operation] = []

    def operation(
        self,
        methods: Sequence[str],
        path: str,
        *,
        body: Body | None = None,
        query: type[Any] | None = None,
        answer: Any = None,
        media_type: str = "application/json",
        redirects: Sequence[str] = (),
        headers: Sequence[Header] = (),
        sends: Sequence[Header] = (),
        errors: Sequence[type[RequestError]] = (),
        public: bool = False,
    ) -> Callable[[_Handler], _Handler]:
        def declared(handler: _Handler) -> _Handler:
            summary, _, description = (handler.__doc__ or "").partition("\n")
            self.operations.append(
                Operation(
                    id=handler.__name__,
                    handler=handler,
                    methods=tuple(methods),
                    path=path,
                    group=self.name,
                    summary=summary.strip().removesuffix("."),
                    description=description,
                    body=body,
                    query=query,
                    answer=answer,
                    media_type=media_type,
                    redirects=redirects,
                    headers=headers,
                    sends=sends,
                    errors=errors,
                    public=public,
                )
            )
            return handler

        return declared

    def get(self, path: str, **details: Any) -> Callable[[_Handler], _Handler]:
        return self.operation(["GET"], path, **details)

    def post(self, path: str, **details: Any) -> Callable[[_Handler], _Handler]:
        return self.operation(["POST"], path, **details)

    def put(self, path: str, **details: Any) -> Callable[[_Handler], _Handler]:
        return self.operation(["PUT"], path, **details)

    def delete(self, path: str, **details: Any) -> Callable[[_Handler], _Handler]:
        return self.operation(["DELETE"], path, **details)
