"""The network: its own gradients are right, slices change nothing, masks explain, old weights are read."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from tests.unit.trainer.exact import Exact
from trainyard_model.embedding import MISSING, UNSEEN, PackedEmbedding, drop_categories
from trainyard_model.families.base import Batch
from trainyard_model.families.tabnet import TabNet, TabNetConfig, network
from trainyard_model.families.tabnet.ghost_norm import chunk_order

CONFIG = TabNetConfig(
    numeric=3,
    cardinalities=(5, 4),
    widths=(3, 2),
    outputs=2,
    virtual_batch_size=16,
    lambda_sparse=0.1,
    category_dropout=0.0,
)
LAYERS = [(2, 2), (0, 1), (1, 0), (0, 2), (2, 0)]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def make_batch(config: TabNetConfig, rows: int, weighted: bool = False) -> Batch:
    generator = torch.Generator().manual_seed(rows)
    codes = [torch.randint(0, c, (rows,), generator=generator) for c in config.cardinalities]
    numbers = torch.randn(rows, config.numeric, generator=generator, dtype=torch.float64)
    target = torch.randint(0, 2, (rows,), generator=generator)
    weight = torch.rand(rows, generator=generator, dtype=torch.float64) if weighted else None
    return Batch(
        (numbers, torch.stack(codes, 1) if codes else torch.zeros(rows, 0, dtype=torch.int64)), target, weight
    )


@pytest.mark.parametrize("mask", ["sparsemax", "entmax"])
@pytest.mark.parametrize(("shared", "independent"), LAYERS)
def test_gradients_are_those_of_differences(mask: str, shared: int, independent: int) -> None:
    torch.manual_seed(3)
    config = dataclasses.replace(CONFIG, mask=mask, n_independent=independent, n_shared=shared)
    net, loss, generator = TabNet(config).double(), Exact(), torch.Generator()
    batch = make_batch(config, 40, weighted=True)
    net.backward(batch, loss, generator)

    def at(parameter: Tensor, offset: Tensor) -> float:
        with torch.no_grad():
            parameter += offset
            value = net.training_loss(batch, loss, generator).item()
            parameter -= offset
        return value

    for name, parameter in net.named_parameters():
        if not parameter.numel():
            continue
        assert parameter.grad is not None
        assert parameter.grad.any(), name
        direction = torch.randn_like(parameter)
        step = 1e-6 * direction
        slope = (at(parameter, step) - at(parameter, -step)) / 2e-6
        assert slope == pytest.approx((parameter.grad * direction).sum().item(), abs=2e-6, rel=1e-4), name


@pytest.mark.parametrize("rows", [64, 75])
def test_slices_of_a_batch_add_up(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    batch = make_batch(CONFIG, rows, weighted=True)
    values = torch.randn(rows, 2, dtype=torch.float64)
    whole, sliced = TabNet(CONFIG).double(), TabNet(CONFIG).double()
    sliced.load_state_dict(whole.state_dict())
    order = chunk_order(whole.cuts(rows))
    loss = whole.backward(dataclasses.replace(batch, target=values), Exact(), torch.Generator())
    monkeypatch.setattr(network, "_CELLS", 16 * 32)
    assert len(sliced.cuts(rows)) == -(-rows // 16)
    same = torch.empty_like(order)  # the same rows meet in a virtual batch
    same[chunk_order(sliced.cuts(rows))] = order
    assert batch.weight is not None
    moved = Batch(tuple(x[same] for x in batch.inputs), values[same], batch.weight[same])
    torch.testing.assert_close(sliced.backward(moved, Exact(), torch.Generator()), loss)
    for (name, one), other in zip(whole.named_parameters(), sliced.parameters(), strict=True):
        torch.testing.assert_close(other.grad, one.grad, msg=name)
    torch.testing.assert_close(sliced.state_dict(), whole.state_dict())
    torch.testing.assert_close(sliced.outputs(*batch.inputs), whole.outputs(*batch.inputs))
    torch.testing.assert_close(sliced.explain(*batch.inputs), whole.explain(*batch.inputs))


def test_a_tape_is_used_once() -> None:
    net = TabNet(CONFIG).double()
    loss = net.training_loss(make_batch(CONFIG, 32), Exact(), torch.Generator())
    loss.backward(retain_graph=True)  # type: ignore[no-untyped-call]
    with pytest.raises(RuntimeError, match="second backward"):
        loss.backward()  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    "config",
    [
        TabNetConfig(numeric=1, cardinalities=(), widths=(), outputs=1, n_steps=1),
        TabNetConfig(numeric=0, cardinalities=(4,), widths=(1,), outputs=3, n_steps=2),
        TabNetConfig(numeric=4, cardinalities=(3,), widths=(2,), outputs=2, gamma=1.0),
    ],
    ids=["one-column", "one-category", "gamma-1"],
)
@pytest.mark.parametrize("rows", [2, 3, 130])
def test_small_tables_and_constant_columns(config: TabNetConfig, rows: int) -> None:
    torch.manual_seed(0)
    net = TabNet(config)
    numbers, codes = torch.full((rows, config.numeric), 2.5), torch.zeros(rows, len(config.cardinalities))
    batch = Batch((numbers, codes.long()), torch.zeros(rows, dtype=torch.int64))
    loss = net.backward(batch, Exact(), torch.Generator())
    finite = [loss, *(p.grad for p in net.parameters() if p.grad is not None), *net.state_dict().values()]
    assert all(torch.isfinite(tensor).all() for tensor in finite)
    assert net.outputs(numbers, codes.long()).shape == (rows, config.outputs)
    assert net.outputs(numbers[:0], codes[:0].long()).shape == (0, config.outputs)


def test_masks_sum_to_one_and_explain_weighs_them() -> None:
    torch.manual_seed(0)
    net = TabNet(CONFIG).double()
    batch = make_batch(CONFIG, 50)
    masks = net.masks(*batch.inputs)
    assert masks.shape == (CONFIG.n_steps, 50, CONFIG.features)
    torch.testing.assert_close(masks.sum(2), torch.ones(CONFIG.n_steps, 50, dtype=torch.float64))
    explained = net.explain(*batch.inputs)
    assert explained.shape == (50, CONFIG.features)
    assert not explained[(masks == 0).all(0)].any()


def test_mask_of_a_column_is_shared_by_its_embedding() -> None:
    rules = TabNet(CONFIG)._rules()
    mask = torch.tensor([[0.1, 0.2, 0.3, 0.3, 0.1]])
    torch.testing.assert_close(rules.spread(mask), torch.tensor([[0.1, 0.2, 0.3, 0.1, 0.1, 0.1, 0.05, 0.05]]))
    wide = torch.rand(1, CONFIG.inputs)
    torch.testing.assert_close((rules.spread(mask) * wide).sum(), (mask * rules.gather(wide)).sum())


@pytest.mark.parametrize("dtype", [torch.bfloat16])
def test_autocast_leaves_masks_in_float32(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    net = TabNet(CONFIG)
    batch = make_batch(CONFIG, 64)
    inputs = (batch.inputs[0].float(), batch.inputs[1])
    exact, _ = net(*inputs)
    with torch.autocast("cpu", dtype):
        out, entropy = net(*inputs)
    assert entropy.dtype == torch.float32
    assert not torch.equal(out.float(), exact)
    assert (out - exact).abs().mean() < 0.1 * exact.abs().mean()


@pytest.mark.parametrize(("shared", "independent"), LAYERS)
def test_weights_by_layer_are_packed(shared: int, independent: int) -> None:
    config = dataclasses.replace(CONFIG, n_independent=independent, n_shared=shared)
    net = TabNet(config)
    with torch.no_grad():
        for tensor in net.state_dict().values():
            tensor.copy_(torch.rand_like(tensor.float()))
    old = by_layer(net)
    again = TabNet(config)
    again.load_state_dict(old)
    torch.testing.assert_close(again.state_dict(), net.state_dict())
    del old["attention.1.norm.bias"]
    with pytest.raises(RuntimeError, match=r"lack attention\.1\.norm\.bias"):
        TabNet(config).load_state_dict(old)


def by_layer(net: TabNet) -> dict[str, Tensor]:
    """The names that format 1 gave to the weights."""
    config, state = net.config, net.state_dict()
    old = {name: value for name, value in state.items() if name.startswith(("embedding.", "initial_norm."))}
    old["head.weight"] = state["head"]
    norm = {"weight": "gain", "bias": "bias", "running_mean": "mean", "running_var": "variance"}
    if config.n_shared:
        for i, weight in enumerate([state["first"][0], *state["shared"]]):
            old[f"shared.{i}.weight"] = weight
    for t in range(config.n_steps + 1):
        own = [*state["own"][t]] if config.n_shared else [state["first"][t], *state["own"][t]]
        old |= {f"features.{t}.own.{i}.weight": weight for i, weight in enumerate(own)}
        for theirs, ours in norm.items():
            for i, value in enumerate(state[ours][t]):
                old[f"features.{t}.norms.{i}.{theirs}"] = value
    for s in range(config.n_steps):
        old[f"attention.{s}.layer.weight"] = state["attend"][s]
        for theirs, ours in norm.items():
            old[f"attention.{s}.norm.{theirs}"] = state[f"attend_{ours}"][s]
    return old


def test_no_layer_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot both be 0"):
        TabNet(dataclasses.replace(CONFIG, n_independent=0, n_shared=0))


def test_config_survives_json() -> None:
    assert TabNetConfig.from_json(CONFIG.to_json()) == CONFIG


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


def test_category_dropout_uses_only_the_reserved_codes() -> None:
    codes = torch.full((20_000, 1), 9)
    dropped = drop_categories(codes, 0.2, torch.Generator().manual_seed(0))
    counts = {value: int((dropped == value).sum()) for value in (MISSING, UNSEEN, 9)}
    assert sum(counts.values()) == 20_000
    assert counts[MISSING] == pytest.approx(2000, rel=0.1)
    assert counts[UNSEEN] == pytest.approx(2000, rel=0.1)
