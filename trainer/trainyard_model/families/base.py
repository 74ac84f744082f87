"""What a model family is: settings, a network that the loop can drive, and how one is built again from JSON.

All of a family lives in one folder beside this file: `trainyard_model/families/<name>/` with a `FAMILY`. The
trainer, the package and the server know families only through what is declared here.
"""

# mypy: disable-error-code="explicit-override"
# (typing.override needs Python 3.12, and the package may not import typing_extensions)

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal, Protocol, Self

import torch
from torch import Tensor, nn

from ..peers import Peers

Kind = Literal["table", "text", "image"]


@dataclass(frozen=True, slots=True)
class TextShape:
    """What the data say of a network for texts.

    Attributes:
        vocabulary: Token numbers, the reserved ones included: 0 is padding, 1 an unknown token.
        length: Tokens of a row at most.
    """

    vocabulary: int
    length: int


@dataclass(frozen=True, slots=True)
class ImageShape:
    """What the data say of a network for images.

    Attributes:
        channels: Of each pixel.
        height: Rows of pixels.
        width: Columns of pixels.
        means: Of each channel over the training pixels, as shares of 255. The network subtracts them.
        scales: Their standard deviations, likewise. The network divides by them.
    """

    channels: int
    height: int
    width: int
    means: tuple[float, ...]
    scales: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """What the data say of a network.

    Attributes:
        numeric: Number of numeric columns of a table.
        cardinalities: Codes of each categorical column, the reserved ones included.
        outputs: Classes of a classification, targets of a regression.
        classification: Whether outputs are logits of classes; else they are standardised values.
        text: Where the network reads texts.
        image: Where the network reads images.
    """

    numeric: int
    cardinalities: tuple[int, ...]
    outputs: int
    classification: bool = True
    text: TextShape | None = None
    image: ImageShape | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows on the device.

    Attributes:
        inputs: What the network takes; for tables (numbers float32 (B, N), codes int64 (B, C)), for texts
            (tokens int32 (B, L),), for images (pixels uint8 (B, channels, height, width),).
        target: Classes int64 (B,), or standardised values float32 (B, targets).
        weight: Weight of each row float32 (B,), or None where all weigh the same.
    """

    inputs: tuple[Tensor, ...]
    target: Tensor
    weight: Tensor | None = None


class Loss(Protocol):
    """What training minimises. A mean is a sum over rows divided once, so that slices of a batch add up."""

    def rows(self, outputs: Tensor, target: Tensor) -> Tensor:
        """Loss of each row (B,), weights of classes and label smoothing included."""
        ...

    def divisor(self, target: Tensor, weight: Tensor | None) -> Tensor | float:
        """What the sum of weight * rows over a batch is divided by."""
        ...

    def __call__(self, outputs: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """The sum of weight * rows over the divisor."""
        ...


class Config:
    """Base of the frozen dataclasses that fix a network's shape; written into the package."""

    __slots__ = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values; `from_json` gives an equal object back."""
        fields = asdict(self)  # type: ignore[call-overload]
        return {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`."""
        return cls(**{name: tuple(v) if isinstance(v, list) else v for name, v in value.items()})


@dataclass(frozen=True, slots=True)
class Layer:
    """One block of a network, in the order of execution, as people are shown it.

    Attributes:
        name: Path in the network, such as `layers.0`.
        kind: What it is, in a word or two.
        shape: Of one row's output.
        parameters: Trained numbers in it, those of shared parts where they first occur.
        sources: Positions of the layers whose output it takes, -1 for the input; of the outermost only.
        depth: Nesting, 0 for the outermost blocks. Only those are drawn.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    sources: tuple[int, ...] = ()
    depth: int = 0


class Network(nn.Module, ABC):
    """A network under training or at work. Its `state_dict` is all that a package keeps of it."""

    config: Config
    compiles: ClassVar[bool] = True
    """Whether torch.compile may take `training_loss`; a family whose backward pass is its own says no."""
    peers: Peers | None = None
    """Other processes that train the same network on other rows of every batch; set before training begins.

    Their gradients and losses are averaged. What else is of the whole batch asks them, as `batch_norm` does.
    """

    @abstractmethod
    def outputs(self, *inputs: Tensor) -> Tensor:
        """Logits whose softmax is the answer, or standardised values: (rows, outputs), in evaluation mode.

        What one row gets must not depend on the rows beside it, nor a text on how much padding it has.
        """

    @abstractmethod
    def training_loss(self, batch: Batch, loss: Loss, generator: torch.Generator) -> Tensor:
        """Loss of a batch with the family's penalties: a scalar on the device, without a sync.

        All randomness comes from the generator: a resumed training puts it back where it was.
        """

    @abstractmethod
    def explain(self, *inputs: Tensor) -> Tensor:
        """How much each part of the input counted for each row.

        Of a table (rows, features), numeric columns first; of a text (rows, L), a number a token; of an image
        (rows, height, width), a number a pixel.
        """

    def backward(self, batch: Batch, loss: Loss, generator: torch.Generator) -> Tensor:
        """Add the gradients of `training_loss` to the parameters'; the detached loss comes back, no sync."""
        value = self.training_loss(batch, loss, generator)
        value.backward()  # type: ignore[no-untyped-call]
        return value.detach()

    def settle(self) -> None:
        """Make the same in all processes what each keeps for itself during an epoch; mostly nothing.

        Every process calls it at the same step: at an epoch's end, and before a checkpoint.
        """

    def pretrained(self, vectors: Tensor, trainable: bool) -> None:
        """Start the tokens' embedding from vectors (vocabulary, width); frozen unless trainable.

        Raises:
            ValueError: The family has no such embedding, or one of another width.
        """
        raise ValueError("this family takes no pretrained vectors")

    @property
    def widest(self) -> int:
        """Numbers in a row's widest layer; so small a step that a second thread only costs is told by it."""
        return max((min(p.shape) for p in self.parameters() if p.ndim > 1), default=1)

    def share_out(self, rows: int, threads: int) -> int:
        """Take threads of a CPU for parts of batches of so many rows, done side by side; how many it took.

        1, and torch may use them inside its operators; else those must have one thread each.
        """
        return 1

    def outline(self) -> tuple[Layer, ...]:
        """What to draw of a network whose parts are no modules; nothing: its modules, as they are called."""
        return ()

    def batch_rows(self, rows: int) -> int:
        """The largest batch of at most so many rows that the family can take whole; 0 where there is none."""
        return rows


@dataclass(frozen=True, slots=True)
class Family:
    """One kind of model.

    Attributes:
        name: As in the manifest: `model.<name>`.
        learning_rate: Of settings, where the manifest is silent.
        settings: Frozen dataclass whose fields are the manifest's in snake case, with its defaults; choices
            from a list come as lower-case text.
        config: Settings and the data's shape to all that fixes the network; a ShapeError where they do not go
            together.
        read_config: The inverse of the config's `to_json`.
        build: A network with fresh weights, drawn from torch's global generator.
        takes: The columns of a table, a column of texts, or a column of images.
    """

    name: str
    learning_rate: Callable[[Any], float]
    settings: type[Any]
    config: Callable[[Any, Shape], Config]
    read_config: Callable[[Mapping[str, Any]], Config]
    build: Callable[[Any], Network]
    takes: Kind = "table"
