"""Ghost batch normalisation in one call is what a loop over the virtual batches gives."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from trainyard_model.families.tabnet.ghost_norm import (
    chunk_order,
    cuts,
    fold,
    normalise,
    normalise_backward,
    virtual_batches,
)


@pytest.mark.parametrize("most", [64, 300, 10_000])
@pytest.mark.parametrize(
    ("rows", "virtual"),
    [
        pytest.param(1024, 128, id="even"),
        pytest.param(1000, 128, id="even-smaller"),
        pytest.param(1003, 128, id="ragged-last"),
        pytest.param(100, 128, id="one"),
        pytest.param(130, 128, id="two-halves"),
    ],
)
def test_equals_a_loop_over_virtual_batches(rows: int, virtual: int, most: int) -> None:
    torch.manual_seed(rows)
    parts = cuts(rows, virtual, most)
    assert [p.start for p in parts] == [0, *(p.stop for p in parts[:-1])]
    assert parts[-1].stop == rows
    order = chunk_order(parts)
    theirs = nn.BatchNorm1d(7, momentum=0.3).double()
    theirs.weight.data, theirs.bias.data = torch.rand(7).double(), torch.rand(7).double()
    mean, variance = torch.zeros(7).double(), torch.ones(7).double()
    gain_grad, bias_grad = torch.zeros(7).double(), torch.zeros(7).double()
    for _ in range(2):
        x, scale = torch.randn(rows, 7).double() * 3 + 1, torch.randn(rows, 7).double()
        other = x[order].clone().requires_grad_()
        expected = torch.cat([theirs(chunk) for chunk in other.chunk(-(-rows // virtual))])
        (expected * scale[order]).sum().backward()
        outs, grads = [], []
        for part in parts:
            mine, wide = x[part.start : part.stop], 7 * part.count
            gain, bias = theirs.weight.data.repeat(part.count), theirs.bias.data.repeat(part.count)
            found = torch.zeros(2, wide).double()
            out, saved = normalise(mine, gain, bias, found[0], found[1])
            grad, of_gain, of_bias = normalise_backward(scale[part.start : part.stop], mine, gain, saved)
            outs.append(out)
            grads.append(grad)
            gain_grad += of_gain.view(-1, 7).sum(0)
            bias_grad += of_bias.view(-1, 7).sum(0)
            fold(mean, found[0], 0.3)
            fold(variance, found[1], 0.3)
        torch.testing.assert_close(torch.cat(outs)[order], expected.detach())
        torch.testing.assert_close(torch.cat(grads)[order], other.grad)
    torch.testing.assert_close(gain_grad, theirs.weight.grad)
    torch.testing.assert_close(bias_grad, theirs.bias.grad)
    torch.testing.assert_close(mean, theirs.running_mean)
    torch.testing.assert_close(variance, theirs.running_var)


@pytest.mark.parametrize(("rows", "virtual"), [(1, 128), (129, 1), (5, 2)])
def test_a_virtual_batch_of_one_row_is_refused(rows: int, virtual: int) -> None:
    with pytest.raises(ValueError, match="one row"):
        cuts(rows, virtual, 1024)


def test_virtual_batches_are_what_chunk_makes() -> None:
    for rows in (1, 100, 129, 1000, 1001, 1024):
        chunks = torch.zeros(rows).chunk(-(-rows // 128))
        assert virtual_batches(rows, 128) == (len(chunks), len(chunks[0]))
