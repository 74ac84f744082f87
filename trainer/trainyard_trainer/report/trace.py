"""The blocks of a network and what flows between them, seen by running two rows through it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from trainyard_model import Layer, Network

_INPUT = -1
_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


@dataclass(slots=True)
class _Call:
    name: str
    kind: str
    depth: int
    sources: tuple[int, ...]
    parameters: int = 0
    shape: tuple[int, ...] = ()


@dataclass(slots=True)
class _Trace:
    """Calls in order; which step of the gradient belongs to which call's output."""

    calls: list[_Call] = field(default_factory=list)
    active: list[_Call] = field(default_factory=list)
    made: dict[Any, int] = field(default_factory=dict)
    counted: set[int] = field(default_factory=set)
    inputs: set[int] = field(default_factory=set)

    def enter(self, name: str, module: nn.Module, inputs: Any) -> None:
        """A block is called."""
        depth = len(self.active)
        sources = self.origins(inputs) if depth == 0 else ()
        call = _Call(name, type(module).__name__, depth, sources)
        self.calls.append(call)
        self.active.append(call)
        for parameter in module.parameters(recurse=False):
            if id(parameter) not in self.counted:
                self.counted.add(id(parameter))
                for outer in self.active:
                    outer.parameters += parameter.numel()

    def leave(self, output: Any) -> None:
        """It gives its output."""
        call = self.active.pop()
        tensors = list(_tensors(output))
        call.shape = tuple(tensors[0].shape[1:]) if tensors else ()
        if call.depth == 0:
            for tensor in tensors:
                if tensor.grad_fn is not None:
                    self.made[tensor.grad_fn] = self.calls.index(call)

    def origins(self, inputs: Any) -> tuple[int, ...]:
        """Calls whose output these tensors are computed from, without another call between."""
        tensors = list(_tensors(inputs))
        found = {_INPUT for tensor in tensors if id(tensor) in self.inputs}
        waiting = [tensor.grad_fn for tensor in tensors]
        seen: set[Any] = set()
        while waiting:
            step = waiting.pop()
            if step is None or step in seen:
                continue
            seen.add(step)
            if step in self.made:
                found.add(self.made[step])
            elif id(getattr(step, "variable", None)) in self.inputs:
                found.add(_INPUT)
            else:
                waiting += [before for before, _ in step.next_functions]
        return tuple(sorted(found))


def trace(network: Network, inputs: tuple[Tensor, ...]) -> tuple[Layer, ...]:
    """The network's blocks in the order of execution, the last of which is its output.

    Args:
        network: Is put into evaluation mode, and not changed otherwise.
        inputs: Two rows or so, on the network's device.
    """
    seen = _Trace()
    with torch.enable_grad(), _hooked(network, seen):
        rows = [
            part.detach().clone().requires_grad_() if part.is_floating_point() else part for part in inputs
        ]
        seen.inputs = {id(part) for part in rows}
        output = network.eval().outputs(*rows)
    sources = seen.origins(output)
    rest = sum(p.numel() for p in network.parameters() if id(p) not in seen.counted)
    last = _Call("output", "", 0, sources, rest, tuple(output.shape[1:]))
    return tuple(
        Layer(c.name, c.kind, c.shape, c.parameters, c.sources, c.depth) for c in (*seen.calls, last)
    )


@contextmanager
def _hooked(network: nn.Module, seen: _Trace) -> Iterator[None]:
    handles = []
    for name, module in network.named_modules():
        if module is network or isinstance(module, _CONTAINERS):
            continue

        def enter(module: nn.Module, args: Any, kwargs: Any, name: str = name) -> None:
            seen.enter(name, module, (args, kwargs))

        def leave(module: nn.Module, args: Any, output: Any) -> None:
            seen.leave(output)

        handles.append(module.register_forward_pre_hook(enter, with_kwargs=True))
        handles.append(module.register_forward_hook(leave))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _tensors(part)
