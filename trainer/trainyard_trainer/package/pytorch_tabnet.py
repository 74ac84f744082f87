"""Take over a model that pytorch-tabnet 4.1.0 saved: `model_params.json` and `network.pt` in a zip.

The zip is read as data: JSON, and tensors without unpickling anything else. Ours is then the same function of
the same rows. Differences: our columns are ordered numeric first; codes move up by the two that we reserve
for missing and unseen values, whose embeddings, unknown to pytorch-tabnet, become the mean of the column's
others; the virtual batch size is not saved, and is only needed to train on.
"""

from __future__ import annotations

import dataclasses
import json
import pickle
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from trainyard_model import (
    CATEGORICAL,
    NUMERIC,
    Column,
    Package,
    PackageError,
    Predictor,
    Schema,
    TablePreprocessor,
)
from trainyard_model.embedding import RESERVED
from trainyard_model.families.tabnet import TabNet, TabNetConfig
from trainyard_model.families.tabnet.upgrade import packed

_ENCODER = "tabnet.encoder."
_KINDS = ("weight", "bias", "running_mean", "running_var")


@dataclass(frozen=True, slots=True)
class Imported:
    """Our network, and how its inputs lie in the rows that pytorch-tabnet takes.

    Attributes:
        network: In evaluation mode.
        numeric: Positions of the numeric columns, in the order of the network's numbers.
        categorical: Positions of the categorical columns, in the order of the network's codes.
        classes: Labels in the order of the outputs; () for a regression.
    """

    network: TabNet
    numeric: tuple[int, ...]
    categorical: tuple[int, ...]
    classes: tuple[str | int | float | bool, ...]

    def inputs(self, rows: NDArray[Any]) -> tuple[Tensor, Tensor]:
        """What the network takes, from (rows, columns) as pytorch-tabnet takes them."""
        table = torch.as_tensor(rows)
        codes = table[:, list(self.categorical)].long() + RESERVED
        return table[:, list(self.numeric)].to(self.network.head.dtype), codes


def read_pytorch_tabnet(file: Path, virtual_batch_size: int = 128) -> Imported:
    """The network of a zip that `TabNetClassifier.save_model` or `TabNetRegressor.save_model` wrote.

    Raises:
        PackageError: The file is no such zip, or uses what ours does not have.
    """
    params, state, mapper = _read(file)
    try:
        return _import(params, state, mapper, virtual_batch_size)
    except KeyError as error:
        raise PackageError(f"{file} lacks {error.args[0]}: no TabNet of pytorch-tabnet 4.1.0") from error
    except RuntimeError as error:
        raise PackageError(f"{file}: weights and model_params.json do not fit together: {error}") from error


def to_package(imported: Imported, columns: Sequence[str], targets: Sequence[str]) -> Package:
    """A package that takes rows by column name; categorical columns hold the codes 0, 1, ... as before.

    Raises:
        PackageError: The number of names is not the model's.
    """
    network, config = imported.network, imported.network.config
    if len(columns) != config.features:
        raise PackageError(f"{len(columns)} column names for a model of {config.features} columns")
    wanted = 1 if imported.classes else config.outputs
    if len(targets) != wanted:
        raise PackageError(f"{len(targets)} target names for a model of {wanted} targets")
    roles = [Column(columns[i], NUMERIC) for i in imported.numeric]
    roles += [Column(columns[i], CATEGORICAL, integers=True) for i in imported.categorical]
    task: Any = "Classification" if imported.classes else "Regression"
    schema = Schema(task, tuple(targets), tuple(roles), imported.classes)
    words = tuple(tuple(str(code) for code in range(c - RESERVED)) for c in config.cardinalities)
    numbers = config.numeric
    package = Package(
        family="tabnet",
        config=config,
        preprocessor=TablePreprocessor(schema, (0.0,) * numbers, (1.0,) * numbers, words),
        weights=network.state_dict(),
        target_means=() if imported.classes else (0.0,) * len(targets),
        target_scales=() if imported.classes else (1.0,) * len(targets),
        input_example={c.name: [0.0, 1.0] if c.role == NUMERIC else ["0", "0"] for c in roles},
        info={"importedFrom": "pytorch-tabnet 4.1.0"},
    )
    answer = Predictor(package).predict(package.input_example)
    return dataclasses.replace(package, expected_output={name: v.tolist() for name, v in answer.items()})


