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
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .ghost_norm import normalise, normalise_backward
from .sparsemax import Projection

SCALE = math.sqrt(0.5)
LEAST = 1e-15
_sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
_threshold_backward = torch.ops.aten.threshold_backward.grad_input


class Weights(NamedTuple):
    """Parameters of all steps, one tensor a kind; `by_layer` says which lies where.

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

    def by_layer(self) -> list[list[Tensor]]:
        """The weight (2H, inputs) of every layer of every transformer."""
        first = self.first.unbind()
        shared = self.shared.unbind() if self.shared.numel() else ()
        own = [part.unbind() if part.numel() else () for part in self.own.unbind()]
        return [[first[t if len(first) > 1 else 0], *shared, *own[t]] for t in range(len(own))]


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


_Saved = tuple[Tensor, Tensor]


class _Mask(NamedTuple):
    """One attention, kept for the backward pass."""

    attention: Tensor
    raw: Tensor
    saved: _Saved
    scores: Tensor
    prior: Tensor | None
    mask: Tensor
    projected: Tensor
    log: Tensor
    spread: Tensor
    decision: Tensor


class _Layers(NamedTuple):
    """Views of the parameters, by transformer and layer: made at once, as one view costs as much as a sum."""

    weight: list[list[Tensor]]
    gain: list[list[Tensor]]
    bias: list[list[Tensor]]
    attend: Sequence[Tensor]
    attend_gain: Sequence[Tensor]
    attend_bias: Sequence[Tensor]


def _views(weights: Weights, count: int) -> _Layers:
    """Gains and biases are repeated for `count` virtual batches."""
    return _Layers(
        weights.by_layer(),
        [list(part.unbind()) for part in torch.cat([weights.gain] * count, 2).unbind()],
        [list(part.unbind()) for part in torch.cat([weights.bias] * count, 2).unbind()],
        weights.attend.unbind(),
        torch.cat([weights.attend_gain] * count, 1).unbind(),
        torch.cat([weights.attend_bias] * count, 1).unbind(),
    )


class _Tape:
    """Forward and backward of one cut."""

    def __init__(
        self, x: Tensor, weights: Weights, rules: Rules, found: Statistics, low: torch.dtype
    ) -> None:
        self.x, self.weights, self.rules, self.low = x, weights, rules, low
        self.rows, self.half = x.shape[0], weights.gain.shape[2] // 2
        self.exact = low == x.dtype
        self.views = _views(weights, found.mean.shape[2] // weights.gain.shape[2])
        self.found = [
            list(zip(mean.unbind(), variance.unbind(), strict=True))
            for mean, variance in zip(found.mean.unbind(), found.variance.unbind(), strict=True)
        ]
        self.attend_found = list(zip(found.attend_mean.unbind(), found.attend_variance.unbind(), strict=True))
        self.layers: list[list[tuple[Tensor, Tensor, Tensor, Tensor, _Saved]]] = []
        self.masks: list[_Mask] = []

    def product(self, a: Tensor, b: Tensor) -> Tensor:
        """Matrix product, in low precision where autocast asks for it."""
        if self.exact:
            return torch.mm(a, b)
        return torch.mm(a.to(self.low), b.to(self.low)).to(a.dtype)

    def add_product(self, out: Tensor, a: Tensor, b: Tensor, keep: float, scale: float) -> None:
        """Make of `out` keep * out + scale * (a @ b)."""
        if self.exact:
            out.addmm_(a, b, beta=keep, alpha=scale)
        else:
            out.mul_(keep).add_(self.product(a, b), alpha=scale)

    def forward(self) -> tuple[Tensor, Tensor]:
        """Summed decisions (B, n_d), and the negative entropy of the masks summed over rows and steps."""
        n_d, rules = self.rules.n_d, self.rules
        total = self.x.new_zeros(self.rows, n_d)
        entropy = self.x.new_zeros(())
        prior: Tensor | None = None
        out = self._transform(0, self.x)
        for step, weight in enumerate(self.views.attend):
            attention = out[:, n_d:]
            raw = self.product(attention, weight.t())
            scores, saved = normalise(
                raw, self.views.attend_gain[step], self.views.attend_bias[step], *self.attend_found[step]
            )
            mask, projected = rules.projection.project(scores if prior is None else scores * prior)
            log, spread = (mask + LEAST).log_(), rules.spread(mask)
            out = self._transform(step + 1, spread * self.x)
            decision = out[:, :n_d].relu()
            total += decision
            entropy += torch.dot(mask.view(-1), log.view(-1))
            self.masks.append(
                _Mask(attention, raw, saved, scores, prior, mask, projected, log, spread, decision)
            )
            left = rules.gamma - mask
            prior = left if prior is None else left.mul_(prior)
        return total, entropy

    def _transform(self, transformer: int, x: Tensor) -> Tensor:
        """Gated layers, from (B, I) to (B, H)."""
        kept, views = [], self.views
        for weight, gain, bias, found in zip(
            views.weight[transformer],
            views.gain[transformer],
            views.bias[transformer],
            self.found[transformer],
            strict=True,
        ):
            raw = self.product(x, weight.t())
            normal, saved = normalise(raw, gain, bias, *found)
            value, gate = normal.chunk(2, 1)
            gate = gate.contiguous().sigmoid_()  # the copy: strided sigmoids are five times slower
            kept.append((x, raw, normal, gate, saved))
            x = torch.addcmul(x, value, gate).mul_(SCALE) if len(kept) > 1 else value * gate
        self.layers.append(kept)
        return x

    def backward(self, grad_decision: Tensor, grad_entropy: Tensor) -> tuple[Tensor, Weights]:
        """Gradients of x (B, I) and of the weights; whatever was kept is used up."""
        n_d, rules = self.rules.n_d, self.rules
        grads = _Gradients(self.weights)
        grad_x = torch.zeros_like(self.x)
        grad_prior: Tensor | None = None
        grad_out = self.x.new_zeros(self.rows, self.half)
        for step in reversed(range(len(self.masks))):
            kept = self.masks.pop()
            _threshold_backward(grad_decision, kept.decision, 0.0, grad_input=grad_out[:, :n_d])
            grad_masked = self._transform_back(step + 1, grad_out, grads)
            grad_x.addcmul_(grad_masked, kept.spread)
            grad = rules.gather(grad_masked.mul_(self.x))
            grad, grad_prior = _mask_back(rules, kept, grad, grad_prior, grad_entropy)
            grad, of_gain, of_bias = normalise_backward(
                grad, kept.raw, self.views.attend_gain[step], kept.saved
            )
            grads.attend_norms.append((of_gain, of_bias))
            # both products transposed: with few columns in the result they are four times faster
            grads.attend[step] = self.product(kept.attention.t(), grad)
            grad_out = self.x.new_zeros(self.rows, self.half)
            grad_out[:, n_d:] = self.product(self.views.attend[step].t(), grad.t()).t()
        grad_x += self._transform_back(0, grad_out, grads)
        return grad_x, grads.packed()

    def _transform_back(self, transformer: int, grad: Tensor, grads: _Gradients) -> Tensor:
        """Gradient of a transformer's input from that of its output, which is overwritten."""
        weights, gains = self.views.weight[transformer], self.views.gain[transformer]
        into = grads.layers[transformer]
        back = grad
        for i, (x, raw, normal, gate, saved) in reversed(list(enumerate(self.layers.pop()))):
            scale = SCALE if i else 1.0  # of x + value * gate; all is linear in it, so it comes in at the end
            value, other = normal.chunk(2, 1)  # overwritten: no more needed
            of_gate = grad * value
            torch.mul(grad, gate, out=value)
            _sigmoid_backward(of_gate, gate, grad_input=other)
            of_raw, of_gain, of_bias = normalise_backward(normal, raw, gains[i], saved)
            grads.norms.append((of_gain, of_bias))
            self.add_product(into[i], x.t(), of_raw, 1.0, scale)
            if i:
                self.add_product(grad, of_raw, weights[i], scale, scale)
            else:
                back = self.product(of_raw, weights[i])
        return back


