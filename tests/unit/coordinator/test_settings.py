"""Settings: what is wrong is named with the variable and what it should be."""

from __future__ import annotations

import pytest

from trainyard.coordinator.settings import ConfigMapRef, Settings, SettingsError, from_env


def test_an_empty_environment_gives_the_defaults() -> None:
    assert from_env({}) == Settings()
    assert from_env({"TRAINYARD_WATCH_NAMESPACES": "", "TRAINYARD_COORDINATOR_CA": " "}) == Settings()


def test_everything_can_be_set() -> None:
    read = from_env(
        {
            "TRAINYARD_WATCH_NAMESPACES": "a, b,",
            "TRAINYARD_COORDINATOR_PORT": "9443",
            "TRAINYARD_HTTP_PORT": "9080",
            "TRAINYARD_STORAGE_DIR": "/data",
            "TRAINYARD_COORDINATOR_SANS": "one.example,127.0.0.1",
            "TRAINYARD_COORDINATOR_CA": "system/bundle",
            "TRAINYARD_LOG_LEVEL": "debug",
        }
    )
    assert (read.namespaces, read.port, read.http_port, str(read.storage)) == (
        ("a", "b"),
        9443,
        9080,
        "/data",
    )
    assert read.sans == ("one.example", "127.0.0.1")
    assert read.ca_configmap == ConfigMapRef("system", "bundle")
    assert read.log_level == "DEBUG"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TRAINYARD_COORDINATOR_PORT", "http"),
        ("TRAINYARD_HTTP_PORT", "70000"),
        ("TRAINYARD_HTTP_PORT", "-1"),
        ("TRAINYARD_COORDINATOR_CA", "bundle"),
        ("TRAINYARD_COORDINATOR_CA", "a/b/c"),
        ("TRAINYARD_LOG_LEVEL", "loud"),
    ],
)
def test_what_cannot_be_used_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"{name}='{value}' cannot be used: expected "):
        from_env({name: value})
