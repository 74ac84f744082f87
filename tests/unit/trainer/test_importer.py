"""Ours against pytorch-tabnet 4.1.0 itself, from the zip that it saves: the same function, the same training.

This is the gate before any claim of speed. Virtual batches there are contiguous chunks and here rows
c, c+k, ... of a slice, so the batches that ours trains on are those of theirs in another order.
"""

from __future__ import annotations

import contextlib
import copy
import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from tests.unit.trainer.exact import Exact
from trainyard_model import PackageError, Predictor, read_package, write_package
from trainyard_model.embedding import MISSING, RESERVED, UNSEEN
from trainyard_model.families.base import Batch
from trainyard_model.families.tabnet import network as network_module
from trainyard_model.families.tabnet import steps as steps_module
from trainyard_model.families.tabnet.ghost_norm import chunk_order
from trainyard_trainer.package.pytorch_tabnet import Imported, read_pytorch_tabnet, to_package

pytestmark = pytest.mark.filterwarnings("ignore")  # theirs warns of its own age
ROWS, VIRTUAL = 300, 64  # five virtual batches of 60 rows


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@dataclass
class Case:
    """A model of theirs: its settings, and what it is trained on."""

    options: dict[str, Any] = field(default_factory=dict)
    outputs: int = 3
    regression: bool = False
    columns: int = 5

    def data(self) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        generator = np.random.default_rng(5)
        rows = generator.standard_normal((4 * ROWS, self.columns))
        for column, size in zip(
            self.options.get("cat_idxs", ()), self.options.get("cat_dims", ()), strict=True
        ):
            rows[:, column] = generator.integers(0, size, len(rows))
        if self.regression:
            return rows, (rows[:, : self.outputs] * 2 + 1).astype(np.float32)
        scores = np.stack([rows[:, 4] * 2, rows[:, 4] * -2, 1 - rows[:, 4] ** 2])[: self.outputs]
        return rows, scores.argmax(0)


CATEGORIES = {"cat_idxs": [1, 3], "cat_dims": [4, 6], "cat_emb_dim": [2, 3]}
CASES = {
    "classes": Case(),
    "interleaved-categories": Case({**CATEGORIES, "n_d": 4, "n_a": 6, "n_steps": 2}),
    "categories-first-unsorted": Case({"cat_idxs": [2, 0], "cat_dims": [3, 5], "cat_emb_dim": 1}, outputs=2),
    "entmax": Case({**CATEGORIES, "mask_type": "entmax", "gamma": 1.5, "momentum": 0.1}),
    "one-target": Case({"n_steps": 1, "n_shared": 0}, outputs=1, regression=True),
    "three-targets": Case({**CATEGORIES, "n_independent": 0, "lambda_sparse": 0.01}, regression=True),
    "only-own": Case({"n_shared": 0, "n_independent": 3, "n_steps": 2}),
    "one-shared": Case({"n_shared": 1, "n_independent": 1}),
}


@dataclass
class Pair:
    """Their model and ours, the same weights in both."""

    theirs: Any
    ours: Imported
    rows: np.ndarray[Any, Any]
    target: np.ndarray[Any, Any]
    file: Path


@pytest.fixture(scope="module", params=CASES.values(), ids=CASES)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return make_pair(request.param, tmp_path_factory.mktemp("model") / "peer")


def make_pair(case: Case, path: Path) -> Pair:
    from pytorch_tabnet.tab_model import TabNetClassifier, TabNetRegressor

    rows, target = case.data()
    kind = TabNetRegressor if case.regression else TabNetClassifier
    model = kind(**{"verbose": 0, "seed": 1, "momentum": 0.3, **case.options})
    with contextlib.redirect_stdout(io.StringIO()):
        model.fit(
            rows, target, max_epochs=4, batch_size=ROWS, virtual_batch_size=VIRTUAL, compute_importance=False
        )
        file = Path(model.save_model(str(path)))
    return Pair(model, read_pytorch_tabnet(file, VIRTUAL), rows, target, file)


def theirs_of(pair: Pair, rows: np.ndarray[Any, Any]) -> Tensor:
    with torch.no_grad():
        out: Tensor = pair.theirs.network.eval()(torch.from_numpy(rows).float())[0]
    return out


def close(ours: Tensor, theirs: Any) -> None:
    torch.testing.assert_close(ours, torch.as_tensor(theirs).to(ours.dtype), atol=1e-5, rtol=1e-5)