def _read(file: Path) -> tuple[dict[str, Any], dict[str, Tensor], dict[str, Any] | None]:
    try:
        with zipfile.ZipFile(file) as archive:
            params = json.loads(archive.read("model_params.json"))
            with archive.open("network.pt") as weights:
                state = torch.load(weights, map_location="cpu", weights_only=True)
        return params["init_params"], state, params["class_attrs"]["preds_mapper"]
    except OSError as error:
        raise PackageError(f"{file} cannot be read: {error.strerror}") from error
    except (zipfile.BadZipFile, KeyError, ValueError, RuntimeError, pickle.UnpicklingError) as error:
        raise PackageError(
            f"{file} is no model that pytorch-tabnet saved (JSON and network.pt in a zip): {error}"
        ) from error


def _import(
    params: Mapping[str, Any], state: Mapping[str, Tensor], mapper: dict[str, Any] | None, virtual: int
) -> Imported:
    if not isinstance(params["output_dim"], int):
        raise PackageError("several classifications in one model (output_dim is a list) are not supported")
    if params["grouped_features"]:
        raise PackageError("grouped_features are not supported: masks here are over single columns")
    categorical = tuple(sorted(params["cat_idxs"]))
    numeric = tuple(i for i in range(params["input_dim"]) if i not in categorical)
    tables = [state[f"embedder.embeddings.{i}.weight"] for i in range(len(categorical))]
    config = TabNetConfig(
        numeric=len(numeric),
        cardinalities=tuple(len(table) + RESERVED for table in tables),
        widths=tuple(table.shape[1] for table in tables),
        outputs=params["output_dim"],
        mask=params["mask_type"],
        virtual_batch_size=virtual,
        category_dropout=0.0,
        **{
            name: params[name]
            for name in ("n_d", "n_a", "n_steps", "gamma", "n_independent", "n_shared", "momentum")
        },
        lambda_sparse=params["lambda_sparse"],
    )
    network = TabNet(config)
    wide = _wide_order(params["input_dim"], categorical, config.widths, numeric)
    weights = packed(_by_layer(state, config, wide, [*numeric, *categorical]), config)
    for kind in _KINDS:
        weights[f"initial_norm.{kind}"] = state[f"{_ENCODER}initial_bn.{kind}"][wide]
    weights["initial_norm.num_batches_tracked"] = state[f"{_ENCODER}initial_bn.num_batches_tracked"]
    if tables:
        weights["embedding.table"] = _table(tables)
    network.load_state_dict(weights)
    classes = () if mapper is None else tuple(mapper[str(i)] for i in range(config.outputs))
    return Imported(network.eval(), numeric, categorical, classes)


def _wide_order(
    columns: int, categorical: Sequence[int], widths: Sequence[int], numeric: Sequence[int]
) -> list[int]:
    """Our inputs as positions among theirs: theirs spread each embedding where its column is."""
    width = dict(zip(categorical, widths, strict=True))
    starts, total = [], 0
    for column in range(columns):
        starts.append(total)
        total += width.get(column, 1)
    return [starts[c] + j for c in (*numeric, *categorical) for j in range(width.get(c, 1))]


def _by_layer(
    state: Mapping[str, Tensor], config: TabNetConfig, wide: list[int], features: list[int]
) -> dict[str, Tensor]:
    """Their names to those of `upgrade.packed`, columns in our order."""
    names = ["initial_splitter", *(f"feat_transformers.{s}" for s in range(config.n_steps))]
    found = {"head.weight": state["tabnet.final_mapping.weight"]}
    for t, name in enumerate(names):
        layers = [f"shared.glu_layers.{i}" for i in range(config.n_shared)]
        layers += [f"specifics.glu_layers.{i}" for i in range(config.n_independent)]
        for i, layer in enumerate(layers):
            place = f"{_ENCODER}{name}.{layer}."
            weight = state[f"{place}fc.weight"]
            weight = weight[:, wide] if i == 0 else weight
            own = i - config.n_shared
            found[f"shared.{i}.weight" if own < 0 else f"features.{t}.own.{own}.weight"] = weight
            found |= {f"features.{t}.norms.{i}.{kind}": state[f"{place}bn.bn.{kind}"] for kind in _KINDS}
    for s in range(config.n_steps):
        place = f"{_ENCODER}att_transformers.{s}."
        found[f"attention.{s}.layer.weight"] = state[f"{place}fc.weight"][features]
        for kind in _KINDS:
            found[f"attention.{s}.norm.{kind}"] = state[f"{place}bn.bn.{kind}"][features]
    return found


def _table(tables: Sequence[Tensor]) -> Tensor:
    """All embeddings below each other as wide as the widest, each after its reserved rows."""
    widest = max(table.shape[1] for table in tables)
    rows = []
    for table in tables:
        whole = torch.cat([table.mean(0, keepdim=True).expand(RESERVED, -1), table])
        rows.append(torch.nn.functional.pad(whole, (0, widest - whole.shape[1])))
    return torch.cat(rows)
