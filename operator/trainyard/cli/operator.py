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
    from trainyard.controller.election import LeaseLost

    try:
        asyncio.run(run(settings))
    except LeaseLost as lost:
        logging.getLogger(__name__).error("ended, to start anew without old knowledge: %s", lost)
        return 75
    return 0
