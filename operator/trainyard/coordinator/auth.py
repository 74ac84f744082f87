"""Who is speaking: a projected ServiceAccount token checked without asking anyone.

The API server signs a token that is bound to one pod and one audience; its public keys are readable by
every ServiceAccount. So a namespaced install needs no TokenReview, and a report costs the API server
nothing. What a signature cannot tell, whether the pod still exists, is answered by the watch of pods (see
`pods.py`).
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from jwt.types import Options

ALGORITHMS = ("RS256", "ES256")
LONGEST_TOKEN = 16 * 1024
SKEW = 10.0
"""Seconds by which the API server's clock may be ahead of ours."""
OPTIONS: Options = {
    "require": ["exp", "iss", "aud"],
    # Times are compared here, with the clock that was passed in.
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
}


class TokenError(Exception):
    """A token that is not accepted. The reason is for our log and metrics, never for the caller."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Identity:
    """The pod that a token was made for."""

    namespace: str
    pod: str
    pod_uid: str
    service_account: str
    expires: float


def key_id(token: str) -> str:
    """Name of the key that signed this token; refuses what no API server would sign."""
    if len(token) > LONGEST_TOKEN:
        raise TokenError("malformed", "longer than 16 KiB")
    try:
        header = jwt.get_unverified_header(token)
    except jwt.InvalidTokenError as error:
        raise TokenError("malformed", str(error)) from error
    if header.get("alg") not in ALGORITHMS:
        raise TokenError("algorithm", str(header.get("alg")))
    key = header.get("kid")
    if not isinstance(key, str) or not key:
        raise TokenError("malformed", "no kid")
    return key


def verify(token: str, key: jwt.PyJWK, *, issuer: str, audience: str, now: float) -> Identity:
    """Check signature, issuer, audience and times, and return the pod that the token is bound to."""
    if key.algorithm_name not in ALGORITHMS:
        raise TokenError("algorithm", key.algorithm_name)
    try:
        claims = jwt.decode(
            token,
            key.key,
            algorithms=[key.algorithm_name],
            audience=audience,
            issuer=issuer,
            options=OPTIONS,
        )
    except jwt.InvalidAudienceError as error:
        raise TokenError("audience", str(error)) from error
    except jwt.InvalidIssuerError as error:
        raise TokenError("issuer", str(error)) from error
    except (jwt.InvalidAlgorithmError, jwt.InvalidSignatureError) as error:
        raise TokenError("signature", str(error)) from error
    except jwt.InvalidTokenError as error:
        raise TokenError("malformed", str(error)) from error
    expires = _time(claims, "exp")
    if now >= expires:
        raise TokenError("expired", f"{now - expires:.0f} s ago")
    if "nbf" in claims and now < _time(claims, "nbf") - SKEW:
        raise TokenError("not-yet-valid")
    return _bound_pod(claims, expires)


def _time(claims: Mapping[str, Any], name: str) -> float:
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TokenError("malformed", f"{name} is no number")
    return float(value)


def _bound_pod(claims: Mapping[str, Any], expires: float) -> Identity:
    """The `kubernetes.io` claims; a token that is bound to no pod speaks for nobody here."""
    try:
        bound = claims["kubernetes.io"]
        texts = (
            bound["namespace"],
            bound["pod"]["name"],
            bound["pod"]["uid"],
            bound["serviceaccount"]["name"],
        )
    except (KeyError, TypeError) as error:
        raise TokenError("unbound", "not bound to a pod") from error
    if not all(isinstance(text, str) and text for text in texts):
        raise TokenError("malformed", "kubernetes.io claims are no texts")
    return Identity(*texts, expires=expires)


class Verified:
    """Tokens already verified, until they expire: a pod sends the same one for most of an hour.

    Keyed by a hash, so that a memory dump holds no usable credential.
    """

    def __init__(self, size: int = 20_000) -> None:
        self._size = size
        self._found: OrderedDict[bytes, Identity] = OrderedDict()

    def get(self, token: str, now: float) -> Identity | None:
        """The identity of a token seen before, or None."""
        key = _digest(token)
        identity = self._found.get(key)
        if identity is None:
            return None
        if now >= identity.expires:
            del self._found[key]
            return None
        self._found.move_to_end(key)
        return identity

    def put(self, token: str, identity: Identity) -> None:
        """Remember a verified token; the least recently used one makes room."""
        self._found[_digest(token)] = identity
        while len(self._found) > self._size:
            self._found.popitem(last=False)

    def clear(self) -> None:
        """Forget everything: the keys changed."""
        self._found.clear()


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()
