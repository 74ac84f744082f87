"""The coordinator's process: everything started in order, ended in order.

At the end it first stops listening, then writes out what waits, so that no last value is lost when it is
replaced.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import ssl
from collections.abc import Generator
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from typing_extensions import override

from trainyard.api import names
from trainyard.coordinator import tls
from trainyard.coordinator.app import Services, create_app
from trainyard.coordinator.health import health_app
from trainyard.coordinator.keys import Authenticator
from trainyard.coordinator.kube import Kube, KubeError
from trainyard.coordinator.metrics import Metrics
from trainyard.coordinator.pods import Index
from trainyard.coordinator.progress import ProgressService
from trainyard.coordinator.settings import ConfigMapRef, Settings

log = logging.getLogger(__name__)
EVERYWHERE = "0.0.0.0"  # noqa: S104 - a pod's ports
FLUSH_SECONDS = 10.0
CHECK_CERTIFICATE = 3600.0
PUBLISH_AGAIN = 300.0


class Server(uvicorn.Server):
    """Leaves signals to the process, which has two servers and more to end."""

    @override
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Install no handlers."""
        yield


class Coordinator:
    """The parts of one process and their order."""

    def __init__(self, settings: Settings, kube: Kube) -> None:
        self.settings = settings
        self.kube = kube
        self.metrics = Metrics()
        self.authenticator = Authenticator(kube, self.metrics)
        self.index = Index(kube, settings.namespaces, self.metrics)
        self.progress = ProgressService(
            kube,
            self.index,
            self.metrics,
            write_interval=settings.write_interval,
            report_interval=settings.report_interval,
        )
        self.published = settings.ca_configmap is None
        self.stopping = asyncio.Event()

    async def run(self) -> None:
        """Serve until told to stop, then end in order."""
        files, _ = await asyncio.to_thread(self._certificates)
        services = Services(self.authenticator, self.index, self.progress, self.metrics)
        secure = server(create_app(services), self.settings.port, files)
        plain = server(health_app(self.metrics, self.not_ready), self.settings.http_port)
        background = [
            asyncio.create_task(work, name=name)
            for name, work in {
                "keys": self.authenticator.run(),
                "progress": self.progress.run(),
                "certificate": self._renew(secure.config.ssl),
                "bundle": self._publish(files.ca, self.settings.ca_configmap),
                **{f"watch-{i}": one.run() for i, one in enumerate(self.index.reflectors)},
            }.items()
        ]
        serving = [asyncio.create_task(one.serve()) for one in (secure, plain)]
        log.info("coordinator listens on %d, metrics on %d", self.settings.port, self.settings.http_port)
        failed = await self._until_stopped([*background, *serving])
        secure.should_exit = True
        await asyncio.wait(serving[:1], timeout=FLUSH_SECONDS)
        if left := await self.progress.flush(FLUSH_SECONDS):
            log.error("%d objects keep an old progress: the API server took no write in time", left)
        plain.should_exit = True
        for task in background:
            task.cancel()
        await asyncio.gather(*background, *serving, return_exceptions=True)
        if failed:
            raise failed

    def stop(self) -> None:
        """Begin to end."""
        self.stopping.set()

    def not_ready(self) -> list[str]:
        """What is still missing before reports can be taken."""
        checks = {
            "the API server's token keys": self.authenticator.ready,
            "the first list of pods, Jobs and TrainingJobs": self.index.synced,
            "the CA bundle to be published": self.published,
        }
        return [name for name, done in checks.items() if not done]

    def _certificates(self) -> tuple[tls.Files, bool]:
        return tls.ensure(self.settings.storage / "tls", self.settings.sans or ("localhost",))

    async def _renew(self, context: ssl.SSLContext | None) -> None:
        """Look hourly whether the certificate is due; new connections get the new one, open ones go on."""
        while True:
            await asyncio.sleep(CHECK_CERTIFICATE)
            try:
                files, new = await asyncio.to_thread(self._certificates)
            except tls.StorageError as error:
                log.error("%s", error)
                continue
            if new and context is not None:
                await asyncio.to_thread(context.load_cert_chain, files.server, files.server_key)
                log.info("renewed the server certificate")

    async def _publish(self, ca: Path, where: ConfigMapRef | None) -> None:
        """Keep the CA certificate in its ConfigMap, also when someone removes it."""
        while where is not None:
            text = await asyncio.to_thread(ca.read_text)
            try:
                await self.kube.apply(
                    f"/api/v1/namespaces/{where.namespace}/configmaps/{where.name}", bundle(where, text)
                )
                self.published = True
            except KubeError as error:
                log.warning(
                    "cannot publish the CA certificate in ConfigMap %s/%s: %s",
                    where.namespace,
                    where.name,
                    error,
                )
            await asyncio.sleep(PUBLISH_AGAIN if self.published else 2.0)
        await asyncio.Event().wait()

    async def _until_stopped(self, tasks: list[asyncio.Task[None]]) -> BaseException | None:
        """Wait for the signal, or for a part that ended though none should; return its error."""
        stop = asyncio.create_task(self.stopping.wait())
        await asyncio.wait([*tasks, stop], return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        for task in tasks:
            if task.done() and not self.stopping.is_set():
                return task.exception() or RuntimeError(
                    f"{task.get_name()} ended unexpectedly; see the log above"
                )
        return None


def server(app: FastAPI, port: int, files: tls.Files | None = None) -> Server:
    """A server on a port of this pod, with TLS when there is a certificate."""
    made = uvicorn.Config(
        app,
        host=EVERYWHERE,
        port=port,
        ssl_certfile=files.server if files else None,
        ssl_keyfile=files.server_key if files else None,
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=5,
        timeout_keep_alive=75,
    )
    made.load()
    return Server(made)


def bundle(where: ConfigMapRef, ca: str) -> dict[str, object]:
    """The ConfigMap with the CA certificate."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": where.name,
            "namespace": where.namespace,
            "labels": {"app.kubernetes.io/part-of": "trainyard", names.LABEL_COMPONENT: "coordinator"},
        },
        "data": {"ca.crt": ca},
    }


async def serve(settings: Settings) -> None:
    """Run a coordinator until SIGTERM or SIGINT."""
    kube = await Kube.connect()
    try:
        coordinator = Coordinator(settings, kube)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, coordinator.stop)
        await coordinator.run()
    finally:
        await kube.close()
