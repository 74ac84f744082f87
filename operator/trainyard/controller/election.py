"""One writer among several operators: a Lease, kept in a thread of its own that a busy loop cannot hold up.

Who leads asks `write_seconds` before each write. Whoever led and does not any more ends its process: what it
had in memory is of yesterday, and the next process starts from what is there.
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from trainyard.controller.kube import LEASES, AlreadyExists, Body, Conflict, Kube, KubeError, NotFound
from trainyard.controller.metrics import Metrics
from trainyard.core import lease
from trainyard.core.lease import RENEW_SECONDS, WRITE_SECONDS

log = logging.getLogger(__name__)

ROUND_SECONDS = 5.0
"""An answer that takes longer is no answer: there is time for another try before writes must stop."""
RELEASE_SECONDS = 2.0


class LeaseLost(Exception):  # noqa: N818 - reads as what happened
    """Another operator leads now, or the API server could not be told that this one still does."""


class Election:
    """A candidate for one Lease.

    Args:
        namespace: Of the Lease.
        name: Of the Lease; with an empty one there is nobody else, and this process leads from the start.
        me: Who writes here, different for each process.
        metrics: Told of every request, and who leads.
    """

    def __init__(self, namespace: str, name: str, me: str, metrics: Metrics) -> None:
        self._namespace, self._name, self._me, self._metrics = namespace, name, me, metrics
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._campaign, name="election", daemon=True)
        self._write_until = -math.inf if name else math.inf
        self._won: Callable[[], object] = lambda: None
        self._lost: Callable[[str], object] = lambda _: None
        self._leading = False
        self._record: Body | None = None
        self._unchanged_since = time.monotonic()

    def write_seconds(self) -> float:
        """For how long a write may still be begun; nothing or less when it may not."""
        return self._write_until - time.monotonic()

    def start(self, won: Callable[[], object], lost: Callable[[str], object]) -> None:
        """Begin; `won`, and `lost` at most once, are called from the election's thread."""
        self._won, self._lost = won, lost
        if self._name:
            self._thread.start()
        else:
            self._metrics.leader.set(1)
            won()

    def stop(self) -> None:
        """Let go of the Lease, so that the next one need not wait, and write no more."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(RELEASE_SECONDS + 1.0)
        self._write_until = -math.inf

    def _campaign(self) -> None:
        """The thread; should it break, the process ends, since it could never write (again)."""
        try:
            asyncio.run(self._run())
        except Exception as error:
            log.exception("the election broke")
            self._lose(f"the election broke: {error!r}")

    async def _run(self) -> None:
        kube = await Kube.connect(self._metrics)
        try:
            while not self._stop.is_set() and await self._round(kube):
                await asyncio.to_thread(self._stop.wait, RENEW_SECONDS)
            await self._release(kube)
        finally:
            await kube.close()

    async def _round(self, kube: Kube) -> bool:
        """Renew, or try to take; whether to go on."""
        trouble = ""
        try:
            async with asyncio.timeout(ROUND_SECONDS):
                await self._write(kube) if self._leading else await self._try(kube)
        except TimeoutError:
            trouble = f"no answer in {ROUND_SECONDS:.0f} s"
        except KubeError as error:
            trouble = str(error)
        if trouble:
            trouble = f"the lease cannot be {'renewed' if self._leading else 'looked at'}: {trouble}"
            log.warning("%s", trouble)
        if not self._leading:
            return True
        other = lease.holder(self._record or {})
        if other not in ("", self._me):
            return self._lose(f"{other} leads now")
        return self.write_seconds() > 0.0 or self._lose(trouble or "the lease was not renewed in time")

    async def _try(self, kube: Kube) -> None:
        await self._look(kube)
        if lease.may_take(self._record, self._me, time.monotonic() - self._unchanged_since):
            await self._write(kube)

    async def _write(self, kube: Kube) -> None:
        """Write our name; what is there instead is known afterwards."""
        sent = time.monotonic()
        body = lease.taken(self._record, self._namespace, self._name, self._me, datetime.now(UTC))
        try:
            if self._record is None:
                self._record = await kube.create(LEASES, self._namespace, body)
            else:
                self._record = await kube.replace(LEASES, body)
        except (AlreadyExists, Conflict, NotFound):
            await self._look(kube)
            return
        self._write_until = sent + WRITE_SECONDS
        if not self._leading:
            self._leading = True
            log.info("this operator leads", extra={"key": f"{self._namespace}/{self._name}"})
            self._metrics.leader.set(1)
            self._won()

    async def _look(self, kube: Kube) -> None:
        try:
            found: Body | None = await kube.get(LEASES, self._namespace, self._name)
        except NotFound:
            found = None
        if _version(found) != _version(self._record):
            self._unchanged_since = time.monotonic()
        self._record = found

    def _lose(self, reason: str) -> bool:
        self._write_until = -math.inf
        self._metrics.leader.set(0)
        lost, self._lost = self._lost, lambda _: None  # told once
        lost(reason)
        return False

    async def _release(self, kube: Kube) -> None:
        if self._record is None or self.write_seconds() <= 0.0:
            return
        self._write_until = -math.inf
        try:
            async with asyncio.timeout(RELEASE_SECONDS):
                await kube.replace(LEASES, lease.released(self._record, datetime.now(UTC)))
        except (KubeError, TimeoutError) as error:
            log.warning("the lease could not be released; the next operator waits for it to end: %s", error)


def _version(record: Body | None) -> str:
    return "" if record is None else str(record["metadata"]["resourceVersion"])
