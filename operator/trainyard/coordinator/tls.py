"""The coordinator's own certificate authority, and the server certificate that it signs.

The authority is made once and lives on the storage volume: every running attempt holds its certificate, so
losing it would silence their progress until the next attempt. The server certificate is cheap; it is made
anew whenever it is close to its end or the host names changed.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_DAYS = 3650
SERVER_DAYS = 90
RENEW_DAYS = 30
BACKDATED = timedelta(minutes=5)
"""Clocks differ; a certificate is valid a little before it was made."""


class StorageError(RuntimeError):
    """The storage volume cannot be used, or what lies there is broken."""


@dataclass(frozen=True, slots=True)
class Files:
    """Where the four files lie."""

    folder: Path

    @property
    def ca(self) -> Path:
        """The authority's certificate: what is published."""
        return self.folder / "ca.crt"

    @property
    def ca_key(self) -> Path:
        """The authority's key; never leaves the volume."""
        return self.folder / "ca.key"

    @property
    def server(self) -> Path:
        """The server's certificate."""
        return self.folder / "server.crt"

    @property
    def server_key(self) -> Path:
        """The server's key."""
        return self.folder / "server.key"


def ensure(folder: Path, hosts: Sequence[str], now: datetime | None = None) -> tuple[Files, bool]:
    """Make what is missing or due; say where it lies and whether the server certificate is a new one."""
    now = now or datetime.now(UTC)
    files = Files(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not files.ca.exists():
            if files.server.exists():
                files.server.unlink()
            _make_ca(files, now)
        ca, ca_key = _load_ca(files)
        if _usable(files, ca, hosts, now):
            return files, False
        _make_server(files, ca, ca_key, hosts, now)
    except OSError as error:
        raise StorageError(
            f"cannot keep certificates in {folder}: {error}; give the coordinator a volume it can write there"
        ) from error
    return files, True


def _make_ca(files: Files, now: datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"trainyard-coordinator {now:%Y-%m-%d}")])
    certificate = (
        _builder(name, name, key.public_key(), now, CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(sign_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write(files.ca_key, _pem_key(key), 0o600)  # first: a certificate without its key would never be noticed
    _write(files.ca, certificate.public_bytes(serialization.Encoding.PEM), 0o644)


def _make_server(
    files: Files,
    ca: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
    hosts: Sequence[str],
    now: datetime,
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "trainyard-coordinator")])
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    certificate = (
        _builder(name, ca.subject, key.public_key(), now, SERVER_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(sign_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general_name(host) for host in hosts]), critical=False)
        .add_extension(issuer, critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    _write(files.server_key, _pem_key(key), 0o600)
    _write(files.server, certificate.public_bytes(serialization.Encoding.PEM), 0o644)


def _load_ca(files: Files) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    try:
        ca = x509.load_pem_x509_certificate(files.ca.read_bytes())
        key = serialization.load_pem_private_key(files.ca_key.read_bytes(), password=None)
    except (ValueError, FileNotFoundError) as error:
        raise _broken(files, str(error)) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or ca.public_key() != key.public_key():
        raise _broken(files, "key and certificate do not belong together")
    return ca, key


def _broken(files: Files, why: str) -> StorageError:
    return StorageError(
        f"the authority in {files.folder} is broken ({why}); restore ca.crt and ca.key from a backup, or "
        "remove both: a new one is made, and jobs that run now report no progress until their next attempt"
    )


def _usable(files: Files, ca: x509.Certificate, hosts: Sequence[str], now: datetime) -> bool:
    """Whether the server certificate is of this authority, for these hosts and good for long enough."""
    try:
        certificate = x509.load_pem_x509_certificate(files.server.read_bytes())
        key = serialization.load_pem_private_key(files.server_key.read_bytes(), password=None)
        certificate.verify_directly_issued_by(ca)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, TypeError, FileNotFoundError, InvalidSignature, x509.ExtensionNotFound):
        return False
    return (
        certificate.public_key() == key.public_key()
        and set(names) == {_general_name(host) for host in hosts}
        and now < certificate.not_valid_after_utc - timedelta(days=RENEW_DAYS)
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + timedelta(days=days))
    )


def _usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign_certificates,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes, mode: int) -> None:
    """Write a file so that it is there whole or not at all, and never readable by more than it should."""
    half = path.with_suffix(path.suffix + ".new")
    half.unlink(missing_ok=True)
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    half.replace(path)
