"""The device, the number of threads and the numerics of a training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainyard_trainer.threads import cpu_quota, prepare_environment, thread_count

if TYPE_CHECKING:  # torch must not be imported before the environment is prepared
    from trainyard_model import Network

__all__ = ["configure", "cpu_quota", "prepare_environment", "share_out", "thread_count"]
_SMALL = 32_768


def configure(deterministic: bool, step_cells: int) -> str:
    """Set threads and numerics; the name of the device to train on comes back.

    Args:
        deterministic: Bit-identical results on the same device with the same threads.
        step_cells: Rows of a batch times the widest layer; below _SMALL a second thread only costs.
    """
    import torch

    torch.set_num_threads(1 if step_cells < _SMALL else thread_count())
    # What torch.use_deterministic_algorithms does, less telling torch.compile, which imports for seconds.
    torch._C._set_deterministic_algorithms(deterministic, warn_only=False)
    return "cuda" if torch.cuda.is_available() else "cpu"


def share_out(network: Network, rows: int) -> None:
    """Where the network does parts of a batch of so many rows side by side, operators get one thread."""
    import torch

    if network.share_out(rows, thread_count()) > 1:
        torch.set_num_threads(1)
