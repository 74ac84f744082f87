"""The LSTM (Hochreiter and Schmidhuber, 1997; forget gates by Gers et al., 2000) over the tokens of a text.

Each direction of each layer is a torch LSTM of its own, which oneDNN computes on a CPU and cuDNN on a GPU;
what makes it independent of padding is in `sequences`. On a CPU a batch is cut into slices whose gates
stay in a core's share of the cache, several side by side: threads inside a recurrence would meet at every
token. Between layers a unit is dropped for all tokens of a row alike (Gal and Ghahramani, arXiv 1512.05287).
"""

# mypy: disable-error-code="explicit-override"
# (typing.override needs Python 3.12, and the package may not import typing_extensions)

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..attribution import integrated_gradients, log_odds
from ..base import Batch, Layer, Loss, Network
from ..dropout import drop
from ..workers import side_by_side
from .config import LSTMConfig
from .outline import outline
from .pooling import Attention, make_pooling
from .recurrence import Direction, read
from .sequences import PADDING, align, mirror, spread

_CELLS = 2_500_000  # of one direction's gates in a slice on a CPU: 10 MB
_CELLS_OF_A_GPU = 2**28
_FEWEST = 8  # rows of a slice: with fewer, the products of a step waste the processor
_POINTS = 8  # of integrated gradients, at first
_SPREAD = 0.1  # of a token's vector, at first


class _Rows(NamedTuple):
    """Rows that are read together.

    Attributes:
        x: Vectors of their tokens (length, rows, width).
        lengths: How many tokens each has (rows,).
        masks: Dropout's factors (rows, units): of each layer's input from the second layer on, of the pooled
            states, of each dense layer's output. None of them outside training.
    """

    x: Tensor
    lengths: Tensor
    masks: tuple[Tensor, ...] = ()

    def part(self, start: int, stop: int) -> _Rows:
        """Some of them."""
        masks = tuple(mask[start:stop] for mask in self.masks)
        return _Rows(self.x[:, start:stop].contiguous(), self.lengths[start:stop], masks)


class _Done(NamedTuple):
    """What a worker made of its slices: loss, gradients of the vectors, and of the parameters."""

    loss: Tensor
    x: list[Tensor]
    parameters: list[Tensor]


