"""What a trained model needs to answer: preprocessing, networks, predict, and the package format on disk.

The folder is logged with every model and imported where nothing else of Trainyard exists, so it may import
only numpy, torch, safetensors and the standard library (and, where texts or images come, tokenizers and
Pillow), and only by relative imports.
"""

from .errors import ModelInputError, PackageError
from .families import (
    FAMILIES,
    Batch,
    Config,
    Family,
    ImageShape,
    Layer,
    Loss,
    Network,
    Shape,
    TextShape,
)
from .folder import package_digest
from .package import FORMAT_VERSION, Package, read_package, write_package
from .predictor import Predictor
from .preprocess import ImagePreprocessor, Preprocessor, TablePreprocessor, TextPreprocessor
from .schema import CATEGORICAL, IMAGE, NUMERIC, PREDICTION, TEXT, Column, Schema

__all__ = [
    "CATEGORICAL",
    "FAMILIES",
    "FORMAT_VERSION",
    "IMAGE",
    "NUMERIC",
    "PREDICTION",
    "TEXT",
    "Batch",
    "Column",
    "Config",
    "Family",
    "ImagePreprocessor",
    "ImageShape",
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
    "TablePreprocessor",
    "TextPreprocessor",
    "TextShape",
    "package_digest",
    "read_package",
    "write_package",
]
