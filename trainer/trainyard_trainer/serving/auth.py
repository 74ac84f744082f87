"""Bearer tokens from a mounted Secret: several at a time, and read again when they change.

So a token is replaced without a restart: add the new one, move the callers, remove the old one.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import time
from pathlib import Path

from trainyard_trainer.serving.refusal import Refused

log = logging.getLogger(__name__)
_LOOK_AGAIN = 1.0
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="trainyard"'}
_WRONG = {"WWW-Authenticate": 'Bearer realm="trainyard", error="invalid_token"'}


class Tokens:
    """The tokens that count at the moment, as digests of one length."""

    def __init__(self, source: Path) -> None:
        """Args: source: A folder of token files (hidden ones are the kubelet's own), or one file."""
        self.source = source
        self._digests: tuple[bytes, ...] = ()
        self._seen: object = None
        self._looked = float("-inf")

    def accept(self, token: bytes) -> bool:
        """Whether the token counts; the time taken tells nothing about which one it resembles."""
        self._refresh()
        given, found = hashlib.sha256(token).digest(), False
        for digest in self._digests:
            found |= hmac.compare_digest(digest, given)
        return found

    @property
    def empty(self) -> bool:
        """Whether there is no token at all."""
        self._refresh()
        return not self._digests

    def _refresh(self) -> None:
        """At most once a second, look whether the files have changed; a mounted Secret changes as a whole."""
        now = time.monotonic()
        if now - self._looked < _LOOK_AGAIN:
            return
        self._looked = now
        try:
            files = self._files()
            seen = [(file.name, file.stat().st_mtime_ns, file.stat().st_ino) for file in files]
            if seen == self._seen:
                return
            contents = [file.read_bytes().strip() for file in files]
        except OSError as error:
            if self._seen is None or self._digests:
                log.warning("the tokens in %s cannot be read: %s", self.source, error.strerror)
            self._digests, self._seen = (), ()
            return
        self._digests = tuple(hashlib.sha256(content).digest() for content in contents if content)
        self._seen = seen
        log.info("%d tokens read from %s", len(self._digests), self.source)

    def _files(self) -> list[Path]:
        if self.source.is_file():
            return [self.source]
        return sorted(
            file for file in self.source.iterdir() if not file.name.startswith(".") and file.is_file()
        )


def authorise(header: str, tokens: Tokens | None, anonymous: bool) -> None:
    """Let a request pass, by its Authorization header. Tokens count even where anonymous was asked for too.

    Raises:
        Refused: 401; who asks may not.
    """
    if tokens is None:
        if anonymous:
            return
        raise Refused(
            401,
            "this server has no tokens, so nobody may ask; set auth in its ModelServer",
            headers=_CHALLENGE,
        )
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Refused(401, "send a token: Authorization: Bearer ...", headers=_CHALLENGE)
    if tokens.accept(token.strip().encode("latin-1", "replace")):
        return
    why = "no token is set up on this server" if tokens.empty else "the token is not one of this server's"
    raise Refused(401, why, headers=_WRONG)
