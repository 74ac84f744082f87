"""Keys, configs and Dockerfiles that the cluster tool composes."""

import json
from pathlib import Path

import pytest

from hack import buildbase, cluster, rootfs, shell, tools, versions


def test_the_cache_key_follows_content_and_not_time(tmp_path: Path) -> None:
    file = tmp_path / "go.mod"
    file.write_text("require k8s.io/kubernetes v1.34.4")
    before = versions.digest_of(file)
    file.touch()
    assert versions.digest_of(file) == before
    file.write_text("require k8s.io/kubernetes v1.34.5")
    assert versions.digest_of(file) != before


def test_versions_come_from_the_requirement_and_not_from_the_replacement() -> None:
    text = "require (\n\tk8s.io/api v0.0.0 // indirect\n)\nreplace k8s.io/api => k8s.io/api v0.34.4\n"
    assert versions.module_version("k8s.io/api", text) == "v0.0.0"
    with pytest.raises(KeyError, match=r"k8s\.io/kubectl"):
        versions.module_version("k8s.io/kubectl", text)


def test_every_pinned_program_is_listed_for_compiling() -> None:
    named = {tool.package for tool in tools.TOOLS.values() if not tool.package.startswith("./")}
    listed = (versions.TOOLS_SOURCE / "tools.go").read_text()
    assert [package for package in named if f'"{package}"' not in listed] == []
    assert set(tools.CONTRACT + tools.ALWAYS) <= set(tools.TOOLS)


def test_programs_are_told_their_versions() -> None:
    flags = tools.ldflags()
    assert f"version.gitVersion={versions.kubernetes_version()}" in flags
    assert "gitMinor=34" in flags


def test_the_offline_config_keeps_what_people_use_and_adds_the_rest_once() -> None:
    config = (versions.ROOT / "kind-config.yaml").read_text()
    offline = cluster.offline_config(config)
    assert offline.startswith(config.rstrip())
    assert "disableDefaultCNI: true" in offline
    with pytest.raises(shell.ToolError, match="networking"):
        cluster.offline_config(offline)


@pytest.mark.parametrize(
    ("sources", "mirror"),
    [
        ("Types: deb\nURIs: http://mirror.test/debian\nSuites: trixie\n", "http://mirror.test/debian"),
        ("deb [signed-by=/k] https://m.test/debian/ trixie main\n", "https://m.test/debian"),
        ("Types: deb\nURIs: http://m.test/debian-security\n", ""),
        ("", ""),
    ],
)
def test_the_mirror_is_the_machines_own(sources: str, mirror: str) -> None:
    assert rootfs.mirror_of(sources) == mirror


def test_index_settings_reach_the_installing_image_for_pip_and_uv() -> None:
    text = buildbase.installer_dockerfile(
        "b", {"PIP_INDEX_URL": "https://i.test/simple", "HOME": "/x"}, "", True
    )
    assert 'ENV PIP_INDEX_URL="https://i.test/simple"' in text
    assert 'ENV UV_DEFAULT_INDEX="https://i.test/simple"' in text
    assert f'ENV SSL_CERT_FILE="{buildbase.CA_IN_IMAGE}"' in text
    assert "HOME" not in text


def test_a_failure_shows_the_end_of_the_log_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shell, "LOGS", tmp_path)
    with pytest.raises(shell.ToolError) as failure:
        shell.run(["sh", "-c", "echo broken pipe dream; exit 3"], log="x", remedy="call a plumber")
    for part in ("ended with code 3", "broken pipe dream", "call a plumber", str(tmp_path / "x.log")):
        assert part in str(failure.value)
    with pytest.raises(shell.ToolError, match="no-such-program is not installed"):
        shell.run(["no-such-program"], log="x")


def test_stages_are_appended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell, "BUILD", tmp_path)
    monkeypatch.setattr(shell, "STAGES", tmp_path / "stages.json")
    for name in ("one", "two"):
        with shell.stage(name, name):
            pass
    assert [entry["stage"] for entry in json.loads((tmp_path / "stages.json").read_text())] == ["one", "two"]


def test_a_restarted_node_is_healthy_only_by_what_was_reported_since() -> None:
    def pods(ready: bool, started: str) -> dict[str, object]:
        status = {"ready": ready, "state": {"running": {"startedAt": started}}}
        return {"items": [{"status": {}}, {"status": {"containerStatuses": [status]}}]}

    node_started = "2026-01-01T10:00:30.123456789Z"
    assert cluster.serves_since(pods(True, "2026-01-01T10:00:41Z"), node_started)
    assert not cluster.serves_since(pods(True, "2026-01-01T09:00:00Z"), node_started)
    assert not cluster.serves_since(pods(False, "2026-01-01T10:00:41Z"), node_started)
    assert not cluster.serves_since({"items": []}, node_started)
