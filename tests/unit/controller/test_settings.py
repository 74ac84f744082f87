"""The environment that the chart sets."""

from __future__ import annotations

import pytest

from trainyard.controller.settings import BadSettings, Settings

GIVEN = {"TRAINYARD_TRAINER_IMAGE": "t", "TRAINYARD_TRACKING_URI": "http://m"}


def test_defaults() -> None:
    settings = Settings.from_env(GIVEN)
    assert (settings.namespaces, settings.http_port, settings.coordinator_ca) == ((), 8080, None)


def test_everything() -> None:
    settings = Settings.from_env(
        {
            **GIVEN,
            "TRAINYARD_WATCH_NAMESPACES": "a, b",
            "TRAINYARD_COORDINATOR_CA": "sys/ca",
            "TRAINYARD_HTTP_PORT": "9",
        }
    )
    assert settings.namespaces == ("a", "b")
    assert settings.coordinator_ca == ("sys", "ca")
    assert settings.http_port == 9


@pytest.mark.parametrize(
    ("extra", "named"),
    [
        ({"TRAINYARD_TRAINER_IMAGE": ""}, "TRAINYARD_TRAINER_IMAGE"),
        ({"TRAINYARD_COORDINATOR_CA": "ca"}, "TRAINYARD_COORDINATOR_CA"),
        ({"TRAINYARD_HTTP_PORT": "http"}, "TRAINYARD_HTTP_PORT"),
        ({"TRAINYARD_RESYNC_SECONDS": "-1"}, "TRAINYARD_RESYNC_SECONDS"),
    ],
)
def test_mistakes_name_the_variable(extra: dict[str, str], named: str) -> None:
    with pytest.raises(BadSettings, match=named):
        Settings.from_env({**GIVEN, **extra})
