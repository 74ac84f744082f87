"""TabNet as a family: settings, embedding widths, and the loss with its sparsity term."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from trainyard_model.embedding import RESERVED, drop_categories
from trainyard_model.ghost_norm import virtual_batches
from trainyard_model.preprocess import Preprocessor
from trainyard_model.tabnet import TabNet, TabNetConfig
from trainyard_trainer.errors import InvalidSpec
from trainyard_trainer.fit.losses import Loss

NAME = "tabnet"
LEARNING_RATE = 0.02
_WIDEST = 8


@dataclass(frozen=True, slots=True)
class TabNetSettings:
    """The paper's parameters under the paper's names."""

    n_d: int = 8
    n_a: int = 8
    n_steps: int = 3
    gamma: float = 1.3
    n_independent: int = 2
    n_shared: int = 2
    virtual_batch_size: int = 128
    momentum: float = 0.02
    mask: str = "sparsemax"
    lambda_sparse: float = 0.001
    embedding_size: int | None = None
    category_dropout: float = 0.05


def embedding_width(cardinality: int) -> int:
    """Enough to tell the categories apart: the binary logarithm of their number, at most 8."""
    return min(_WIDEST, max(1, math.ceil(math.log2(max(2, cardinality - RESERVED)))))


class TabNetLearner:
    """A network under training."""

    def __init__(self, settings: TabNetSettings, preprocessor: Preprocessor, device: str) -> None:
        self.settings = settings
        cards = preprocessor.cardinalities
        self.network = TabNet(
            TabNetConfig(
                numeric=len(preprocessor.means),
                cardinalities=cards,
                widths=tuple(settings.embedding_size or embedding_width(c) for c in cards),
                outputs=len(preprocessor.schema.classes) or 1,
                n_d=settings.n_d,
                n_a=settings.n_a,
                n_steps=settings.n_steps,
                gamma=settings.gamma,
                n_independent=settings.n_independent,
                n_shared=settings.n_shared,
                virtual_batch_size=settings.virtual_batch_size,
                momentum=settings.momentum,
                mask=settings.mask,
            )
        ).to(device)

    def batch_rows(self, rows: int) -> int:
        """Whole virtual batches of equal size, so that one call normalises them all."""
        for fewer in range(rows, 1, -1):
            count, size = virtual_batches(fewer, self.settings.virtual_batch_size)
            if count * size == fewer and size > 1:
                return fewer
        raise InvalidSpec(
            "training.batchSize: batch normalisation needs at least 2 rows in a batch",
            "raise training.batchSize",
        )

    def training_loss(
        self, numeric: Tensor, codes: Tensor, target: Tensor, loss: Loss, generator: torch.Generator
    ) -> Tensor:
        """Loss of a batch minus the weighted negative entropy of the masks."""
        if codes.shape[1] and self.settings.category_dropout > 0.0:
            codes = drop_categories(codes, self.settings.category_dropout, generator)
        out, entropy = self.network(numeric, codes)
        penalised: Tensor = loss(out, target) - self.settings.lambda_sparse * entropy
        return penalised

    def outputs(self, numeric: Tensor, codes: Tensor) -> Tensor:
        """Logits or standardised values."""
        out: Tensor = self.network(numeric, codes)[0]
        return out
