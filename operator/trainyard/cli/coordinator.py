"""`trainyard coordinator`: the process that trainer pods speak to."""

from __future__ import annotations

import asyncio
import logging
import os
import sys


def coordinator() -> int:
    """Run the coordinator until it is told to stop; 2 means that it cannot be run as configured."""
    from trainyard.coordinator.serve import serve
    from trainyard.coordinator.settings import SettingsError, from_env
    from trainyard.coordinator.tls import StorageError

    try:
        settings = from_env(os.environ)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        asyncio.run(serve(settings))
    except StorageError as error:
        print(error, file=sys.stderr)
        return 2
    return 0
