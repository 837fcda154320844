"""The TLS certificate of a request's client, as whoever ends TLS in front hands it on.

Asked by the token stage for tokens that are bound to one (RFC 8705), and by identity, which binds them. It
counts only where the operator says it stands: everybody can send headers.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

_LONGEST = 16384
_PEM = "-----BEGIN"


def shown(environ: Mapping[str, Any], variable: str) -> str | None:
    """The text in the WSGI environment's `variable`, if the request came with one."""
    text = environ.get(variable)
    return text if isinstance(text, str) and text.strip() else None


def parsed(text: str) -> x509.Certificate:
    """Of PEM as it is or escaped as in URLs (web servers, nginx), or of DER in base64 (HAProxy, and between
    colons RFC 9440). Raises ValueError."""
    if len(text) > _LONGEST:
        raise ValueError("the certificate is too long")
    # Proxies escape PEM in a header, whose lines could not hold it as it is.
    plain = (unquote(text) if "%" in text else text).strip()
    if plain.startswith(_PEM):
        return x509.load_pem_x509_certificate(plain.encode())
    try:
        return x509.load_der_x509_certificate(base64.b64decode(plain.strip(":"), validate=True))
    except binascii.Error as error:
        raise ValueError("the certificate is neither PEM nor DER in base64") from error


def thumbprint(certificate: x509.Certificate) -> str:
    """As keystonemiddleware compares it: of the PEM text as libraries write it, where RFC 8705 takes DER."""
    text = certificate.public_bytes(Encoding.PEM)
    return base64.urlsafe_b64encode(hashlib.sha256(text).digest()).decode()
