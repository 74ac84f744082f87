"""TabNet (Arik and Pfister, arXiv 1908.07442), numerically the network of pytorch-tabnet 4.1.0.

Same initialisation, scaling, prior update and sparsity term; only the way it is computed differs: parameters
of all steps in one tensor a kind, the steps as one autograd function (`steps`), norms folded into the weights
for predictions (`inference`), and on a CPU slices of whole virtual batches that fit the cache, several side
by side (`workers`).
"""

# mypy: disable-error-code="explicit-override"
# (typing.override needs Python 3.12, and the package may not import typing_extensions)

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...batch_norm import batch_norm
from ...embedding import PackedEmbedding, drop_categories
from ..base import Batch, Layer, Loss, Network
from ..workers import side_by_side
from .config import TabNetConfig
from .ghost_norm import Cut, cuts, fold, virtual_batches
from .inference import Folded, fold_norms, steps
from .outline import outline
from .sparsemax import MASKS
from .steps import Rules, Statistics, Weights, decide
from .upgrade import pack

_MOMENTUM = 0.01  # of the norm before the first step, which is over whole batches
_CELLS = 524_288  # of the widest tensor in a slice for training: below, calls cost more than cache misses
_CELLS_AT_WORK = 131_072  # for predictions, which keep nothing: what stays in a core's cache
_CELLS_WORTH_A_WORKER = 98_304  # of the widest tensor: with fewer, workers wait for the interpreter's lock


_Steps = list[tuple[Tensor, Tensor]]
"""Of slices of rows, the mask and the decision of every step."""


class _Done(NamedTuple):
    """What a worker made of its cuts: loss, gradients of their rows, of the parameters, and statistics."""

    loss: Tensor
    x: list[Tensor]
    parameters: list[Tensor]
    found: list[Statistics]


def _parameter(shape: tuple[int, ...], inputs: int, outputs: int, gated: bool) -> nn.Parameter:
    """Matrices (..., outputs, inputs), each drawn as pytorch-tabnet draws it."""
    weight = torch.empty(*shape, outputs, inputs)
    gain = math.sqrt((inputs + outputs) / math.sqrt(inputs if gated else 4 * inputs))
    for matrix in weight.view(-1, outputs, inputs) if weight.numel() else ():
        nn.init.xavier_normal_(matrix, gain=gain)
    return nn.Parameter(weight)


