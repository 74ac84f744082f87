"""The state of a server, and the one path that every prediction takes."""

from __future__ import annotations

import asyncio
import enum
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from starlette.requests import Request
from starlette.responses import Response

from trainyard_trainer.serving.auth import Tokens, authorise
from trainyard_trainer.serving.limits import Places, check_type, read_body
from trainyard_trainer.serving.metrics import Metrics
from trainyard_trainer.serving.model import Model, workers
from trainyard_trainer.serving.refusal import Refused
from trainyard_trainer.serving.settings import Settings

Work = Callable[[Model, bytes], tuple[bytes, int]]


class Phase(enum.Enum):
    """A server's life. While it drains it is not ready, yet answers: who asks may not know yet."""

    LOADING = "the model is being loaded"
    REFUSED = "the model was refused"
    READY = "ready"
    DRAINING = "the server is stopping"
    CLOSING = "the server has stopped"


class Service:
    """What the routes work with."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.tokens = Tokens(settings.tokens) if settings.tokens is not None else None
        self.places = Places(settings.max_concurrency)
        self.pool = ThreadPoolExecutor(workers(), thread_name_prefix="predict")
        self.phase = Phase.LOADING
        self.why_refused = ""
        self.model: Model | None = None
        self.open_requests = 0
        self.last_request = time.monotonic()

    def ready(self, model: Model) -> None:
        """From now on questions are answered."""
        self.model = model
        family = model.predictor.package.family
        self.metrics.model.labels(model.name, model.version, model.sha256, family).set(1)
        if self.phase is Phase.LOADING:
            self.phase = Phase.READY

    def refuse(self, why: str) -> None:
        """The model must not answer; the server lives on to say so."""
        self.why_refused = why
        if self.phase is Phase.LOADING:
            self.phase = Phase.REFUSED

    @property
    def stopping(self) -> bool:
        """Whether connections should end with their next answer."""
        return self.phase in (Phase.DRAINING, Phase.CLOSING)

    def check_ready(self) -> None:
        """Nothing, when the server is ready.

        Raises:
            Refused: 503 with the reason.
        """
        if self.phase is not Phase.READY:
            raise self._unavailable()

    def loaded(self) -> Model:
        """The model, as long as questions are answered.

        Raises:
            Refused: 503.
        """
        if self.model is None or self.phase not in (Phase.READY, Phase.DRAINING):
            raise self._unavailable()
        return self.model

    def _unavailable(self) -> Refused:
        why = f": {self.why_refused}" if self.phase is Phase.REFUSED else ""
        return Refused(503, f"{self.phase.value}{why}", headers={"Retry-After": "2"})

    def authorise(self, request: Request) -> None:
        """Let it pass.

        Raises:
            Refused: 401.
        """
        authorise(request.headers.get("authorization", ""), self.tokens, self.settings.anonymous)

    def known(self, name: str) -> None:
        """Nothing, when the name is this model's.

        Raises:
            Refused: 404.
        """
        if name != self.settings.name:
            raise Refused(404, f"there is no such model here; this server has '{self.settings.name}'")

    async def answer(self, request: Request, work: Work) -> Response:
        """Read the body and do the work in a thread, so that health and other requests go on.

        Raises:
            Refused: 408, 413, 415, 422, 429, 503 or 504.
        """
        model = self.loaded()
        self.places.take()
        try:
            check_type(request)
            body = await read_body(request, self.settings.max_body_bytes, self.settings.timeout_seconds)
            future = asyncio.get_running_loop().run_in_executor(self.pool, work, model, body)
        except BaseException:
            self.places.give_back()
            raise
        future.add_done_callback(self._done)
        await asyncio.wait({future}, timeout=self.settings.timeout_seconds)
        if not future.done():
            raise Refused(504, f"no answer within {self.settings.timeout_seconds:g} s; send fewer rows")
        content, rows = future.result()
        route = request.scope["route"].path
        self.metrics.rows.labels(route).inc(rows)
        return Response(content, media_type="application/json")

    def _done(self, future: asyncio.Future[tuple[bytes, int]]) -> None:
        """The place is free when the thread is, however long the caller waited."""
        self.places.give_back()
        if not future.cancelled():
            future.exception()  # seen: nothing is to be said of it in the log, where its text would show data
