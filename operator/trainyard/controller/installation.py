"""What attempts need and only the cluster knows: the coordinator's CA, the cluster's uid, Kueue."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

from trainyard.api.names import KUEUE_GROUP
from trainyard.controller.kube import CONFIG_MAPS, NAMESPACES, Forbidden, Kube, NotFound
from trainyard.controller.settings import Settings
from trainyard.core.reading import mapping, text
from trainyard.render.inputs import Installation

log = logging.getLogger(__name__)

KNOWN_FOR, MISSING_FOR = 60.0, 1.0
"""Seconds after which the CA is read again, when it is there and when it is not."""


class Installations:
    """Keeps the current Installation, at the price of one read a minute however many jobs start."""

    def __init__(self, settings: Settings, kube: Kube) -> None:
        self._settings = settings
        self._kube = kube
        self._current = Installation(
            trainer_image=settings.trainer_image,
            pull_policy=settings.pull_policy,
            tracking_uri=settings.tracking_uri,
            coordinator_url=settings.coordinator_url,
        )
        self._read_again = 0.0
        self._kueue, self._kueue_again = False, 0.0
        self._lock = asyncio.Lock()

    async def start(self) -> None:
        """Read the cluster's uid; without the right to, runs are not tagged with it."""
        try:
            body = await self._kube.get(NAMESPACES, "", "kube-system")
        except (Forbidden, NotFound):
            log.info("the uid of namespace kube-system is not readable; runs carry no cluster uid")
            return
        self._current = replace(self._current, cluster_uid=text(mapping(body.get("metadata")).get("uid")))

    async def kueue(self) -> bool:
        """Whether the cluster has Kueue, asked once a minute at most."""
        now = asyncio.get_running_loop().time()
        if now >= self._kueue_again:
            self._kueue, self._kueue_again = await self._kube.serves(KUEUE_GROUP), now + KNOWN_FOR
        return self._kueue

    @property
    def ready(self) -> bool:
        """The coordinator's CA is known, or none is to be."""
        return self._settings.coordinator_ca is None or bool(self._current.ca_bundle)

    async def current(self) -> Installation:
        """The Installation, its CA read again when it is old."""
        where = self._settings.coordinator_ca
        if where is None:
            return self._current
        loop = asyncio.get_running_loop()
        async with self._lock:
            if loop.time() >= self._read_again:
                self._current = replace(self._current, ca_bundle=await self._read_ca(*where))
                self._read_again = loop.time() + (KNOWN_FOR if self._current.ca_bundle else MISSING_FOR)
        return self._current

    async def _read_ca(self, namespace: str, name: str) -> str:
        try:
            body = await self._kube.get(CONFIG_MAPS, namespace, name)
        except NotFound:
            return ""
        return text(mapping(body.get("data")).get("ca.crt"))
