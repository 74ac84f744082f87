"""`trainyard operator`: the operator's process."""

from __future__ import annotations

import asyncio
import logging


def operator() -> int:
    """Run the operator; the result is the exit code."""
    from trainyard.controller.logs import configure
    from trainyard.controller.settings import BadSettings, Settings

    try:
        settings = Settings.from_env()
    except BadSettings as error:
        configure("INFO")
        logging.getLogger(__name__).error("%s", error)
        return 64
    configure(settings.log_level)
    from trainyard.controller.app import run

    asyncio.run(run(settings))
    return 0
