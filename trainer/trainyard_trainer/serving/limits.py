"""What one request may take: a place among those at work, a body of bounded size and known type, and time."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request

from trainyard_trainer.serving.refusal import Refused

CALLER_GONE = 499  # nobody reads it; the metrics tell it from a failure of ours
_LINGER_BYTES, _LINGER_SECONDS = 4 * 2**20, 2.0


class Places:
    """A counter of requests at work; taken and given back in the event loop only."""

    def __init__(self, most: int) -> None:
        self.most, self.taken = most, 0

    def take(self) -> None:
        """Take one.

        Raises:
            Refused: 429; all are taken.
        """
        if self.taken >= self.most:
            raise Refused(
                429,
                f"{self.most} requests are at work; try again in a moment",
                reasons=["overload"],
                headers={"Retry-After": "1"},
            )
        self.taken += 1

    def give_back(self) -> None:
        """Give one back."""
        self.taken -= 1


def check_type(request: Request) -> None:
    """Only JSON, said aloud: a browser then asks before it lets another site's page send anything.

    Raises:
        Refused: 415; it is something else.
    """
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/json":
        raise Refused(415, "send JSON with the header content-type: application/json", reasons=["media_type"])
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Refused(415, "send the body without a content-encoding", reasons=["media_type"])


async def read_body(request: Request, most: int, seconds: float) -> bytes:
    """The body, as long as it is small enough and arrives in time.

    Raises:
        Refused: 413 without having kept more than is allowed, or 408.
    """
    too_large = Refused(413, f"the body is larger than {most} bytes", reasons=["too_large"])
    length = request.headers.get("content-length", "0")
    chunks: list[bytes] = []
    size = int(length) if length.isdigit() else 0
    if size > most:
        await _discard(request)
        raise too_large
    size = 0
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                size += len(chunk)
                if size > most:
                    chunks.clear()
                    break
                chunks.append(chunk)
    except ClientDisconnect:
        raise Refused(CALLER_GONE, "the caller went away", reasons=["caller_gone"]) from None
    except TimeoutError:
        raise Refused(408, f"the body did not arrive within {seconds:g} s", reasons=["too_slow"]) from None
    if size > most:
        await _discard(request)
        raise too_large
    return b"".join(chunks)


async def _discard(request: Request) -> None:
    """Throw a little of the rest away: a client that is still sending when we close never sees the answer."""
    size = 0
    try:
        async with asyncio.timeout(_LINGER_SECONDS):
            async for chunk in request.stream():
                size += len(chunk)
                if size > _LINGER_BYTES:
                    return
    except (TimeoutError, RuntimeError, ClientDisconnect):
        return
