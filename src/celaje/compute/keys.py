"""Making and reading the keys of key pairs: SSH keys and X.509 certificates for WinRM.

Called by the key pair handlers. Fingerprints as Nova prints them: MD5 of an SSH key's blob, SHA-1 of a
certificate. Private keys are made by the cryptography library's own generator and are never kept.
"""

import base64
import binascii
import datetime
import hashlib
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from celaje.common import clock
from celaje.common.errors import Invalid

# The user principal name by which Windows maps a client certificate to an account.
_UPN = ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")


class InvalidKeypair(Invalid):
    text = "Keypair data is invalid: {reason}"


@dataclass(slots=True)
class MadeKey:
    private_key: str
    public_key: str
    fingerprint: str


def make_ssh() -> MadeKey:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    ).decode()
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    text = f"{public.decode()} Generated-by-Celaje"
    return MadeKey(private, text, ssh_fingerprint(text))


def ssh_fingerprint(public_key: str) -> str:
    """Raises InvalidKeypair."""
    try:
        serialization.load_ssh_public_key(public_key.encode())
        blob = base64.b64decode(public_key.split()[1])
    except (ValueError, IndexError, UnsupportedAlgorithm, binascii.Error) as error:
        raise InvalidKeypair(reason="failed to generate fingerprint") from error
    return _colons(hashlib.md5(blob, usedforsecurity=False).digest())


def make_x509(user_id: str) -> MadeKey:
    """A self-signed client certificate; the private key as an empty-password PKCS #12 archive in base64."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, user_id[:64])])
    upn = f"{user_id}@localhost".encode()
    now = clock.now().replace(tzinfo=datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(int.from_bytes(clock.random_bytes(19), "big") + 1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=3650))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        # DER of a UTF8String, which the library wants ready made.
        .add_extension(
            x509.SubjectAlternativeName([x509.OtherName(_UPN, b"\x0c" + _der_length(len(upn)) + upn)]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    archive = pkcs12.serialize_key_and_certificates(
        None, key, certificate, None, serialization.NoEncryption()
    )
    public = certificate.public_bytes(serialization.Encoding.PEM).decode()
    return MadeKey(base64.b64encode(archive).decode(), public, x509_fingerprint(public))


def _der_length(length: int) -> bytes:
    if length < 128:
        return bytes([length])
    data = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(data)]) + data


def x509_fingerprint(pem: str) -> str:
    """Raises InvalidKeypair."""
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
    except ValueError as error:
        raise InvalidKeypair(reason=f"failed to generate X509 fingerprint. Error message: {error}") from error
    return _colons(certificate.fingerprint(hashes.SHA1()))


def _colons(digest: bytes) -> str:
    return ":".join(f"{byte:02x}" for byte in digest)
