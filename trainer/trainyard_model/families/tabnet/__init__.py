"""TabNet: sequential attention over the columns of a table, with masks that explain each answer."""

from ..base import Family
from .config import TabNetConfig, TabNetSettings, configure
from .network import TabNet

FAMILY = Family(
    name="tabnet",
    learning_rate=lambda settings: 0.02,
    settings=TabNetSettings,
    config=configure,
    read_config=TabNetConfig.from_json,
    build=TabNet,
)

__all__ = ["FAMILY", "TabNet", "TabNetConfig", "TabNetSettings"]
