"""The projections solve the problems that define them, and their gradients are those of the solution."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from trainyard_model.families.tabnet.sparsemax import ENTMAX, MASKS, SPARSEMAX, Projection


def by_bisection(scores: Tensor, power: float) -> Tensor:
    """The same mappings found by searching for the threshold at which the row sums to one."""
    low, high = scores.max(-1, keepdim=True).values - 1.0, scores.max(-1, keepdim=True).values
    for _ in range(100):
        middle = (low + high) / 2
        total = torch.clamp(scores - middle, min=0).pow(power).sum(-1, keepdim=True)
        low, high = torch.where(total >= 1, middle, low), torch.where(total >= 1, high, middle)
    return torch.clamp(scores - low, min=0).pow(power)


@pytest.mark.parametrize("spread", [0.01, 1.0, 10.0])
@pytest.mark.parametrize("width", [1, 2, 13, 200])
def test_values_solve_the_problem(width: int, spread: float) -> None:
    torch.manual_seed(width)
    scores = torch.randn(50, width, dtype=torch.float64) * spread
    torch.testing.assert_close(SPARSEMAX.project(scores)[0], by_bisection(scores, 1.0), atol=1e-12, rtol=0)
    torch.testing.assert_close(ENTMAX.project(scores)[0], by_bisection(scores / 2, 2.0), atol=1e-12, rtol=0)


def test_ties_share_and_input_is_left_alone() -> None:
    scores = torch.tensor([[3.0, 3.0, 0.0]])
    kept = scores.clone()
    assert SPARSEMAX.project(scores)[0].tolist() == [[0.5, 0.5, 0.0]]
    assert torch.equal(scores, kept)


@pytest.mark.parametrize("mapping", MASKS.values(), ids=MASKS)
def test_gradients(mapping: Projection) -> None:
    torch.manual_seed(0)
    scores = torch.randn(6, 5, dtype=torch.float64)
    jacobian = torch.zeros(6, 5, 5, dtype=torch.float64)
    for i in range(5):
        step = torch.zeros(6, 5, dtype=torch.float64)
        step[:, i] = 1e-6
        jacobian[:, :, i] = (mapping.project(scores + step)[0] - mapping.project(scores - step)[0]) / 2e-6
    grad = torch.randn(6, 5, dtype=torch.float64)
    expected = (grad.unsqueeze(1) @ jacobian).squeeze(1)
    torch.testing.assert_close(
        mapping.pull_back(grad, *mapping.project(scores)), expected, atol=1e-8, rtol=1e-6
    )


@pytest.mark.parametrize("width", [5, 40])
@pytest.mark.parametrize("mapping", MASKS.values(), ids=MASKS)
def test_nan_stays_nan_instead_of_crashing(mapping: Projection, width: int) -> None:
    assert mapping.project(torch.full((2, width), float("nan")))[0].isnan().all()
