"""Self-made certificates in a folder: an authority's, a server's at 127.0.0.1, a client's, a stranger's."""

import datetime
import ipaddress
import ssl
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


class _Authority:
    def __init__(self, name: str):
        self.name = name
        self._key = ec.generate_private_key(ec.SECP256R1())

    def certificate(self) -> bytes:
        return self._sign(self.name, self._key, authority=True)

    def issue(self, folder: Path, name: str, address: str | None = None) -> None:
        """`name`.pem and `name`.key."""
        key = ec.generate_private_key(ec.SECP256R1())
        (folder / f"{name}.pem").write_bytes(self._sign(name, key, address=address))
        file = folder / f"{name}.key"
        file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )

    def _sign(self, name: str, key: Any, *, authority: bool = False, address: str | None = None) -> bytes:
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(_called(name))
            .issuer_name(_called(self.name))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if address is not None:
            names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
            builder = builder.add_extension(names, critical=False)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _called(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


def certificates(folder: Path) -> ssl.SSLContext:
    """ca.pem; server.pem and .key, client.pem and .key by it; stranger.pem and .key by stranger-ca.pem. The
    context that trusts ca.pem."""
    authority, stranger = _Authority("authority"), _Authority("stranger authority")
    (folder / "ca.pem").write_bytes(authority.certificate())
    authority.issue(folder, "server", "127.0.0.1")
    authority.issue(folder, "client")
    (folder / "stranger-ca.pem").write_bytes(stranger.certificate())
    stranger.issue(folder, "stranger")
    return ssl.create_default_context(cafile=str(folder / "ca.pem"))
