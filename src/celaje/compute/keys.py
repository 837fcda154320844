"""Making and reading the SSH keys of key pairs (certificates: `certificates.py`).

Called by the key pair handlers. Fingerprints as Nova prints them: MD5 of an SSH key's blob.
Private keys are made by the cryptography library's own generator and are never kept.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from celaje.common.errors import Invalid


class InvalidKeypair(Invalid):
    text = "Keypair data is invalid: {reason}"


@dataclass(slots=True)
class MadeKey:
    private_key: str
    public_key: str
    fingerprint: str


def make(_user_id: str) -> MadeKey:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    ).decode()
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    text = f"{public.decode()} Generated-by-Celaje"
    return MadeKey(private, text, fingerprint(text))


def fingerprint(public_key: str) -> str:
    """Raises InvalidKeypair."""
    try:
        serialization.load_ssh_public_key(public_key.encode())
        blob = base64.b64decode(public_key.split()[1])
    except (ValueError, IndexError, UnsupportedAlgorithm, binascii.Error) as error:
        raise InvalidKeypair(reason="failed to generate fingerprint") from error
    return colons(hashlib.md5(blob, usedforsecurity=False).digest())


def colons(digest: bytes) -> str:
    return ":".join(f"{byte:02x}" for byte in digest)