def test_outputs_masks_and_importance_of_a_trained_model(pair: Pair) -> None:
    """Exactly equal in float64; in float32 as near to that as pytorch-tabnet itself is, and both to 1e-5."""
    rows = pair.rows.astype(np.float32)
    order = [*pair.ours.numeric, *pair.ours.categorical]
    results = {}
    for dtype in (torch.float64, torch.float32):
        ours, theirs = again(pair, dtype)
        inputs, table = ours.inputs(rows), torch.from_numpy(rows).to(dtype)
        with torch.no_grad():
            explained, masks = theirs.eval().forward_masks(table)
            expected = (theirs(table)[0], *(_by_column(part, ours) for part in (explained, *masks.values())))
        net = ours.network.eval()
        results[dtype] = ((net.outputs(*inputs), net.explain(*inputs), *net.masks(*inputs)), expected)
    exact, rough = results[torch.float64], results[torch.float32]
    for ours_64, theirs_64, ours_32, theirs_32 in zip(*exact, *rough, strict=True):
        close(ours_64, theirs_64)  # no closer: its scale and sums are in float32 even then
        allowed = 1e-5 + 2 * (theirs_32 - theirs_64).abs().max()
        assert (ours_32 - theirs_64).abs().max() < allowed
        assert (ours_32 - theirs_32).abs().quantile(0.99) < 1e-5
    shares = rough[0][1].sum(0) / rough[0][1].sum()
    close(shares, pair.theirs._compute_feature_importances(rows)[order])


def _by_column(wide: Tensor, ours: Imported) -> Tensor:
    """A mask over inputs, summed over each column's embedding, in our order of columns."""
    widths = dict(zip(ours.categorical, ours.network.config.widths, strict=True))
    columns = wide.split([widths.get(i, 1) for i in range(ours.network.config.features)], 1)
    return torch.stack([columns[i].sum(1) for i in (*ours.numeric, *ours.categorical)], 1)


@pytest.mark.parametrize("cells", [1, 1 << 20], ids=["sliced", "whole"])
def test_a_step_of_training_leaves_the_same_statistics(
    pair: Pair, cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network_module, "_CELLS", cells)
    ours, theirs = again(pair, torch.float32)
    mine, other = step_of_both(pair, ours, theirs, 0)
    close(torch.tensor(mine), other)
    _same_gradients(ours.network, theirs)
    _same_statistics(ours.network, theirs)


