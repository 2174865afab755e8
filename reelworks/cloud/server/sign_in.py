"""Which unsigned calls of the user pool are a sign-in, and which of them ministack would not check.

On AWS the pool's public operations are unsigned, since each carries its own proof. ministack 1.5.33 checks a
password (services/cognito.py, _initiate_auth), but neither a challenge's session, nor a refresh token's
signature, nor a mailed code. So here only what a password proves is unsigned, and what this cloud gave in
exchange for one: challenge sessions and refresh tokens are remembered as they are issued. The pool's users,
like these, end with the cloud's process. Every other operation must be signed.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

TARGET = "AWSCognitoIdentityProviderService."

_REFRESHING = ("REFRESH_TOKEN", "REFRESH_TOKEN_AUTH")
_WITH_PASSWORD = ("USER_PASSWORD_AUTH", "USER_SRP_AUTH")
_ANSWERED_BY_PASSWORD = "PASSWORD_VERIFIER"  # noqa: S105  a challenge's name
_ANSWERED_IN_SESSION = ("NEW_PASSWORD_REQUIRED", "SOFTWARE_TOKEN_MFA")
_SESSION_SECONDS = 15 * 60.0  # the longest that a pool can be set to
_MOST_REMEMBERED = 10_000


@dataclass(frozen=True)
class _Challenge:
    name: str
    client: str
    users: frozenset[str]
    until: float


class SignIns:
    """What the pool has issued to users who proved who they are."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._challenges: dict[str, _Challenge] = {}  # by their sessions, oldest first
        self._refresh_tokens: dict[bytes, None] = {}  # their hashes, oldest first

    def allows(self, operation: str, request: Mapping[str, Any]) -> bool:
        """Return whether an unsigned call is a sign-in that carries its proof."""
        match operation:
            case "InitiateAuth" if request.get("AuthFlow") in _WITH_PASSWORD:
                return True
            case "InitiateAuth" if request.get("AuthFlow") in _REFRESHING:
                return self._issued(_object(request, "AuthParameters").get("REFRESH_TOKEN"))
            case "GetTokensFromRefreshToken":
                return self._issued(request.get("RefreshToken"))
            case "RespondToAuthChallenge" if request.get("ChallengeName") == _ANSWERED_BY_PASSWORD:
                return True
            case "RespondToAuthChallenge" if request.get("ChallengeName") in _ANSWERED_IN_SESSION:
                return self._was_asked(request)
            case _:
                return False

    def remember(self, request: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        """Remember what an answer of the pool issued."""
        issued = _object(answer, "AuthenticationResult")
        if isinstance(token := issued.get("RefreshToken"), str):
            _keep(self._refresh_tokens, _hash(token), None)
        session, name = answer.get("Session"), answer.get("ChallengeName")
        if isinstance(session, str) and isinstance(name, str):
            said = [_object(request, "AuthParameters"), _object(request, "ChallengeResponses")]
            asked = _object(answer, "ChallengeParameters")
            users = [fields.get("USERNAME") for fields in (*said, asked)] + [asked.get("USER_ID_FOR_SRP")]
            challenge = _Challenge(
                name,
                str(request.get("ClientId")),
                frozenset(user for user in users if isinstance(user, str)),
                self._now() + _SESSION_SECONDS,
            )
            _keep(self._challenges, session, challenge)
        elif issued:
            self._challenges.pop(str(request.get("Session")), None)

    def _was_asked(self, request: Mapping[str, Any]) -> bool:
        challenge = self._challenges.get(str(request.get("Session")))
        return (
            challenge is not None
            and challenge.until > self._now()
            and challenge.name == request.get("ChallengeName")
            and challenge.client == request.get("ClientId")
            and _object(request, "ChallengeResponses").get("USERNAME") in challenge.users
        )

    def _issued(self, token: object) -> bool:
        return isinstance(token, str) and _hash(token) in self._refresh_tokens


def _keep(store: dict[Any, Any], key: Any, value: Any) -> None:
    store[key] = value
    while len(store) > _MOST_REMEMBERED:
        del store[next(iter(store))]


def _object(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = document.get(name)
    return value if isinstance(value, dict) else {}


def _hash(token: str) -> bytes:
    return sha256(token.encode(errors="surrogatepass")).digest()
