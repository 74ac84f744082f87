"""Many processes by torch.distributed: gloo between CPUs, NCCL between GPUs.

A collective that takes longer than SECONDS means a node that fell silent; what the first process alone does,
and may take long, is waited for at the store instead, where it shows that it lives.
"""

from __future__ import annotations

import contextlib
import io
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch._C._distributed_c10d import Store
from typing_extensions import override

from trainyard_model.peers import Peers
from trainyard_trainer.errors import PeersLost, Stopped
from trainyard_trainer.fit.group import Group
from trainyard_trainer.launch.place import Place
from trainyard_trainer.stop import StopRequest

SECONDS = 240.0
_BEAT_SECONDS = 5.0
_LOOK_EVERY = 32  # steps on a GPU, where looking at a wish waits for the device

T = TypeVar("T")


@contextlib.contextmanager
def talking() -> Iterator[None]:
    """Errors of torch.distributed as ours."""
    try:
        yield
    except RuntimeError as error:
        raise PeersLost(
            f"lost the other processes of this training: {str(error).partition('. ')[0]:.200}",
            "the process or pod that failed first says why; the next attempt goes on from the checkpoint",
        ) from error


class Many(Group):
    """One of several processes."""

    def __init__(self, place: Place, store: Store, device: torch.device, stop: StopRequest) -> None:
        self.rank, self.size = place.rank, place.size
        self._store, self._device, self._stop = store, device, stop
        self._asked, self._turn = 0, 0
        self._wishes = self._said = torch.zeros(0, device=device)

    @property
    @override
    def peers(self) -> Peers:
        """The network's view of the group."""
        return Peers(self.rank, self.size, self._add)

    def _add(self, value: Tensor) -> None:
        with talking():
            dist.all_reduce(value)

    @override
    def agree(self, *wishes: bool) -> tuple[bool, ...]:
        """As the base says; on a GPU looked at every few steps."""
        self._asked += 1
        granted = (False,) * len(wishes)
        look = self._device.type == "cpu" or self._asked % _LOOK_EVERY == 0
        if look and len(self._said) == len(wishes):
            granted = tuple(value > 0.0 for value in self._said.tolist())
            self._said = self._said[:0]
        asked = [float(wish and not given) for wish, given in zip(wishes, granted, strict=True)]
        self._wishes = torch.tensor(asked, device=self._device)
        return granted

    @override
    def average(self, parameters: Sequence[Tensor]) -> None:
        """One collective over one flat buffer, with the wishes at its end."""
        trained = [parameter for parameter in parameters if parameter.requires_grad]
        grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in trained]
        flat = torch.cat([*(grad.reshape(-1) for grad in grads), self._wishes])
        self._add(flat)
        flat /= self.size
        sizes = [*(grad.numel() for grad in grads), len(self._wishes)]
        *parts, self._said = torch.split(flat, sizes)
        for parameter, grad, part in zip(trained, grads, parts, strict=True):
            parameter.grad = grad.copy_(part.view_as(grad))  # which lies in memory as the parameter does

    @override
    def mean(self, value: Tensor) -> None:
        """One collective."""
        self._add(value)
        value /= self.size

    @override
    def any(self, wish: bool) -> bool:
        """One collective between CPUs."""
        total = torch.tensor([float(wish)])
        self._add(total)
        return total.item() > 0.0

    @override
    def share(self, make: Callable[[], T]) -> T:
        """By way of bytes, whose number goes first."""
        value, buffer = None, io.BytesIO()
        if self.first:
            value = make()
            torch.save(value, buffer)
        content = torch.frombuffer(bytearray(buffer.getvalue() or b"\0"), dtype=torch.uint8)
        length = torch.tensor([len(content)])
        with talking():
            dist.broadcast(length, 0)
            if not self.first:
                content = torch.empty(int(length.item()), dtype=torch.uint8)
            dist.broadcast(content, 0)
        if not self.first:
            value = torch.load(io.BytesIO(content.numpy().tobytes()), weights_only=True)
        return value  # type: ignore[return-value]

    @override
    def slowly(self, make: Callable[[], T]) -> T:
        """The others look at the store meanwhile; a first process that is silent for long is lost."""
        self._turn += 1
        done, beat = f"slow/{self._turn}", f"beat/{self._turn}"
        made: list[T] = []
        if self.first:
            with self._beating(beat):
                made.append(make())
        with talking():
            if self.first:
                self._store.set(done, "")
            else:
                self._await(done, beat)
        return self.share(lambda: made[0])

    @contextlib.contextmanager
    def _beating(self, key: str) -> Iterator[None]:
        over = threading.Event()

        def work() -> None:
            while not over.wait(_BEAT_SECONDS):
                with contextlib.suppress(RuntimeError):
                    self._store.add(key, 1)

        thread = threading.Thread(target=work, name="beat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _await(self, done: str, beat: str) -> None:
        heard, at = 0, time.monotonic()
        looked = at
        while not self._store.check([done]):
            if self._stop.is_set():
                raise Stopped("stopped while the first process was at work", "start it again")
            now = time.monotonic()
            if now - looked > _BEAT_SECONDS:
                looked, count = now, self._store.add(beat, 0)
                if count != heard:
                    heard, at = count, now
                if now - at > SECONDS:
                    raise RuntimeError(f"the first process has been silent for {SECONDS:.0f} s")
            time.sleep(0.02)

    @override
    def whole(self, mine: Tensor, rows: int) -> Tensor:
        """The sum of what each has, with zeros for the rows of others."""
        if len(mine) == rows:
            return mine
        found = mine.new_zeros(rows, *mine.shape[1:])
        found[self.part(rows)] = mine
        self._add(found)
        return found

    @override
    def close(self) -> None:
        """Whoever still waits for this process learns that it is gone."""
        with contextlib.suppress(RuntimeError):
            dist.destroy_process_group()
