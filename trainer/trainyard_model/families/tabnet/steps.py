"""The decision steps of TabNet in training as one autograd function, with its backward pass by hand.

Autograd's own graph of a step has some 400 nodes on small tensors, and spends more time on nodes, copies and
strided loops than on arithmetic. Here every tensor is made once, gradients are written where they are needed,
and residual sums ride along with matrix products. Matrix products run in the dtype of autocast where that is
on; everything else, and so all of the mask's mathematics, stays in the dtype of the inputs.

Shapes: B rows, F columns to choose among, I inputs (F with the embeddings spread out), H = n_d + n_a,
T = n_steps + 1 transformers (the first only starts the attention), L layers in each.
"""

# mypy: disable-error-code="explicit-override"
# (typing.override needs Python 3.12, and the package may not import typing_extensions)

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .ghost_norm import normalise, normalise_backward
from .sparsemax import Projection

SCALE = math.sqrt(0.5)
LEAST = 1e-15


class Weights(NamedTuple):
    """Parameters of all steps, one tensor a kind; `layer` says which lies where.

    Attributes:
        first: (1 or T, 2H, I): of each transformer's first layer; 1 where that is shared.
        shared: (n_shared - 1, 2H, H).
        own: (T, n_independent, 2H, H), one less where the first layer is its own.
        gain: (T, L, 2H) of the norms of the transformers.
        bias: (T, L, 2H).
        attend: (T - 1, F, n_a).
        attend_gain: (T - 1, F).
        attend_bias: (T - 1, F).
    """

    first: Tensor
    shared: Tensor
    own: Tensor
    gain: Tensor
    bias: Tensor
    attend: Tensor
    attend_gain: Tensor
    attend_bias: Tensor

    def layer(self, transformer: int, layer: int) -> Tensor:
        """The weight (2H, inputs) of a layer."""
        if layer == 0:
            return self.first[min(transformer, len(self.first) - 1)]
        if layer <= len(self.shared):
            return self.shared[layer - 1]
        return self.own[transformer, layer - 1 - len(self.shared)]


@dataclass(frozen=True, slots=True)
class Rules:
    """What is not learned.

    Attributes:
        n_d: Width of the decision; the rest of H is the attention.
        gamma: How far a column may be used again.
        projection: From scores to masks.
        numeric: Columns without an embedding, which come first.
        share: (columns with an embedding, their widths summed): each column's mask, shared out evenly over
            the numbers of its embedding. None where every width is 1.
    """

    n_d: int
    gamma: float
    projection: Projection
    numeric: int
    share: Tensor | None

    def spread(self, mask: Tensor) -> Tensor:
        """A mask over columns (B, F) as one over inputs (B, I)."""
        if self.share is None:
            return mask
        return torch.cat([mask[:, : self.numeric], mask[:, self.numeric :] @ self.share], 1)

    def gather(self, wide: Tensor) -> Tensor:
        """The transpose of `spread`."""
        if self.share is None:
            return wide
        return torch.cat([wide[:, : self.numeric], wide[:, self.numeric :] @ self.share.t()], 1)


class Statistics(NamedTuple):
    """Means and unbiased variances that the norms found, zeros before: (T, L, k*2H) and (T - 1, k*F)."""

    mean: Tensor
    variance: Tensor
    attend_mean: Tensor
    attend_variance: Tensor


class _Layer(NamedTuple):
    """One gated layer, kept for the backward pass."""

    x: Tensor
    raw: Tensor
    normal: Tensor
    gate: Tensor
    saved: tuple[Tensor, Tensor]


class _Mask(NamedTuple):
    """One attention, kept for the backward pass."""

    attention: Tensor
    raw: Tensor
    saved: tuple[Tensor, Tensor]
    scores: Tensor
    prior: Tensor | None
    mask: Tensor
    projected: Tensor
    log: Tensor
    spread: Tensor