class LSTM(Network):
    """Logits or values from tokens int32 (rows, length); 0 is padding, on whichever side."""

    config: LSTMConfig
    compiles = False
    workers = 1

    def __init__(self, config: LSTMConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary, config.embedding_size, padding_idx=PADDING)
        with torch.no_grad():
            self.embedding.weight.mul_(_SPREAD)
        directions = range(2 if config.bidirectional else 1)
        inputs = [config.embedding_size, *[config.state] * (config.layers - 1)]
        self.layers = nn.ModuleList(
            nn.ModuleList([Direction(width, config.hidden_size) for _ in directions]) for width in inputs
        )
        self.pooling = make_pooling(config.pooling, config.state)
        sizes = [config.state, *config.dense_units]
        self.dense = nn.ModuleList(nn.Linear(*pair) for pair in itertools.pairwise(sizes))
        self.head = nn.Linear(sizes[-1], config.outputs)

    def pretrained(self, vectors: Tensor, trainable: bool) -> None:
        """Start from vectors (vocabulary, width); the padding's stays 0."""
        wanted = tuple(self.embedding.weight.shape)
        if tuple(vectors.shape) != wanted:
            raise ValueError(f"vectors of shape {tuple(vectors.shape)} for an embedding of shape {wanted}")
        with torch.no_grad():
            self.embedding.weight.copy_(vectors)
            self.embedding.weight[PADDING] = 0.0
        self.embedding.requires_grad_(trainable)

    def _embed(self, tokens: Tensor) -> Tensor:
        """Vectors (length, rows, width) of tokens (rows, length)."""
        found: Tensor = self.embedding(tokens.t())
        return found

    def _answer(self, rows: _Rows) -> Tensor:
        """Outputs (rows, outputs)."""
        masks = iter(rows.masks)
        x, places = rows.x, mirror(rows.lengths, len(rows.x))
        for i, layer in enumerate(self.layers):
            x = _dropped(x, masks) if i else x
            whole = i + 1 < len(self.layers) or isinstance(self.pooling, Attention)
            x = read(list(layer.children()), x, places, whole)
        x = _dropped(self.pooling(x, rows.lengths), masks)
        for dense in self.dense:
            x = _dropped(torch.relu(dense(x)), masks)
        found: Tensor = self.head(x)
        return found

    def _prepare(self, tokens: Tensor, generator: torch.Generator) -> _Rows:
        """A batch for training: its vectors, and everything about it that is random."""
        aligned, config = align(tokens), self.config
        x, rate = self._embed(aligned.tokens), config.dropout
        if rate == 0.0:
            return _Rows(x, aligned.lengths)
        widths = [*[config.state] * config.layers, *config.dense_units]
        masks = tuple(drop(x.new_ones(len(tokens), width), rate, generator) for width in widths)
        return _Rows(drop(x, rate, generator), aligned.lengths, masks)

    def _part(self, rows: _Rows, batch: Batch, loss: Loss, divisor: Tensor | float, start: int) -> Tensor:
        """What rows that begin at `start` in the batch add to its loss."""
        stop = start + len(rows.lengths)
        losses = loss.rows(self._answer(rows), batch.target[start:stop])
        if batch.weight is not None:
            losses = losses * batch.weight[start:stop]
        return losses.sum() / divisor

    def training_loss(self, batch: Batch, loss: Loss, generator: torch.Generator) -> Tensor:
        """The loss of a batch, without penalties."""
        divisor = loss.divisor(batch.target, batch.weight)
        return self._part(self._prepare(batch.inputs[0], generator), batch, loss, divisor, 0)

    def backward(self, batch: Batch, loss: Loss, generator: torch.Generator) -> Tensor:
        """Slice by slice, forward and backward: exact, as rows know nothing of each other.

        Each worker adds up what its slices give, and then the workers' sums are added, in order: the same
        bits every time with the same number of workers.
        """
        divisor = loss.divisor(batch.target, batch.weight)
        prepared = self._prepare(batch.inputs[0], generator)
        rows, tunes = prepared._replace(x=prepared.x.detach()), prepared.x.requires_grad
        parameters = [p for p in self.parameters() if p is not self.embedding.weight]

        def work(some: Sequence[slice]) -> _Done:
            total, of_x, of_parameters = rows.x.new_zeros(()), [], list[Tensor]()
            for cut in some:
                part = rows.part(cut.start, cut.stop)
                wanted = [part.x.requires_grad_(), *parameters] if tunes else parameters
                value = self._part(part, batch, loss, divisor, cut.start)
                grads = list(torch.autograd.grad(value, wanted))
                of_x += [grads.pop(0)] if tunes else []
                of_parameters = _add(of_parameters, grads)
                total += value.detach()
            return _Done(total, of_x, of_parameters)

        length, count = rows.x.shape[:2]
        done = side_by_side(work, self._cuts(count, length), self._busy(count))
        grads: list[Tensor] = []
        for share in done:
            grads = _add(grads, share.parameters)
        for parameter, grad in zip(parameters, grads, strict=True):
            parameter.grad = grad if parameter.grad is None else parameter.grad.add_(grad)
        if tunes:
            # The gradient as a factor: as an argument it makes torch import symbolic shapes, for seconds.
            of_x = torch.cat([grad for share in done for grad in share.x], 1)
            (prepared.x * of_x).sum().backward()  # type: ignore[no-untyped-call]
        return torch.stack([share.loss for share in done]).sum()

    @property
    def _on_cpu(self) -> bool:
        return self.embedding.weight.device.type == "cpu"

    def share_out(self, rows: int, threads: int) -> int:
        """A few rows or more for each worker."""
        self.workers = threads
        self.workers = self._busy(rows)
        return self.workers

    def _busy(self, rows: int) -> int:
        """How many of the workers so many rows are worth; a GPU has one."""
        return max(1, min(self.workers, rows // _FEWEST)) if self._on_cpu else 1

    def _most(self, length: int) -> int:
        """Rows of so many tokens that a slice may have."""
        cells = _CELLS if self._on_cpu else _CELLS_OF_A_GPU
        return max(_FEWEST, cells // (4 * self.config.hidden_size * max(1, length)))

    def _cuts(self, rows: int, length: int) -> list[slice]:
        """Slices of about equal size, as many for each worker."""
        workers = self._busy(rows)
        pieces = workers * max(1, math.ceil(rows / workers / self._most(length)))
        return [slice(rows * i // pieces, rows * (i + 1) // pieces) for i in range(pieces)]

    @torch.no_grad()
    def _evaluate(self, tokens: Tensor, finish: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """What `finish` makes of tokens and lengths, in the order of the rows.

        It is given aligned rows in slices of like length, each no longer than its longest row: a long
        text costs nothing but its own time.
        """
        aligned = align(tokens)
        lengths, order = aligned.lengths.sort()
        rows, ends = aligned.tokens.index_select(0, order), lengths.tolist()
        workers = self._busy(len(ends))
        cuts, stop = [], len(ends)
        while stop:
            start = max(0, stop - min(self._most(ends[stop - 1]), math.ceil(len(ends) / workers)))
            cuts.append(slice(start, stop))
            stop = start
        dealt = [cut for worker in range(workers) for cut in cuts[worker::workers]]

        def work(some: Sequence[slice]) -> list[Tensor]:
            return [finish(rows[cut, : ends[cut.stop - 1]], lengths[cut]) for cut in some]

        done = [part for share in side_by_side(work, dealt, workers) for part in share]
        if not done:
            return finish(rows, lengths)
        found = torch.cat(done)
        return torch.empty_like(found).index_copy_(0, torch.cat([order[cut] for cut in dealt]), found)

    def outputs(self, *inputs: Tensor) -> Tensor:
        """Logits or standardised values."""
        return self._evaluate(
            inputs[0], lambda tokens, lengths: self._answer(_Rows(self._embed(tokens), lengths))
        )

    def explain(self, *inputs: Tensor) -> Tensor:
        """Integrated gradients of each token from a text of as many paddings: signed, (rows, length).

        Of the log-odds of the positive class, of the likeliest where there are more than two, or of the
        standardised value (their sum where there are several targets).
        """
        found = self._evaluate(inputs[0], functools.partial(self._attributions, inputs[0].shape[1]))
        return spread(found, align(inputs[0]).first)

    def _attributions(self, length: int, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Of aligned tokens (rows, fewer), filled up with 0 to (rows, length)."""
        x = self._embed(tokens).transpose(0, 1)

        def answer(point: Tensor, rows: Tensor) -> Tensor:
            return self._answer(_Rows(point.transpose(0, 1), lengths[rows]))

        every = torch.arange(len(x), device=x.device)
        chosen = answer(x, every).argmax(1) if self.config.outputs > 2 else torch.ones_like(every)

        def judged(point: Tensor, rows: Tensor) -> Tensor:
            out = answer(point, rows)
            return log_odds(out, chosen[rows]) if self.config.classification else out.sum(1)

        found = integrated_gradients(judged, x, torch.zeros_like(x[:1]), _POINTS).sum(2)
        return functional.pad(found, (0, length - found.shape[1]))

    def outline(self) -> tuple[Layer, ...]:
        """From token to answer."""
        return outline(self.config, dict(self.named_parameters()))


def _dropped(x: Tensor, masks: Iterator[Tensor]) -> Tensor:
    """Times the next mask, where there is one."""
    mask = next(masks, None)
    return x if mask is None else x * mask


def _add(total: list[Tensor], more: list[Tensor]) -> list[Tensor]:
    return [a.add_(b) for a, b in zip(total, more, strict=True)] if total else more
