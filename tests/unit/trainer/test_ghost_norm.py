"""Ghost batch normalisation in one call is what a loop over the virtual batches gives."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from trainyard_model.families.tabnet.ghost_norm import GhostBatchNorm, virtual_batches


def looped(norm: nn.BatchNorm1d, x: Tensor, virtual_batch_size: int) -> tuple[Tensor, Tensor]:
    """The definition: chunks one after the other; also the row of ours that each of its rows is."""
    count, size = virtual_batches(len(x), virtual_batch_size)
    full = count if count * size == len(x) else count - 1
    rows = [c + full * i for c in range(full) for i in range(size)] + list(range(full * size, len(x)))
    order = torch.tensor(rows)
    wanted = -(-len(x) // virtual_batch_size)
    return torch.cat([norm(chunk) for chunk in x[order].chunk(wanted)]), order


@pytest.mark.parametrize(
    ("rows", "virtual"),
    [
        pytest.param(1024, 128, id="even"),
        pytest.param(1000, 128, id="even-smaller"),
        pytest.param(1001, 128, id="ragged-last"),
        pytest.param(100, 128, id="one"),
        pytest.param(129, 128, id="two-halves"),
    ],
)
def test_equals_a_loop_over_virtual_batches(rows: int, virtual: int) -> None:
    torch.manual_seed(rows)
    ours = GhostBatchNorm(7, virtual, momentum=0.3).double()
    theirs = nn.BatchNorm1d(7, momentum=0.3).double()
    with torch.no_grad():
        ours.weight.copy_(torch.rand(7))
        ours.bias.copy_(torch.rand(7))
    theirs.weight.data, theirs.bias.data = ours.weight.data.clone(), ours.bias.data.clone()
    for _ in range(3):
        x = torch.randn(rows, 7, dtype=torch.float64) * 3 + 1
        mine, other = x.clone().requires_grad_(), x.clone().requires_grad_()
        out = ours(mine)
        expected, order = looped(theirs, other, virtual)
        torch.testing.assert_close(out[order], expected)
        scale = torch.randn(rows, 7, dtype=torch.float64)
        (out * scale).sum().backward()
        (expected * scale[order]).sum().backward()
        torch.testing.assert_close(mine.grad, other.grad)
    torch.testing.assert_close(ours.weight.grad, theirs.weight.grad)
    torch.testing.assert_close(ours.running_mean, theirs.running_mean)
    torch.testing.assert_close(ours.running_var, theirs.running_var)
    ours.eval(), theirs.eval()
    torch.testing.assert_close(ours(x), theirs(x))


def test_one_native_call_for_all_virtual_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    from torch.nn import functional

    calls = 0
    native = functional.batch_norm

    def counted(*args: object, **kwargs: object) -> Tensor:
        nonlocal calls
        calls += 1
        return native(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(functional, "batch_norm", counted)
    GhostBatchNorm(4, 16, 0.02)(torch.randn(1024, 4))
    assert calls == 1
