"""The network: embeddings in one table, masks shared over them, and what configuration changes."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn

from trainyard_model.embedding import MISSING, UNSEEN, PackedEmbedding, drop_categories
from trainyard_model.families.tabnet import TabNet, TabNetConfig

CONFIG = TabNetConfig(numeric=3, cardinalities=(5, 4), widths=(3, 2), outputs=2, virtual_batch_size=16)


@pytest.mark.parametrize("widths", [(1, 1, 1), (3, 3, 3), (3, 1, 2)])
def test_one_table_equals_one_embedding_a_column(widths: tuple[int, ...]) -> None:
    cards = (4, 7, 3)
    packed = PackedEmbedding(cards, widths)
    codes = torch.stack([torch.randint(0, c, (20,)) for c in cards], 1)
    start, expected = 0, []
    for column, (cardinality, width) in enumerate(zip(cards, widths, strict=True)):
        table = nn.Embedding(cardinality, width)
        table.weight.data = packed.table.data[start : start + cardinality, :width]
        expected.append(table(codes[:, column]))
        start += cardinality
    assert torch.equal(packed(codes), torch.cat(expected, 1))


def test_mask_of_a_column_is_shared_by_its_embedding() -> None:
    network = TabNet(CONFIG)
    mask = torch.tensor([[0.1, 0.2, 0.3, 0.3, 0.1]])
    shared = network._masked(mask, torch.ones(1, CONFIG.inputs))
    torch.testing.assert_close(shared, torch.tensor([[0.1, 0.2, 0.3, 0.1, 0.1, 0.1, 0.05, 0.05]]))


@pytest.mark.parametrize("mask", ["sparsemax", "entmax"])
@pytest.mark.parametrize(("independent", "shared"), [(2, 2), (0, 1), (1, 0)])
def test_every_parameter_learns(mask: str, independent: int, shared: int) -> None:
    torch.manual_seed(0)
    config = dataclasses.replace(CONFIG, mask=mask, n_independent=independent, n_shared=shared)
    network = TabNet(config)
    codes = torch.stack([torch.randint(0, c, (64,)) for c in config.cardinalities], 1)
    out, entropy = network(torch.randn(64, 3), codes)
    assert out.shape == (64, 2)
    (out.square().mean() - 0.01 * entropy).backward()
    silent = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert silent == []


def test_no_layer_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot both be 0"):
        TabNet(dataclasses.replace(CONFIG, n_independent=0, n_shared=0))


def test_category_dropout_uses_only_the_reserved_codes() -> None:
    codes = torch.full((20_000, 1), 9)
    dropped = drop_categories(codes, 0.2, torch.Generator().manual_seed(0))
    counts = {value: int((dropped == value).sum()) for value in (MISSING, UNSEEN, 9)}
    assert sum(counts.values()) == 20_000
    assert counts[MISSING] == pytest.approx(2000, rel=0.1)
    assert counts[UNSEEN] == pytest.approx(2000, rel=0.1)


def test_config_survives_json() -> None:
    assert TabNetConfig.from_json(CONFIG.to_json()) == CONFIG