class TabNet(Network):
    """Logits (or values) and the sparsity term from numeric columns and category codes."""

    config: TabNetConfig
    compiles = False
    workers = 1
    _settled = True
    share: Tensor | None
    mean: Tensor
    variance: Tensor
    attend_mean: Tensor
    attend_variance: Tensor

    def __init__(self, config: TabNetConfig) -> None:
        super().__init__()
        if config.n_independent + config.n_shared == 0:
            raise ValueError("n_independent and n_shared cannot both be 0")
        self.config = config
        hidden, transformers = config.n_d + config.n_a, config.n_steps + 1
        own = config.n_independent - (config.n_shared == 0)
        self.embedding = (
            PackedEmbedding(config.cardinalities, config.widths) if config.cardinalities else None
        )
        self.initial_norm = nn.BatchNorm1d(config.inputs)
        first = 1 if config.n_shared else transformers
        self.first = _parameter((first,), config.inputs, 2 * hidden, True)
        self.shared = _parameter((max(0, config.n_shared - 1),), hidden, 2 * hidden, True)
        self.own = _parameter((transformers, own), hidden, 2 * hidden, True)
        norms = (transformers, config.n_independent + config.n_shared, 2 * hidden)
        self.gain, self.bias = nn.Parameter(torch.ones(norms)), nn.Parameter(torch.zeros(norms))
        self.attend = _parameter((config.n_steps,), config.n_a, config.features, False)
        masks = (config.n_steps, config.features)
        self.attend_gain = nn.Parameter(torch.ones(masks))
        self.attend_bias = nn.Parameter(torch.zeros(masks))
        self.head = _parameter((), config.n_d, config.outputs, False)
        for name, shape in {"": norms, "attend_": masks}.items():
            self.register_buffer(f"{name}mean", torch.zeros(shape))
            self.register_buffer(f"{name}variance", torch.ones(shape))
        self.register_buffer("share", _share(config.widths), persistent=False)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        pack(state_dict, prefix, self.config)
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def _weights(self) -> Weights:
        return Weights(*(getattr(self, name) for name in Weights._fields))

    def _rules(self) -> Rules:
        config = self.config
        return Rules(config.n_d, config.gamma, MASKS[config.mask], config.numeric, self.share)

    def _embed(self, numeric: Tensor, codes: Tensor, training: bool) -> Tensor:
        """Numeric columns first, then every embedding; normalised over the whole batch."""
        x, norm = numeric, self.initial_norm
        if self.embedding is not None:
            looked_up = self.embedding(codes)
            x = torch.cat([numeric, looked_up], 1) if self.config.numeric else looked_up
        mean, variance = norm.running_mean, norm.running_var
        if training and mean is not None and variance is not None:
            return batch_norm(x, mean, variance, norm.weight, norm.bias, _MOMENTUM, norm.eps, self.peers)
        return functional.batch_norm(x, mean, variance, norm.weight, norm.bias, eps=norm.eps)

    def cuts(self, rows: int) -> tuple[Cut, ...]:
        """Slices of a batch, and which rows meet in a virtual batch (see `ghost_norm`)."""
        size, workers = self.config.virtual_batch_size, self._busy(rows, self.workers)
        return cuts(rows, size, self._slice_rows(rows, _CELLS), workers)

    def share_out(self, rows: int, threads: int) -> int:
        """Two virtual batches or more for each worker."""
        count, _ = virtual_batches(rows, self.config.virtual_batch_size)
        self.workers = self._busy(rows, min(threads, count // 2))
        return self.workers

    def _busy(self, rows: int, workers: int) -> int:
        """How many of the workers so many rows are worth; a GPU has one."""
        if self.first.device.type != "cpu":
            return 1
        return max(1, min(workers, rows * self._widest // _CELLS_WORTH_A_WORKER))

    @property
    def _widest(self) -> int:
        return max(self.config.inputs, self.first.shape[1])

    def _slice_rows(self, rows: int, cells: int) -> int:
        """Rows that one pass takes: all on a device with many cores, as many as fit the cache on a CPU."""
        return rows if self.first.device.type != "cpu" else max(1, cells // self._widest)

    def _decide(self, x: Tensor, cut: Cut) -> tuple[Tensor, Tensor, Statistics]:
        """Of a cut's normalised rows: outputs, negative entropy summed over rows and steps, statistics."""
        wide = (*self.gain.shape[:2], cut.count * self.gain.shape[2])
        narrow = (len(self.attend), cut.count * self.attend.shape[1])
        found = Statistics(*(x.new_zeros(shape) for shape in (wide, wide, narrow, narrow)))
        decision, entropy = decide(x, self._weights(), self._rules(), found)
        return decision @ self.head.t(), entropy, found

    @property
    def _running(self) -> tuple[Tensor, ...]:
        return self.mean, self.variance, self.attend_mean, self.attend_variance

    @torch.no_grad()
    def _fold(self, statistics: Sequence[Statistics], rows: int) -> None:
        """Those of cuts in a row, all of a batch of so many rows, into the running ones.

        Of several processes each keeps a summand: running values are linear in what is folded into them, so
        with the others' virtual batches as mere decay, before and after its own, the summands add up (in
        `settle`) to what one process would have folded from all, rank by rank.
        """
        before = after = 0
        if self.peers is not None:
            count, _ = virtual_batches(rows, self.config.virtual_batch_size)
            before, after = count * self.peers.rank, count * (self.peers.size - 1 - self.peers.rank)
            if self._settled and self.peers.rank:
                for running in self._running:
                    running.zero_()  # the first process has it
            self._settled = False
        self._decay(before)
        for found in statistics:
            for old, new in zip(self._running, found, strict=True):
                fold(old, new, self.config.momentum)
        self._decay(after)

    def _decay(self, count: int) -> None:
        """Of the running statistics, as by so many virtual batches whose own are 0."""
        if count:
            for running in self._running:
                running.mul_((1.0 - self.config.momentum) ** count)

    @torch.no_grad()
    def settle(self) -> None:
        """Add up the summands of the running statistics that the processes keep."""
        if self.peers is not None and not self._settled:
            for running in self._running:
                self.peers.add(running)
            self._settled = True

    def forward(self, numeric: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
        """In training: outputs, and the mean negative entropy of the masks (to be subtracted, weighted)."""
        x = self._embed(numeric, codes, training=True)
        out, entropy, found = zip(
            *(self._decide(x[cut.start : cut.stop], cut) for cut in self.cuts(len(x))), strict=True
        )
        self._fold(found, len(x))
        return torch.cat(out), torch.stack(entropy).sum() / (len(x) * self.config.n_steps)

    def _inputs(self, batch: Batch, generator: torch.Generator) -> Tensor:
        numeric, codes = batch.inputs
        if codes.shape[1] and self.config.category_dropout > 0.0:
            codes = drop_categories(codes, self.config.category_dropout, generator)
        return self._embed(numeric, codes, training=True)

    def training_loss(self, batch: Batch, loss: Loss, generator: torch.Generator) -> Tensor:
        """Loss of a batch minus the weighted negative entropy of the masks."""
        x, divisor = self._inputs(batch, generator), loss.divisor(batch.target, batch.weight)
        values, found = zip(
            *(self._part(x[cut.start : cut.stop], cut, batch, loss, divisor) for cut in self.cuts(len(x))),
            strict=True,
        )
        self._fold(found, len(x))
        return torch.stack(values).sum()

    def _part(
        self, x: Tensor, cut: Cut, batch: Batch, loss: Loss, divisor: Tensor | float
    ) -> tuple[Tensor, Statistics]:
        """What a cut, with its normalised rows x, adds to the batch's loss, and what its norms found."""
        out, entropy, found = self._decide(x, cut)
        losses = loss.rows(out, batch.target[cut.start : cut.stop])
        if batch.weight is not None:
            losses = losses * batch.weight[cut.start : cut.stop]
        penalty = self.config.lambda_sparse / (len(batch.target) * self.config.n_steps)
        return losses.sum() / divisor - penalty * entropy, found

    def backward(self, batch: Batch, loss: Loss, generator: torch.Generator) -> Tensor:
        """Slice by slice, forward and backward: exact, as virtual batches know nothing of each other.

        Each worker adds up what its slices give, and then the workers' sums are added, in order: the same
        bits every time with the same number of workers.
        """
        x, divisor = self._inputs(batch, generator), loss.divisor(batch.target, batch.weight)
        rows, parameters = x.detach(), [*self._weights(), self.head]

        def work(some: Sequence[Cut]) -> _Done:
            total, of_x, statistics = x.new_zeros(()), [], []
            of_parameters: list[Tensor] = []
            for cut in some:
                part = rows[cut.start : cut.stop].requires_grad_()
                value, found = self._part(part, cut, batch, loss, divisor)
                grad, *grads = torch.autograd.grad(value, [part, *parameters])
                total += value.detach()
                of_x.append(grad)
                of_parameters = _add(of_parameters, grads)
                statistics.append(found)
            return _Done(total, of_x, of_parameters, statistics)

        done = side_by_side(work, self.cuts(len(x)), self._busy(len(x), self.workers))
        grads: list[Tensor] = []
        self._fold([found for share in done for found in share.found], len(x))
        for share in done:
            grads = _add(grads, share.parameters)
        for parameter, grad in zip(parameters, grads, strict=True):
            parameter.grad = grad.contiguous() if parameter.grad is None else parameter.grad.add_(grad)
        # The gradient as a factor: as an argument it makes torch import symbolic shapes, for seconds.
        (x * torch.cat([grad for share in done for grad in share.x])).sum().backward()  # type: ignore[no-untyped-call]
        return torch.stack([share.loss for share in done]).sum()

    def _folded(self) -> Folded:
        return fold_norms(self._weights(), self.mean, self.variance, self.attend_mean, self.attend_variance)

    @torch.no_grad()
    def _evaluate(self, inputs: tuple[Tensor, ...], finish: Callable[[_Steps], Tensor]) -> list[Tensor]:
        """For slices of rows in turn, what `finish` makes of every step's masks and decisions."""
        numeric, codes = inputs
        folded, rules, rows = self._folded(), self._rules(), max(1, len(numeric))
        workers = self._busy(rows, self.workers)
        pieces = workers * math.ceil(rows / workers / self._slice_rows(rows, _CELLS_AT_WORK))
        each = math.ceil(rows / pieces)

        def work(starts: Sequence[int]) -> list[Tensor]:
            parts = ((numeric[start : start + each], codes[start : start + each]) for start in starts)
            return [finish(list(steps(self._embed(*part, training=False), folded, rules))) for part in parts]

        return [part for done in side_by_side(work, range(0, rows, each), workers) for part in done]

    def outputs(self, *inputs: Tensor) -> Tensor:
        """Logits or standardised values."""
        return torch.cat(self._evaluate(inputs, _decided)) @ self.head.t()

    def explain(self, *inputs: Tensor) -> Tensor:
        """Masks summed over the steps, each weighted by what its decision adds: (rows, features), >= 0."""
        return torch.cat(self._evaluate(inputs, _explained))

    def masks(self, *inputs: Tensor) -> Tensor:
        """What each step looked at: (steps, rows, features); every row sums to 1."""
        return torch.cat(self._evaluate(inputs, lambda part: torch.stack([mask for mask, _ in part])), 1)

    def outline(self) -> tuple[Layer, ...]:
        """Transformers and masks of every step."""
        return outline(self.config, dict(self.named_parameters()))

    def batch_rows(self, rows: int) -> int:
        """Whole virtual batches of equal size, so that one call normalises them all."""
        for fewer in range(rows, 1, -1):
            count, size = virtual_batches(fewer, self.config.virtual_batch_size)
            if count * size == fewer and size > 1:
                return fewer
        return 0


def _share(widths: tuple[int, ...]) -> Tensor | None:
    """A column's mask is shared out evenly over the numbers of its embedding."""
    if all(width == 1 for width in widths):
        return None
    share = torch.zeros(len(widths), sum(widths))
    start = 0
    for column, width in enumerate(widths):
        share[column, start : start + width] = 1.0 / width
        start += width
    return share


def _add(total: list[Tensor], more: list[Tensor]) -> list[Tensor]:
    return [a.add_(b) for a, b in zip(total, more, strict=True)] if total else more


def _decided(part: _Steps) -> Tensor:
    return torch.stack([decision for _, decision in part]).sum(0)


def _explained(part: _Steps) -> Tensor:
    total = torch.zeros_like(part[0][0])
    for mask, decision in part:
        total.addcmul_(mask, decision.sum(1, keepdim=True))
    return total