def _mask_back(
    rules: Rules, kept: _Mask, grad: Tensor, grad_prior: Tensor | None, grad_entropy: Tensor
) -> tuple[Tensor, Tensor | None]:
    """Gradients of the normalised scores (B, F), and of the prior that the step was given."""
    prior = kept.prior
    # of mask * log(mask): log(mask) + 1, and both projections take no notice of a constant
    grad = torch.addcmul(grad, kept.log, grad_entropy)
    if grad_prior is not None:  # the next prior is (gamma - mask) * prior
        grad = grad.sub_(grad_prior) if prior is None else grad.addcmul_(grad_prior, prior, value=-1.0)
    grad = rules.projection.pull_back(grad, kept.mask, kept.projected)
    if prior is None:
        return grad, None
    again = grad * kept.scores
    if grad_prior is not None:
        again.addcmul_(grad_prior, rules.gamma - kept.mask)
    return grad.mul_(prior), again


class _Gradients:
    """Where the gradients of the weights are gathered, each with its matrices transposed."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        self.matrices = [torch.zeros_like(w.transpose(-1, -2)) for w in weights[:3]]
        first, shared, own = self.matrices
        self.layers = Weights(first, shared, own, *weights[3:]).by_layer()
        self.attend: dict[int, Tensor] = {}
        self.norms: list[_Saved] = []
        self.attend_norms: list[_Saved] = []

    def packed(self) -> Weights:
        """As the parameters lie; gains and biases summed over the virtual batches that shared them."""
        w = self.weights
        norms = [torch.stack(part[::-1]) for part in zip(*self.norms, strict=True)]
        attend = [torch.stack(part[::-1]) for part in zip(*self.attend_norms, strict=True)]
        first, shared, own = (matrix.transpose(-1, -2) for matrix in self.matrices)
        attended = torch.stack([self.attend[step] for step in range(len(attend[0]))]).transpose(1, 2)
        gain, bias = (part.view(*w.gain.shape[:2], -1, w.gain.shape[2]).sum(2) for part in norms)
        gain[:, 1:] *= SCALE  # of the layers that are added to what came before
        bias[:, 1:] *= SCALE
        attend_gain, attend_bias = (
            part.view(w.attend.shape[0], -1, w.attend.shape[1]).sum(1) for part in attend
        )
        return Weights(first, shared, own, gain, bias, attended, attend_gain, attend_bias)


class _Steps(torch.autograd.Function):
    """All steps of one cut; its backward pass can run once."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, rules: Rules, found: Statistics, *weights: Tensor
    ) -> tuple[Tensor, Tensor]:
        kind = x.device.type
        low = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype
        with torch.autocast(kind, enabled=False), torch.inference_mode():
            ctx.tape = _Tape(x, Weights(*weights), rules, found, low)
            decision, entropy = ctx.tape.forward()
        return decision.clone(), entropy.clone()  # ordinary tensors again

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        tape, ctx.tape = ctx.tape, None
        if tape is None:
            raise RuntimeError("TabNet's steps keep nothing for a second backward pass")
        with torch.inference_mode():
            grad_x, of_weights = tape.backward(*grads)
        return (grad_x.clone(), None, None, *(grad.clone() for grad in of_weights))


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