class _Tape:
    """Forward and backward of one cut."""

    def __init__(
        self, x: Tensor, weights: Weights, rules: Rules, found: Statistics, low: torch.dtype
    ) -> None:
        self.x, self.weights, self.rules, self.found = x, weights, rules, found
        self.low = low
        count = found.mean.shape[-1] // weights.gain.shape[-1]
        self.gain, self.bias = weights.gain.repeat(1, 1, count), weights.bias.repeat(1, 1, count)
        self.attend_gain = weights.attend_gain.repeat(1, count)
        self.attend_bias = weights.attend_bias.repeat(1, count)
        self.layers: list[list[_Layer]] = []
        self.masks: list[_Mask] = []
        self.decisions: list[Tensor] = []

    def product(self, a: Tensor, b: Tensor) -> Tensor:
        """Matrix product, in low precision where autocast asks for it."""
        if self.low == a.dtype:
            return a @ b
        return (a.to(self.low) @ b.to(self.low)).to(a.dtype)

    def forward(self) -> tuple[Tensor, Tensor]:
        """Summed decisions (B, n_d), and the negative entropy of the masks summed over rows and steps."""
        n_d, rules = self.rules.n_d, self.rules
        entropy = self.x.new_zeros(())
        prior: Tensor | None = None
        out = self._transform(0, self.x)
        for step in range(len(self.weights.attend)):
            kept = self._attend(step, out[:, n_d:], prior)
            left = rules.gamma - kept.mask
            prior = left if prior is None else left.mul_(prior)
            entropy += kept.mask.mul(kept.log).sum()
            out = self._transform(step + 1, kept.spread * self.x)
            self.masks.append(kept)
            self.decisions.append(out[:, :n_d].relu())
        decision = self.decisions[0].clone()
        for other in self.decisions[1:]:
            decision += other
        return decision, entropy

    def _attend(self, step: int, attention: Tensor, prior: Tensor | None) -> _Mask:
        raw = self.product(attention, self.weights.attend[step].t())
        scores, saved = normalise(
            raw,
            self.attend_gain[step],
            self.attend_bias[step],
            self.found.attend_mean[step],
            self.found.attend_variance[step],
        )
        mask, projected = self.rules.projection.project(scores if prior is None else scores * prior)
        log, spread = (mask + LEAST).log_(), self.rules.spread(mask)
        return _Mask(attention, raw, saved, scores, prior, mask, projected, log, spread)

    def _transform(self, transformer: int, x: Tensor) -> Tensor:
        """Gated layers, from (B, I) to (B, H)."""
        layers = []
        half = self.weights.gain.shape[-1] // 2
        for i in range(self.weights.gain.shape[1]):
            raw = self.product(x, self.weights.layer(transformer, i).t())
            normal, saved = normalise(
                raw,
                self.gain[transformer, i],
                self.bias[transformer, i],
                self.found.mean[transformer, i],
                self.found.variance[transformer, i],
            )
            gate = (
                normal[:, half:].contiguous().sigmoid_()
            )  # the copy: strided sigmoids are five times slower
            layers.append(_Layer(x, raw, normal, gate, saved))
            value = normal[:, :half]
            x = value * gate if i == 0 else torch.addcmul(x, value, gate).mul_(SCALE)
        self.layers.append(layers)
        return x

    def backward(self, grad_decision: Tensor, grad_entropy: Tensor) -> tuple[Tensor, Weights]:
        """Gradients of x (B, I) and of the weights; whatever was kept is used up."""
        w, n_d = self.weights, self.rules.n_d
        self.grads = Weights(
            torch.zeros_like(w.first),
            torch.zeros_like(w.shared),
            torch.zeros_like(w.own),
            torch.empty_like(self.gain),
            torch.empty_like(self.bias),
            torch.empty_like(w.attend),
            torch.empty_like(self.attend_gain),
            torch.empty_like(self.attend_bias),
        )
        grad_x = torch.zeros_like(self.x)
        grad_prior: Tensor | None = None
        grad_out = self.x.new_zeros(len(self.x), w.gain.shape[-1] // 2)
        for step in reversed(range(len(w.attend))):
            decided = self.decisions.pop()
            torch.ops.aten.threshold_backward.grad_input(
                grad_decision, decided, 0.0, grad_input=grad_out[:, :n_d]
            )
            grad_masked = self._transform_back(step + 1, grad_out)
            kept = self.masks.pop()
            grad_x.addcmul_(grad_masked, kept.spread)
            grad_mask = self.rules.gather(grad_masked.mul_(self.x))
            grad_attention, grad_prior = self._attend_back(step, kept, grad_mask, grad_prior, grad_entropy)
            grad_out = self.x.new_zeros(len(self.x), w.gain.shape[-1] // 2)
            grad_out[:, n_d:] = grad_attention
        return grad_x.add_(self._transform_back(0, grad_out)), self._summed()

    def _attend_back(
        self, step: int, kept: _Mask, grad: Tensor, grad_prior: Tensor | None, grad_entropy: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Gradients of the attention (B, n_a) and of the prior that the step was given."""
        before = kept.prior
        if grad_prior is not None:  # the next prior is (gamma - mask) * prior
            if before is None:
                grad = grad - grad_prior
            else:
                grad = torch.addcmul(grad, grad_prior, before, value=-1.0)
                grad_prior = (self.rules.gamma - kept.mask).mul_(grad_prior)
        # of mask * log(mask): log(mask) + 1, and both projections take no notice of a constant
        grad = torch.addcmul(grad, kept.log, grad_entropy)
        grad = self.rules.projection.pull_back(grad, kept.mask, kept.projected)
        if before is None:
            grad_prior = None
        else:
            again = grad * kept.scores
            grad_prior = again if grad_prior is None else grad_prior.add_(again)
            grad = grad.mul_(before)
        grad, self.grads.attend_gain[step], self.grads.attend_bias[step] = normalise_backward(
            grad, kept.raw, self.attend_gain[step], kept.saved
        )
        self.grads.attend[step] = self.product(grad.t(), kept.attention)
        return self.product(grad, self.weights.attend[step]), grad_prior

    def _transform_back(self, transformer: int, grad: Tensor) -> Tensor:
        """Gradient of a transformer's input from that of its output, which is overwritten."""
        half = grad.shape[1]
        for i, kept in reversed(list(enumerate(self.layers.pop()))):
            if i:
                grad.mul_(SCALE)
            value = kept.normal[:, :half]
            inner = kept.normal  # written over: nothing reads it again
            of_gate = grad * value
            torch.mul(grad, kept.gate, out=inner[:, :half])
            torch.ops.aten.sigmoid_backward.grad_input(of_gate, kept.gate, grad_input=inner[:, half:])
            raw, self.grads.gain[transformer, i], self.grads.bias[transformer, i] = normalise_backward(
                inner, kept.raw, self.gain[transformer, i], kept.saved
            )
            weight = self.weights.layer(transformer, i)
            self.grads.layer(transformer, i).add_(self.product(raw.t(), kept.x))
            back = self.product(raw, weight)
            grad = back if i == 0 else grad.add_(back)
        return grad

    def _summed(self) -> Weights:
        """Gradients of gains and biases, summed over the virtual batches that shared them."""
        w, g = self.weights, self.grads
        return g._replace(
            gain=g.gain.view(*w.gain.shape[:2], -1, w.gain.shape[2]).sum(2),
            bias=g.bias.view(*w.bias.shape[:2], -1, w.bias.shape[2]).sum(2),
            attend_gain=g.attend_gain.view(len(w.attend), -1, w.attend.shape[1]).sum(1),
            attend_bias=g.attend_bias.view(len(w.attend), -1, w.attend.shape[1]).sum(1),
        )


class _Steps(torch.autograd.Function):
    """All steps of one cut; its backward pass can run once."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, rules: Rules, found: Statistics, *weights: Tensor
    ) -> tuple[Tensor, Tensor]:
        kind = x.device.type
        low = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype
        with torch.autocast(kind, enabled=False):
            ctx.tape = _Tape(x, Weights(*weights), rules, found, low)
            out: tuple[Tensor, Tensor] = ctx.tape.forward()
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        tape, ctx.tape = ctx.tape, None
        if tape is None:
            raise RuntimeError("TabNet's steps keep nothing for a second backward pass")
        grad_x, of_weights = tape.backward(*grads)
        return (grad_x, None, None, *of_weights)


def decide(x: Tensor, weights: Weights, rules: Rules, found: Statistics) -> tuple[Tensor, Tensor]:
    """Summed decisions (B, n_d), and the negative entropy of the masks summed over rows and steps.

    Args:
        x: Normalised inputs (B, I) of one cut: k virtual batches of B / k rows.
        weights: All parameters of the steps.
        rules: What is not learned.
        found: Filled with the statistics of the norms.
    """
    out: tuple[Tensor, Tensor] = _Steps.apply(x, rules, found, *weights)
    return out
