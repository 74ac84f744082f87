"""Certificates: what is made is good, what is made once stays, what is due is renewed."""

from __future__ import annotations

import socket
import ssl
import stat
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from trainyard.coordinator import tls

HOSTS = ("trainyard-coordinator.trainyard-system.svc", "localhost", "127.0.0.1")
NOW = datetime.now(UTC)


def handshake(files: tls.Files, ca: Path, host: str) -> None:
    """A real TLS handshake between the server's certificate and a client that trusts one authority."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(files.server, files.server_key)
    client = ssl.create_default_context(cafile=ca)
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    here, there = socket.socketpair()

    def answer() -> None:
        try:
            server.wrap_socket(there, server_side=True).close()
        except OSError:
            there.close()

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        with client.wrap_socket(here, server_hostname=host):
            pass
    finally:
        here.close()
        thread.join()


@pytest.mark.parametrize("host", HOSTS)
def test_a_client_that_trusts_the_published_ca_is_served_by_every_name(tmp_path: Path, host: str) -> None:
    files, new = tls.ensure(tmp_path / "tls", HOSTS)
    assert new
    handshake(files, files.ca, host)


def test_another_name_and_another_authority_are_refused(tmp_path: Path) -> None:
    files, _ = tls.ensure(tmp_path / "one", HOSTS)
    other, _ = tls.ensure(tmp_path / "other", HOSTS)
    with pytest.raises(ssl.SSLCertVerificationError, match="not valid for"):
        handshake(files, files.ca, "elsewhere.example")
    with pytest.raises(ssl.SSLCertVerificationError, match="verify failed"):
        handshake(files, other.ca, "localhost")


def test_keys_are_for_their_owner_alone(tmp_path: Path) -> None:
    files, _ = tls.ensure(tmp_path, HOSTS)
    for path in (files.ca_key, files.server_key):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_restart_changes_nothing(tmp_path: Path) -> None:
    files, _ = tls.ensure(tmp_path, HOSTS)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert tls.ensure(tmp_path, HOSTS) == (files, False)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(("days", "renewed"), [(59, False), (61, True), (200, True)])
def test_the_server_certificate_is_renewed_before_its_end_by_the_same_authority(
    tmp_path: Path, days: int, renewed: bool
) -> None:
    files, _ = tls.ensure(tmp_path, HOSTS, NOW)
    authority, later = files.ca.read_bytes(), NOW + timedelta(days=days)
    assert tls.ensure(tmp_path, HOSTS, later)[1] is renewed
    assert files.ca.read_bytes() == authority
    assert x509.load_pem_x509_certificate(files.server.read_bytes()).not_valid_after_utc > later


def test_other_hosts_get_another_server_certificate(tmp_path: Path) -> None:
    files, _ = tls.ensure(tmp_path, HOSTS)
    assert tls.ensure(tmp_path, (*HOSTS, "more.example"))[1]
    handshake(files, files.ca, "more.example")


@pytest.mark.parametrize("name", ["server.crt", "server.key"])
def test_a_lost_or_damaged_server_certificate_is_made_anew(tmp_path: Path, name: str) -> None:
    files, _ = tls.ensure(tmp_path, HOSTS)
    (tmp_path / name).unlink()
    assert tls.ensure(tmp_path, HOSTS)[1]
    (tmp_path / name).write_text("garbage")
    assert tls.ensure(tmp_path, HOSTS)[1]
    handshake(files, files.ca, "localhost")


@pytest.mark.parametrize("damage", ["garbage", None])
def test_a_broken_authority_is_never_replaced_in_silence(tmp_path: Path, damage: str | None) -> None:
    files, _ = tls.ensure(tmp_path, HOSTS)
    if damage is None:
        files.ca_key.unlink()
    else:
        files.ca_key.write_text(damage)
    with pytest.raises(tls.StorageError, match=r"restore ca\.crt and ca\.key from a backup, or remove both"):
        tls.ensure(tmp_path, HOSTS)


def test_a_new_authority_brings_a_new_server_certificate(tmp_path: Path) -> None:
    files, _ = tls.ensure(tmp_path, HOSTS)
    files.ca.unlink()
    files.ca_key.unlink()
    tls.ensure(tmp_path, HOSTS)
    handshake(files, files.ca, "localhost")


def test_a_volume_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(tls.StorageError, match=r"cannot keep certificates in .*file/tls"):
        tls.ensure(tmp_path / "file" / "tls", HOSTS)
