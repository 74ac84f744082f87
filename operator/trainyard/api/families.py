"""What can be trained: one optional member a model family, exactly one of them set.

Fields carry the names of the papers and libraries people know (n_d is `nD`); defaults are those of the
field's reference implementations.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from annotated_types import Ge, Gt, Le
from pydantic import Field

from trainyard.api.base import ApiModel
from trainyard.api.rules import Rule, at_least_one, exactly_one
from trainyard.api.types import Image, Rate, ShortText, Text, Width


class MaskType(StrEnum):
    """How TabNet turns scores into a sparse mask."""

    SPARSEMAX = "Sparsemax"
    ENTMAX = "Entmax"


class TabNet(ApiModel):
    """TabNet: sequential attention over the columns of a table, with a mask that explains each step."""

    n_d: Annotated[int, Ge(1), Le(1024)] = 8
    """Width of the decision layer."""
    n_a: Annotated[int, Ge(1), Le(1024)] = 8
    """Width of the attention embedding; usually equal to nD."""
    n_steps: Annotated[int, Ge(1), Le(20)] = 3
    """Decision steps."""
    gamma: Annotated[float, Ge(1.0), Le(10.0)] = 1.3
    """How freely a column may be used again in later steps; 1 means once."""
    n_independent: Annotated[int, Ge(0), Le(10)] = 2
    """GLU layers of each step's own."""
    n_shared: Annotated[int, Ge(0), Le(10)] = 2
    """GLU layers shared by all steps."""
    virtual_batch_size: Annotated[int, Ge(2), Le(1_048_576)] = 128
    """Rows of one ghost batch of batch normalisation."""
    momentum: Annotated[float, Gt(0.0), Le(1.0)] = 0.02
    """Momentum of batch normalisation, in torch's sense."""
    mask_type: MaskType = MaskType.SPARSEMAX
    """Sparsemax or Entmax."""
    lambda_sparse: Annotated[float, Ge(0.0), Le(1.0)] = 0.001
    """Weight of the sparsity penalty on the masks."""
    embedding_size: Annotated[int, Ge(1), Le(512)] | None = None
    """Width of each categorical column's embedding; by the column's cardinality where silent."""
    category_dropout: Rate = 0.05
    """Share of categorical values hidden while training, so that unseen ones are served well."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.nIndependent + self.nShared >= 1",
            "nIndependent and nShared cannot both be 0",
            lambda m: m.n_independent + m.n_shared >= 1,
        ),
    )


class Pooling(StrEnum):
    """How the states of a sequence become one vector; padding never takes part."""

    LAST = "Last"
    MAX = "Max"
    MEAN = "Mean"
    ATTENTION = "Attention"


class LSTM(ApiModel):
    """An LSTM over the tokens of a text column."""

    embedding_size: Annotated[int, Ge(1), Le(4096)] = 100
    """Width of a token's vector; with data.text.vectors it must equal their width."""
    hidden_size: Width = 128
    """Width of the recurrent state, per direction."""
    layers: Annotated[int, Ge(1), Le(8)] = 1
    """Stacked recurrent layers."""
    bidirectional: bool = False
    """Read the text in both directions."""
    dropout: Rate = 0.2
    """Dropout on the embedding, between layers and before the output."""
    pooling: Pooling = Pooling.MAX
    """Last, Max, Mean or Attention."""
    dense_units: Annotated[tuple[Width, ...], Field(max_length=8)] = ()
    """Units of dense layers between the pooled state and the output."""


class Conv(ApiModel):
    """One convolution block: convolution, batch normalisation, ReLU, pooling, dropout."""

    channels: Width
    """Output channels."""
    kernel: Annotated[int, Ge(1), Le(31)] = 3
    """Side of the square kernel."""
    stride: Annotated[int, Ge(1), Le(16)] = 1
    """Step of the kernel."""
    pool: Annotated[int, Ge(1), Le(16)] = 2
    """Side of the max pooling; 1 means none."""
    dropout: Rate = 0.0
    """Dropout after the block."""


class Dense(ApiModel):
    """One dense layer with ReLU."""

    units: Width
    """Output units."""
    dropout: Rate = 0.0
    """Dropout after the layer."""


class ConvNet(ApiModel):
    """A convolutional network over images."""

    conv: Annotated[tuple[Conv, ...], Field(min_length=1, max_length=16)]
    """Convolution blocks, first to last."""
    dense: Annotated[tuple[Dense, ...], Field(max_length=8)] = ()
    """Dense layers before the output."""
    batch_norm: bool = True
    """Normalise after each convolution."""


class MLP(ApiModel):
    """A residual multi-layer perceptron with an ensemble of cheap heads; 0 layers is a linear model."""

    layers: Annotated[int, Ge(0), Le(32)] = 3
    """Hidden layers."""
    width: Width = 256
    """Units of each hidden layer."""
    dropout: Rate = 0.1
    """Dropout after each hidden layer."""
    residual: bool = True
    """Add each hidden layer's input to its output."""
    heads: Annotated[int, Ge(1), Le(128)] = 1
    """Members of the parameter-sharing ensemble; 1 means none."""
    embedding_size: Annotated[int, Ge(1), Le(512)] | None = None
    """Width of each categorical column's embedding; by the column's cardinality where silent."""


class Custom(ApiModel):
    """Anything else: a program that follows the pod contract, or a family that an image registers."""

    image: Image | None = None
    """Image of the pods; where silent, compute.image or the installed trainer image."""
    command: Annotated[tuple[ShortText, ...], Field(max_length=16)] = ()
    """Replaces the image's entrypoint. Never passed through a shell."""
    args: Annotated[tuple[Text, ...], Field(max_length=32)] = ()
    """Arguments of the program."""
    family: Annotated[str, Field(min_length=1, max_length=63)] | None = None
    """Entry point in the group trainyard.families; the trainer runs it as one of its own families."""
    parameters: Annotated[
        dict[Annotated[str, Field(min_length=1, max_length=63)], ShortText], Field(max_length=64)
    ] = Field(default_factory=dict)
    """Its parameters, in spec.json; values are text, read as JSON where they are JSON."""

    rules: ClassVar[tuple[Rule, ...]] = (
        at_least_one("image", "family"),
        Rule(
            "!has(self.family) || ((!has(self.command) || size(self.command) == 0) && "
            "(!has(self.args) || size(self.args) == 0))",
            "family is run by the trainer: remove command and args, or remove family",
            lambda m: m.family is None or not (m.command or m.args),
        ),
    )


class Model(ApiModel):
    """What is trained; exactly one member is set."""

    tabnet: TabNet | None = None
    """TabNet, for tables."""
    lstm: LSTM | None = None
    """An LSTM, for texts."""
    convnet: ConvNet | None = None
    """A convolutional network, for images."""
    mlp: MLP | None = None
    """A multi-layer perceptron, for tables; the baseline too."""
    custom: Custom | None = None
    """Your own program or family."""

    rules: ClassVar[tuple[Rule, ...]] = (exactly_one("tabnet", "lstm", "convnet", "mlp", "custom"),)

    @property
    def family(self) -> tuple[str, TabNet | LSTM | ConvNet | MLP | Custom]:
        """The member that is set, with its name in the manifest."""
        for name in type(self).model_fields:
            member = getattr(self, name)
            if member is not None:
                return name, member
        raise ValueError("spec.model: this version of Trainyard knows no family set here; upgrade it")
