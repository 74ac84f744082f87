"""Ports and the servers on them; signals are the process's, which has two servers to end in order."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Generator

import uvicorn
from starlette.types import ASGIApp
from typing_extensions import override

from trainyard_trainer.errors import InvalidSpec

CLOSE_SECONDS = 3


class Server(uvicorn.Server):
    """A server that catches no signals."""

    @override
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Install no handlers."""
        yield


def listen(host: str, port: int) -> socket.socket:
    """A listening address of our own, so that one in use is told as what it is.

    Raises:
        InvalidSpec: It cannot be had.
    """
    # The protocol is said, because asyncio lets small answers go at once only on sockets that say it: without
    # it every answer over a connection that is kept waits 40 ms for the caller's delayed acknowledgement.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise InvalidSpec(
            f"port {port} of {host} cannot be had: {error.strerror}", "choose another port"
        ) from None
    return bound


def make_server(app: ASGIApp) -> Server:
    """A server without logs of its own."""
    made = uvicorn.Config(
        app,
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=CLOSE_SECONDS,
        timeout_keep_alive=75,
    )
    return Server(made)