def test_twenty_steps_of_training(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """In float64: in float32 Adam turns roundings of gradients near 0 into whole steps, in either network."""
    monkeypatch.setattr(steps_module, "SCALE", float(np.float32(0.5) ** np.float32(0.5)))  # theirs is float32
    ours, theirs = again(pair, torch.float64)
    optimizers = [torch.optim.Adam(net.parameters(), lr=0.02) for net in (ours.network, theirs)]
    losses = []
    for step in range(20):
        for optimizer in optimizers:
            optimizer.zero_grad()
        losses.append(step_of_both(pair, ours, theirs, step % 4 * ROWS))
        for optimizer in optimizers:
            optimizer.step()
    assert [m for m, _ in losses] == pytest.approx([t for _, t in losses], abs=1e-3)


def again(pair: Pair, dtype: torch.dtype) -> tuple[Imported, Any]:
    """Both networks as they were saved, in training mode."""
    ours = read_pytorch_tabnet(pair.file, VIRTUAL)
    ours.network.to(dtype).train()
    theirs = copy.deepcopy(pair.theirs.network)
    for module in theirs.modules():
        if hasattr(module, "group_attention_matrix"):  # no buffer of theirs, so not moved with the rest
            module.group_attention_matrix = module.group_attention_matrix.to(dtype)
    return ours, theirs.to(dtype).train()


def step_of_both(pair: Pair, ours: Imported, theirs: Any, start: int) -> tuple[float, float]:
    """Losses of the same rows, with gradients and statistics left in the networks."""
    dtype = ours.network.head.dtype
    x = pair.rows[start : start + ROWS].astype(np.float32)
    y = torch.from_numpy(pair.target[start : start + ROWS])
    y = y.to(dtype) if y.is_floating_point() else y
    placed = torch.empty(ROWS, dtype=torch.int64)
    placed[chunk_order(ours.network.cuts(ROWS))] = torch.arange(ROWS)
    batch = Batch(ours.inputs(x[placed.numpy()]), y[placed])
    mine = ours.network.backward(batch, Exact(), torch.Generator())
    out, entropy = theirs(torch.from_numpy(x).to(dtype))
    raw = functional.mse_loss(out, y) if y.ndim == 2 else functional.cross_entropy(out, y)
    other = raw - pair.theirs.lambda_sparse * entropy
    other.backward()
    return mine.item(), other.item()


def _same_gradients(ours: Any, theirs: Any) -> None:
    close(ours.head.grad, theirs.tabnet.final_mapping.weight.grad)
    norm = theirs.tabnet.encoder.initial_splitter
    block = norm.shared if ours.config.n_shared else norm.specifics
    close(ours.gain.grad[0, 0], block.glu_layers[0].bn.bn.weight.grad)
    close(ours.bias.grad[0, 0], block.glu_layers[0].bn.bn.bias.grad)
    total = sum(p.grad.square().sum() for p in theirs.parameters() if p.grad is not None).sqrt()
    mine = sum(p.grad.square().sum() for p in ours.parameters() if p.numel()).sqrt()
    torch.testing.assert_close(mine, total, atol=1e-5, rtol=1e-4)


def _same_statistics(ours: Any, theirs: Any) -> None:
    encoder = theirs.tabnet.encoder
    transformers = [encoder.initial_splitter, *encoder.feat_transformers]
    for t, transformer in enumerate(transformers):
        layers = [] if ours.config.n_shared == 0 else [*transformer.shared.glu_layers]
        layers += [] if ours.config.n_independent == 0 else [*transformer.specifics.glu_layers]
        for i, layer in enumerate(layers):
            close(ours.mean[t, i], layer.bn.bn.running_mean)
            close(ours.variance[t, i], layer.bn.bn.running_var)
    assert sorted(ours.initial_norm.running_var.tolist()) == pytest.approx(
        sorted(encoder.initial_bn.running_var.tolist()), abs=1e-5
    )
    for s, attention in enumerate(encoder.att_transformers):
        close(ours.attend_mean[s].sort().values, attention.bn.bn.running_mean.sort().values)
        close(ours.attend_variance[s].sort().values, attention.bn.bn.running_var.sort().values)


def test_a_package_answers_by_column_name(tmp_path: Path) -> None:
    pair = make_pair(CASES["interleaved-categories"], tmp_path / "peer")
    names = [f"c{i}" for i in range(pair.rows.shape[1])]
    write_package(to_package(pair.ours, names, ["y"]), tmp_path / "package")
    package = read_package(tmp_path / "package")
    predictor = Predictor(package)
    columns = {name: pair.rows[:, i] for i, name in enumerate(names)}
    expected = torch.softmax(theirs_of(pair, pair.rows).double(), 1)
    close(torch.from_numpy(predictor.scores(columns)), expected)
    assert package.schema.classes == (0, 1, 2)
    assert (
        predictor.predict(package.input_example)["prediction"].tolist()
        == package.expected_output["prediction"]
    )
    with pytest.raises(PackageError, match="2 column names for a model of 5"):
        to_package(pair.ours, ["a", "b"], ["y"])


def test_reserved_codes_mean_an_average_value(tmp_path: Path) -> None:
    pair = make_pair(CASES["interleaved-categories"], tmp_path / "peer")
    numeric, codes = pair.ours.inputs(pair.rows[:1])
    table = pair.ours.network.embedding
    assert table is not None
    mean = table.table[RESERVED:6, :2].mean(0)
    for reserved in (MISSING, UNSEEN):
        codes[0, 0] = reserved
        close(table(codes)[0, :2], mean)
        assert pair.ours.network.outputs(numeric, codes).isfinite().all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"output_dim": [2, 3]}, "several classifications"),
        ({"grouped_features": [[0, 1]]}, "grouped_features"),
        ({"n_d": 9}, "do not fit together"),
        ({"n_steps": 4}, "lacks tabnet.encoder.feat_transformers.3"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    file = make_pair(CASES["classes"], tmp_path / "peer").file
    changed = tmp_path / "changed.zip"
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(changed, "w") as new:
        params = json.loads(old.read("model_params.json"))
        params["init_params"] |= change
        new.writestr("model_params.json", json.dumps(params))
        new.writestr("network.pt", old.read("network.pt"))
    with pytest.raises(PackageError, match=message):
        read_pytorch_tabnet(changed)


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_text("no zip")
    with zipfile.ZipFile(tmp_path / "empty.zip", "w") as empty:
        empty.writestr("other", "")
    with zipfile.ZipFile(tmp_path / "code.zip", "w") as code:
        code.writestr("model_params.json", '{"init_params": {}, "class_attrs": {"preds_mapper": null}}')
        code.writestr("network.pt", b"\x80\x04cos\nsystem\n(Vtrue\ntR.")
    for name in ("text.zip", "empty.zip", "code.zip"):
        with pytest.raises(PackageError, match="no model that pytorch-tabnet saved"):
            read_pytorch_tabnet(tmp_path / name)
    with pytest.raises(PackageError, match="cannot be read"):
        read_pytorch_tabnet(tmp_path / "absent.zip")
