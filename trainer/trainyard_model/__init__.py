"""What a trained model needs to answer: preprocessing, networks, predict, and the package format on disk.

The folder is logged with every model and imported where nothing else of Trainyard exists, so it may import
only numpy, torch, safetensors and the standard library, and only by relative imports.
"""

from .errors import ModelInputError, PackageError
from .package import FORMAT_VERSION, Package, package_digest, read_package, write_package
from .predictor import Predictor
from .preprocess import Preprocessor
from .schema import CATEGORICAL, NUMERIC, Column, Schema
from .tabnet import TabNet, TabNetConfig

__all__ = [
    "CATEGORICAL",
    "FORMAT_VERSION",
    "NUMERIC",
    "Column",
    "ModelInputError",
    "Package",
    "PackageError",
    "Predictor",
    "Preprocessor",
    "Schema",
    "TabNet",
    "TabNetConfig",
    "package_digest",
    "read_package",
    "write_package",
]
