"""The API server's public keys, kept fresh: fetched at start, hourly, and on an unknown one."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

import jwt

from trainyard.api.names import TOKEN_AUDIENCE
from trainyard.coordinator import auth
from trainyard.coordinator.kube import Kube, KubeError
from trainyard.coordinator.metrics import Metrics

log = logging.getLogger(__name__)
REFRESH = 3600.0
REFRESH_AT_MOST = 10.0
"""Seconds between two fetches, however many tokens name unknown keys."""
FIRST_RETRY = 1.0
"""The same while there are no keys at all."""


class KeysUnavailableError(Exception):
    """No key could be fetched yet, so nobody can be told apart. Passing."""


class Authenticator:
    """Turns tokens into identities."""

    def __init__(self, kube: Kube, metrics: Metrics, clock: Callable[[], float] = time.time) -> None:
        self._kube = kube
        self._metrics = metrics
        self._clock = clock
        self._keys: dict[str, jwt.PyJWK] = {}
        self._issuer = ""
        self._fetched = float("-inf")
        self._lock = asyncio.Lock()
        self._verified = auth.Verified()

    @property
    def ready(self) -> bool:
        """Whether tokens can be verified."""
        return bool(self._keys)

    async def identify(self, token: str) -> auth.Identity:
        """The pod behind a token; TokenError when it is not accepted."""
        now = self._clock()
        if known := self._verified.get(token, now):
            return known
        key = await self._key(auth.key_id(token))
        with self._metrics.verify_seconds.time():
            identity = auth.verify(token, key, issuer=self._issuer, audience=TOKEN_AUDIENCE, now=now)
        self._verified.put(token, identity)
        return identity

    async def _key(self, kid: str) -> jwt.PyJWK:
        if kid not in self._keys:
            try:
                await self.refresh()
            except KubeError as error:
                if not self._keys:
                    raise KeysUnavailableError from error
        try:
            return self._keys[kid]
        except KeyError:
            raise auth.TokenError("unknown-key", kid[:64]) from None

    async def refresh(self) -> None:
        """Fetch issuer and keys anew, unless that was just tried."""
        async with self._lock:
            if time.monotonic() - self._fetched < (REFRESH_AT_MOST if self._keys else FIRST_RETRY):
                return
            self._fetched = time.monotonic()
            discovery = await self._kube.get("/.well-known/openid-configuration")
            found = _usable(await self._kube.get("/openid/v1/jwks"))
            if set(self._keys) - set(found) or self._issuer != discovery["issuer"]:
                self._verified.clear()
            self._issuer, self._keys = str(discovery["issuer"]), found
            log.info("verifying tokens of %s with %d keys", self._issuer, len(found))

    async def run(self) -> None:
        """Keep the keys fresh until cancelled."""
        while True:
            try:
                await self.refresh()
            except KubeError as error:
                log.warning("cannot fetch the API server's keys: %s; trying again", error)
            await asyncio.sleep(REFRESH if self._keys else FIRST_RETRY + 0.1)


def _usable(jwks: dict[str, object]) -> dict[str, jwt.PyJWK]:
    """The keys of a set that can verify what we accept; others are passed over."""
    entries = jwks.get("keys")
    found: dict[str, jwt.PyJWK] = {}
    for entry in entries if isinstance(entries, list) else []:
        try:
            key = jwt.PyJWK(entry)
        except jwt.PyJWTError as error:
            log.warning("passing over a key of the API server: %s", error)
            continue
        if key.key_id and key.algorithm_name in auth.ALGORITHMS:
            found[key.key_id] = key
    return found
