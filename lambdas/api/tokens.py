"""Verify JSON Web Tokens of a Cognito user pool.

Source: https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-tokens-verifying-a-jwt.html
"""

from collections.abc import Collection
from functools import cache
from typing import Any

import jwt

from lambdas.domain.errors import ServiceUnavailable, Unauthenticated

_ALGORITHM = "RS256"  # the only algorithm that Cognito signs with
_CLIENT_CLAIM = {"access": "client_id", "id": "aud"}  # the claim that names the app client, by token use


class Pool:
    def __init__(self, pool_id: str, client_ids: Collection[str]) -> None:
        # The region is the first part of a pool's id.
        self._issuer = f"https://cognito-idp.{pool_id.partition('_')[0]}.amazonaws.com/{pool_id}"
        self._client_ids = client_ids

    def claims(self, token: str, jwks_url: str) -> dict[str, Any]:
        """Return the claims of a token that this pool issued for one of the clients and that has not expired.

        Raises Unauthenticated; ServiceUnavailable if the pool's keys can't be read.
        """
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") != _ALGORITHM:
                raise Unauthenticated("token is not signed with " + _ALGORITHM)
            key = _keys(jwks_url).get_signing_key(header.get("kid", ""))
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[_ALGORITHM],
                issuer=self._issuer,
                # The audience is checked below: an access token has none.
                options={"require": ["exp", "iss", "sub", "token_use"], "verify_aud": False},
            )
        except jwt.PyJWKClientConnectionError as error:
            raise ServiceUnavailable(f"can't read the user pool's keys: {error}") from error
        except jwt.PyJWTError as error:
            raise Unauthenticated(f"invalid token: {type(error).__name__}") from error
        client_claim = _CLIENT_CLAIM.get(str(claims["token_use"]))
        if client_claim is None or claims.get(client_claim) not in self._client_ids:
            raise Unauthenticated("token is for another use or client")
        return claims


@cache
def _keys(jwks_url: str) -> jwt.PyJWKClient:
    """Return a client that caches the keys and reloads them for an unknown key id, at most twice a minute."""
    return jwt.PyJWKClient(jwks_url, timeout=5)
