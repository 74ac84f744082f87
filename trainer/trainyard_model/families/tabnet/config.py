"""TabNet's settings, and the configuration that they and the data make."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from ...embedding import embedding_width
from ..base import Config, Shape


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
    mask_type: str = "sparsemax"
    lambda_sparse: float = 0.001
    embedding_size: int | None = None
    category_dropout: float = 0.05


@dataclass(frozen=True, slots=True)
class TabNetConfig(Config):
    """Everything that fixes the network's shape and its training; written into the package."""

    numeric: int
    cardinalities: tuple[int, ...]
    widths: tuple[int, ...]
    outputs: int
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
    category_dropout: float = 0.05

    @property
    def features(self) -> int:
        """Columns that the masks choose among."""
        return self.numeric + len(self.cardinalities)

    @property
    def inputs(self) -> int:
        """Width after the embeddings."""
        return self.numeric + sum(self.widths)


def configure(settings: TabNetSettings, shape: Shape) -> TabNetConfig:
    """The network for such data."""
    fields = asdict(settings)
    size, mask = fields.pop("embedding_size"), fields.pop("mask_type")
    return TabNetConfig(
        numeric=shape.numeric,
        cardinalities=shape.cardinalities,
        widths=tuple(size or embedding_width(c) for c in shape.cardinalities),
        outputs=shape.outputs,
        mask=mask,
        **fields,
    )
