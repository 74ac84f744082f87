"""Train for a moment, with nothing recorded."""

from __future__ import annotations

from trainyard_model import Network
from trainyard_trainer.assembly import assemble
from trainyard_trainer.data.prepare import Prepared
from trainyard_trainer.fit.checkpoint import State
from trainyard_trainer.fit.loop import Epoch
from trainyard_trainer.resolve import Job


class Silent:
    """Hooks that do nothing."""

    def stopping(self) -> bool:
        return False

    def epoch_done(self, epoch: Epoch) -> None:
        """Nothing."""

    def save(self, state: State, epoch: int) -> None:
        """Nothing."""


def trained(job: Job, data: Prepared) -> Network:
    network, fitter = assemble(job, data)
    fitter.run(Silent())
    return network
