"""A serving pod's process 1: settings from the environment, logs to stderr, threads set before torch."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys

from trainyard_trainer.errors import JobError
from trainyard_trainer.threads import prepare_environment


def main() -> int:
    """Serve until SIGTERM; 0 after a drain, 64 for settings that cannot be used."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # until there is more to end
    prepare_environment()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    from trainyard_trainer.serving.settings import from_env

    try:
        settings = from_env(os.environ)
        from trainyard_trainer.serving.process import Process

        async def serve() -> bool:
            return await Process(settings).run()

        return 0 if asyncio.run(serve()) else 1
    except JobError as error:
        print(f"{error.message}; {error.remedy}", file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    code = main()
    logging.shutdown()
    os._exit(code)  # a thread that is still predicting for a caller long gone must not hold the pod
