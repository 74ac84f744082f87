"""Tokens: real keys, real signatures; each test changes one thing of a token that is accepted."""

from __future__ import annotations

import base64
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from trainyard.coordinator import auth

NOW = 1_800_000_000.0
ISSUER = "https://kubernetes.default.svc.cluster.local"
AUDIENCE = "trainyard-coordinator"
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


def public(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, kid: str = "k1") -> jwt.PyJWK:
    algorithm = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
    name = "RS256" if algorithm is RSAAlgorithm else "ES256"
    return jwt.PyJWK({**json.loads(algorithm.to_jwk(key.public_key())), "kid": kid, "alg": name})


def claims(**changes: Any) -> dict[str, Any]:
    body = {
        "iss": ISSUER,
        "aud": [AUDIENCE],
        "exp": NOW + 600,
        "nbf": NOW - 10,
        "iat": NOW - 10,
        "sub": "system:serviceaccount:team-a:trainer",
        "kubernetes.io": {
            "namespace": "team-a",
            "pod": {"name": "adult-tj-a1-x7k2p", "uid": "pod-uid"},
            "serviceaccount": {"name": "trainer", "uid": "sa-uid"},
        },
    }
    return {**body, **changes}


def token(body: dict[str, Any], key: Any = RSA_KEY, algorithm: str = "RS256", kid: str | None = "k1") -> str:
    return jwt.encode(body, key, algorithm=algorithm, headers={"kid": kid} if kid else None)


def check(text: str, key: jwt.PyJWK | None = None) -> auth.Identity:
    auth.key_id(text)
    return auth.verify(text, key or public(RSA_KEY), issuer=ISSUER, audience=AUDIENCE, now=NOW)


def refused(text: str, key: jwt.PyJWK | None = None) -> str:
    with pytest.raises(auth.TokenError) as caught:
        check(text, key)
    return caught.value.reason


@pytest.mark.parametrize(("key", "algorithm"), [(RSA_KEY, "RS256"), (EC_KEY, "ES256")])
def test_a_good_token_names_its_pod(key: Any, algorithm: str) -> None:
    identity = check(token(claims(), key, algorithm), public(key))
    assert identity == auth.Identity("team-a", "adult-tj-a1-x7k2p", "pod-uid", "trainer", NOW + 600)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"aud": ["https://kubernetes.default.svc"]}, "audience"),
        ({"aud": "trainyard-coordinator-2"}, "audience"),
        ({"iss": "https://elsewhere"}, "issuer"),
        ({"exp": NOW}, "expired"),
        ({"exp": NOW - 3600}, "expired"),
        ({"nbf": NOW + 60}, "not-yet-valid"),
        ({"exp": "tomorrow"}, "malformed"),
        ({"exp": True}, "malformed"),
        ({"kubernetes.io": {"namespace": "team-a", "serviceaccount": {"name": "trainer"}}}, "unbound"),
        ({"kubernetes.io": None}, "unbound"),
        (
            {
                "kubernetes.io": {
                    "namespace": "a",
                    "pod": {"name": "p", "uid": 7},
                    "serviceaccount": {"name": "s"},
                }
            },
            "malformed",
        ),
    ],
)
def test_one_wrong_claim_is_refused(changes: dict[str, Any], reason: str) -> None:
    assert refused(token(claims(**changes))) == reason


@pytest.mark.parametrize("missing", ["exp", "iss", "aud"])
def test_a_missing_claim_is_refused(missing: str) -> None:
    body = claims()
    del body[missing]
    assert refused(token(body)) in {"malformed", "audience", "issuer"}


def test_another_key_with_the_same_name_is_refused() -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert refused(token(claims(), other)) == "signature"


def test_an_algorithm_that_does_not_fit_the_key_is_refused() -> None:
    assert refused(token(claims(), EC_KEY, "ES256"), public(RSA_KEY)) == "signature"


def test_an_unsigned_token_is_refused() -> None:
    assert refused(jwt.encode(claims(), None, algorithm="none", headers={"kid": "k1"})) == "algorithm"


def test_a_token_signed_with_the_public_key_as_a_secret_is_refused() -> None:
    """The classic confusion of algorithms; made by hand, since the library refuses to make it."""
    header = {"alg": "HS256", "kid": "k1", "typ": "JWT"}
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, claims())]
    assert refused(b".".join([*parts, b"c2lnbmF0dXJl"]).decode()) == "algorithm"


def test_a_key_of_an_unexpected_kind_verifies_nothing() -> None:
    secret = jwt.PyJWK(
        {"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0", "kid": "k1", "alg": "HS256"}
    )
    assert refused(token(claims()), secret) == "algorithm"


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "a.b", "e30.e30.", "x" * 20_000])
def test_what_is_no_token_is_refused(text: str) -> None:
    assert refused(text) in {"malformed", "algorithm"}


def test_a_token_without_the_name_of_its_key_is_refused() -> None:
    assert refused(token(claims(), kid=None)) == "malformed"


def test_a_token_with_a_changed_body_is_refused() -> None:
    head, _, tail = token(claims()).split(".")
    other = claims()["kubernetes.io"] | {"namespace": "team-b"}
    body = (
        base64.urlsafe_b64encode(json.dumps(claims(**{"kubernetes.io": other})).encode())
        .rstrip(b"=")
        .decode()
    )
    assert refused(f"{head}.{body}.{tail}") == "signature"


def test_verified_tokens_are_remembered_until_they_expire() -> None:
    known = auth.Verified(size=2)
    identity = check(token(claims()))
    known.put("one", identity)
    assert known.get("one", NOW) == identity
    assert known.get("one", NOW + 600) is None
    assert known.get("one", NOW) is None, "an expired token must be forgotten, not come back"


def test_only_so_many_tokens_are_remembered() -> None:
    known = auth.Verified(size=2)
    identity = check(token(claims()))
    for name in ("one", "two"):
        known.put(name, identity)
    known.get("one", NOW)
    known.put("three", identity)
    assert [name for name in ("one", "two", "three") if known.get(name, NOW)] == ["one", "three"]
