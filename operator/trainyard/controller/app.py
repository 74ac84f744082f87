"""Strings the operator together and runs it until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import signal
from contextlib import suppress
from typing import Any

from trainyard.api.names import MODELSERVER
from trainyard.controller.election import Election, LeaseLost
from trainyard.controller.http import HealthServer
from trainyard.controller.installation import Installations
from trainyard.controller.intake import Intake
from trainyard.controller.kube import Kube, KubeError
from trainyard.controller.metrics import Metrics
from trainyard.controller.promotions import Promotions
from trainyard.controller.queue import WorkQueue
from trainyard.controller.reconcile import TrainingJobReconciler
from trainyard.controller.reconcile_modelserver import ModelServerReconciler
from trainyard.controller.recorder import Recorder
from trainyard.controller.registry import Registry
from trainyard.controller.registryclient import RegistryClient
from trainyard.controller.resync import Resync
from trainyard.controller.settings import Settings
from trainyard.controller.streams import Streams
from trainyard.controller.watched import Key, Pods
from trainyard.core.policy import problems

log = logging.getLogger(__name__)

STOP_KOPF = 2.0
START_RETRY = 2.0


class Operator:
    """The running operator; its parts know each other only through what they are given here."""

    def __init__(self, settings: Settings, kube: Kube, metrics: Metrics, election: Election) -> None:
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._election = election
        self._leads = asyncio.Event()
        self._lost: asyncio.Future[None] = loop.create_future()
        self._settings = settings
        self._metrics = metrics
        self._first_seen: dict[Key, float] = {}
        self._started = False
        pods, promotions = Pods(), Promotions()
        self._installations = Installations(settings, kube)
        self._recorder = Recorder(kube, metrics, settings.pod_name)
        client = RegistryClient(settings.tracking_uri, may_write=lambda: election.write_seconds() > 0.0)
        self._registry = Registry(client, metrics, self._enqueue)
        shared = (self._installations, self._registry, self._recorder)
        self._jobs = TrainingJobReconciler(
            kube, pods, *shared, metrics, forget=self._forget, created=self._job_created
        )
        self._servers = ModelServerReconciler(kube, promotions, *shared, forget=self._forget)
        self._queue: WorkQueue[Key] = WorkQueue(
            self._work, concurrency=settings.concurrency, depth=metrics.queue_depth.set
        )
        self._intake = Intake(loop, pods, promotions, self._enqueue, first_seen=self._job_seen)
        self._resync = Resync(kube, settings.namespaces, pods, promotions, metrics, self._enqueue)
        self._streams = Streams(settings, self._intake, metrics)
        self._http = HealthServer(
            settings.http_port, metrics, alive=lambda: self._alive, unready=lambda: self._unready
        )

    @property
    def _alive(self) -> bool:
        return not self._started or self._streams.alive

    @property
    def _unready(self) -> str:
        """Who waits for the lease is as ready as it can be: an update must not wait for it."""
        return self._streams.trouble if self._leads.is_set() else ""

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set.

        Raises:
            LeaseLost: Another operator may write now; this process must end.
        """
        await self._http.start()
        call = self._loop.call_soon_threadsafe
        self._election.start(
            won=lambda: call(self._leads.set), lost=lambda why: call(self._lost.set_exception, LeaseLost(why))
        )
        ends: list[asyncio.Future[Any]] = [asyncio.ensure_future(self._main()), self._lost]
        tasks = [*ends, asyncio.ensure_future(stop.wait())]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.to_thread(self._election.stop)
        if self._started:
            await asyncio.to_thread(self._streams.stop, STOP_KOPF)
        self._registry.stop()
        await asyncio.wait(tasks, timeout=1.0)
        await self._http.stop()
        for task in done:
            task.result()

    async def _main(self) -> None:
        await self._leads.wait()
        await self._first_look()
        self._streams.start()
        self._started = True
        log.info("operator started", extra={"key": ",".join(self._settings.namespaces) or "all namespaces"})
        async with asyncio.TaskGroup() as group:
            group.create_task(self._queue.run())
            group.create_task(self._recorder.run())
            group.create_task(self._resync.run(self._settings.resync_seconds))

    async def _first_look(self) -> None:
        """Learn the cluster's uid and all pods before deciding; the API server may still be coming up."""
        await asyncio.to_thread(problems, {})  # builds the spec's models now, not while the first job waits
        while True:
            try:
                await self._installations.start()
                await self._resync.once()
            except KubeError as error:
                log.warning(
                    "the API server does not serve us yet; next try in %.0f s: %s", START_RETRY, error
                )
                await asyncio.sleep(START_RETRY)
            else:
                return

    async def _work(self, key: Key) -> float | None:
        started = self._loop.time()
        outcome = "error"
        try:
            reconciler = self._servers if key.kind == MODELSERVER.kind else self._jobs
            delay = await reconciler.reconcile(key)
            outcome = "ok"
        finally:
            self._metrics.reconcile.labels(key.kind, outcome).observe(self._loop.time() - started)
        return delay

    def _enqueue(self, key: Key) -> None:
        self._queue.add(key)

    def _job_seen(self, key: Key) -> None:
        self._first_seen.setdefault(key, self._loop.time())

    def _job_created(self, key: Key) -> None:
        if (seen := self._first_seen.pop(key, None)) is not None:
            self._metrics.time_to_job.observe(self._loop.time() - seen)

    def _forget(self, key: Key) -> None:
        self._first_seen.pop(key, None)
        self._intake.forget(key)
        self._loop.call_soon(self._queue.forget, key)


async def run(settings: Settings) -> None:
    """Connect, run until SIGTERM or SIGINT, and leave nothing open.

    Raises:
        LeaseLost: Another operator may write now.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    metrics = Metrics()
    election = Election(settings.pod_namespace, settings.lease, settings.pod_name, metrics)
    kube = await Kube.connect(metrics, election.write_seconds)
    try:
        await Operator(settings, kube, metrics, election).run(stop)
    finally:
        with suppress(Exception):
            await kube.close()
    log.info("operator stopped")
