"""`trainyard serve MODEL`: the server of the pods, in this process, with nothing between it and a `curl`."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.status import Status

if TYPE_CHECKING:
    from trainyard_trainer.serving.model import Model
    from trainyard_trainer.serving.settings import Settings

_FAILED = 65
_DRAIN_SECONDS = 1.0


def serve(model: str, port: int, tracking_uri: str | None, token_file: Path | None) -> int:
    """Serve on the loopback address until Ctrl-C; 65 when the model cannot be had or is refused.

    Args:
        model: A package folder, `models:/...`, `runs:/...` or a run's id.
        port: Where to listen.
        tracking_uri: MLflow; MLFLOW_TRACKING_URI or the SQLite file of this folder where silent.
        token_file: A file with the token that callers must send; anyone on this machine may ask where silent.
    """
    from trainyard_trainer.threads import prepare_environment

    prepare_environment()
    console = Console()
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(message)s")
    loading = console.status("loading the model")
    loading.start()
    with tempfile.TemporaryDirectory(prefix="trainyard-") as scratch:
        from trainyard.cli.complain import complain
        from trainyard.local.models import resolve
        from trainyard_trainer.errors import JobError
        from trainyard_trainer.serving.settings import LOOPBACK, Settings

        try:
            found = resolve(model, tracking_uri, Path(scratch))
            settings = Settings(
                model_dir=found.folder,
                name=found.name,
                version=found.version,
                tokens=token_file,
                anonymous=token_file is None,
                host=LOOPBACK,
                port=port,
                metrics_port=None,
                drain_seconds=_DRAIN_SECONDS,
            )
            return _serve(settings, console, loading)
        except JobError as error:
            loading.stop()
            complain(error)
            return error.exit_code
        finally:
            loading.stop()


def _serve(settings: Settings, console: Console, loading: Status) -> int:
    from trainyard_trainer.serving.process import Process

    def announce(model: Model) -> None:
        loading.stop()
        _announce(console, settings, model)

    async def run() -> bool:
        return await Process(settings, announce).run()

    ended_well = asyncio.run(run())
    sys.stdout.flush()
    return 0 if ended_well else _FAILED


def _announce(console: Console, settings: Settings, model: Model) -> None:
    from trainyard_trainer.serving.describe import curl

    url = f"http://{settings.host}:{settings.port}"
    console.print(
        f"[green]✓[/] serving {escape(model.name)} {escape(model.version)} on {url}; it reproduces "
        f"its {model.recorded.rows} recorded rows (Ctrl-C ends it)",
        highlight=False,
        soft_wrap=True,
    )
    console.print("[bold]ask[/]")
    token = None if settings.tokens is None else os.path.relpath(settings.tokens)
    console.print(f"  {escape(curl(model, url, token))}", highlight=False, soft_wrap=True)
    if settings.anonymous:
        console.print(f"[bold]read[/]\n  {url}/docs", highlight=False, soft_wrap=True)
