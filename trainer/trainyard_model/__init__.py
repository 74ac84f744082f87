"""What a trained model needs to answer: preprocessing, networks, predict, and the package format on disk.

The folder is logged with every model and imported where nothing else of Trainyard exists, so it may import
only numpy, torch, safetensors and the standard library, and only by relative imports.
"""

from .errors import ModelInputError, PackageError
from .families import FAMILIES, Batch, Config, Family, Layer, Loss, Network, Shape
from .package import FORMAT_VERSION, Package, package_digest, read_package, shape, write_package
from .predictor import Predictor
from .preprocess import Preprocessor
from .schema import CATEGORICAL, NUMERIC, PREDICTION, Column, Schema

__all__ = [
    "CATEGORICAL",
    "FAMILIES",
    "FORMAT_VERSION",
    "NUMERIC",
    "PREDICTION",
    "Batch",
    "Column",
    "Config",
    "Family",
    "Layer",
    "Loss",
    "ModelInputError",
    "Network",
    "Package",
    "PackageError",
    "Predictor",
    "Preprocessor",
    "Schema",
    "Shape",
    "package_digest",
    "read_package",
    "shape",
    "write_package",
]
