"""Making and reading the X.509 certificates of key pairs, with which WinRM knows a user.

Called by the key pair handlers, imported at their first certificate: few clouds ever see one. The
fingerprint is the certificate's SHA-1, as Nova prints it.
"""

import base64
import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from celaje.common import clock
from celaje.compute.keys import InvalidKeypair, MadeKey, colons

# The user principal name by which Windows maps a client certificate to an account.
_UPN = ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")


def make(user_id: str) -> MadeKey:
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
    return MadeKey(base64.b64encode(archive).decode(), public, fingerprint(public))


def _der_length(length: int) -> bytes:
    if length < 128:
        return bytes([length])
    data = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(data)]) + data


def fingerprint(pem: str) -> str:
    """Raises InvalidKeypair."""
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
    except ValueError as error:
        raise InvalidKeypair(reason=f"failed to generate X509 fingerprint. Error message: {error}") from error
    return colons(certificate.fingerprint(hashes.SHA1()))
