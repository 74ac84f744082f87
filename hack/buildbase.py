"""The two base images of the Dockerfile: what runs, and what installs."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from hack import docker, rootfs, shell
from hack.versions import DEBIAN_RELEASE, PULLED_PYTHON_BASE, digest_of

PYTHON_BASE = f"trainyard/python:{DEBIAN_RELEASE}"
BUILD_BASE = "trainyard/installer:local"
PYTHON_DOCKERFILE = f"""FROM {rootfs.IMAGE}
RUN apt-get update && apt-get install -y --no-install-recommends python3 ca-certificates \\
 && apt-get clean \\
 && rm -rf /var/lib/apt/lists/* /var/log/* /usr/share/doc/* /usr/share/man/* /usr/share/locale/*
"""
# Index settings that pip and uv read; they reach the build through the installing image only.
PASSED_ON = (
    "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "PIP_DEFAULT_TIMEOUT",
    "UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_INDEX_STRATEGY", "UV_HTTP_TIMEOUT",
)  # fmt: skip
CA_VARIABLES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
CA_IN_IMAGE = "/etc/ssl/host-certificates.crt"


def host_certificates(environment: Mapping[str, str]) -> Path | None:
    """Return the bundle of certificates that the host tells its programs to trust, if it names one."""
    for name in CA_VARIABLES:
        file = environment.get(name)
        if file and Path(file).is_file():
            return Path(file)
    return None


def installer_dockerfile(base: str, environment: Mapping[str, str], index: str, certificates: bool) -> str:
    """Compose the Dockerfile of the installing image."""
    settings = {name: environment[name] for name in PASSED_ON if environment.get(name)}
    if index:
        settings.setdefault("PIP_INDEX_URL", index)
    if "PIP_INDEX_URL" in settings:
        settings.setdefault("UV_DEFAULT_INDEX", settings["PIP_INDEX_URL"])
    lines = [f"FROM {base}"]
    if certificates:
        lines.append(f"COPY certificates.crt {CA_IN_IMAGE}")
        settings |= dict.fromkeys(CA_VARIABLES, CA_IN_IMAGE)
    lines += [f'ENV {name}="{value}"' for name, value in settings.items()]
    lines.append(
        "RUN python3 -c 'import ensurepip' || "
        "(apt-get update && apt-get install -y --no-install-recommends python3-venv)"
    )
    return "\n".join(lines) + "\n"


def build(dockerfile: str, name: str, *files: tuple[Path, str]) -> None:
    """Build an image from a text and a few files."""
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "Dockerfile").write_text(dockerfile)
        for source, target in files:
            shutil.copy(source, Path(scratch) / target)
        shell.run(
            ["docker", "build", "--network", "host", "-t", name, scratch],
            log="base-images",
            remedy="check that Debian's package mirror can be reached",
        )


def ensure() -> tuple[str, str]:
    """Make sure of both bases; return (PYTHON_BASE, BUILD_BASE)."""
    python = PULLED_PYTHON_BASE
    if not docker.can_pull():
        python = PYTHON_BASE
        base = rootfs.ensure()
        if docker.image_id(python) is None:
            with shell.stage("python base", f"build {python} on {base}"):
                build(PYTHON_DOCKERFILE, python)
    certificates = host_certificates(os.environ)
    index = shell.output(["python3", "-m", "pip", "config", "get", "global.index-url"]) or ""
    text = installer_dockerfile(python, os.environ, index, certificates is not None)
    key = digest_of(*([certificates] if certificates else []), salt=text + (docker.image_id(python) or ""))
    name = f"{BUILD_BASE}-{key}"
    if docker.image_id(name) is None:
        with shell.stage("installer base", "prepare the image that installs"):
            build(text, name, *([(certificates, "certificates.crt")] if certificates else []))
    return python, name
