"""A client's TLS certificate as the proof of who it is (RFC 8705, OAuth 2.0 mutual TLS), for `api/oauth2.py`.

Whoever ends TLS in front has checked it and hands it on (`common/client_certificate.py`). A mapping says
which names in it must be the user's.
"""

from typing import Any

from cryptography import x509
from cryptography.x509.oid import NameOID

from celaje.common import client_certificate
from celaje.common.db import Transaction
from celaje.common.errors import CelajeError
from celaje.identity import mappings
from celaje.identity.db import federation, logins, users
from celaje.identity.errors import LoginFailed
from celaje.identity.login import people
from celaje.identity.login.proof import Proof

Row = dict[str, Any]

# Where Keystone's names differ from those of RFC 4514.
_NAMES = {NameOID.EMAIL_ADDRESS: "EMAILADDRESS", NameOID.USER_ID: "UID"}


def prove(service: Any, client_id: str, text: str) -> Proof:
    """The user of that id, whose default project the token is to be for. Raises LoginFailed."""

    def query(tx: Transaction) -> tuple[Row | None, Row | None, Row | None]:
        return (
            logins.user(tx, client_id),
            users.find(tx, client_id),
            federation.find_mapping(tx, service.conf.oauth2.oauth2_cert_dn_mapping_id),
        )

    try:
        certificate = client_certificate.parsed(text)
    except ValueError as error:
        raise LoginFailed(cause=str(error)) from error
    names = distinguished_names(certificate)
    user, stored, mapping = service.database.read(query)
    if user is None or stored is None or not user["default_project_id"]:
        raise LoginFailed(cause=f"no user {client_id[:64]} with a default project")
    if mapping is None:
        raise LoginFailed(cause="the mapping of [oauth2] oauth2_cert_dn_mapping_id is not there")
    try:
        asked = mappings.evaluate(mapping["rules"], mapping["schema_version"], names).user
    except CelajeError as error:
        raise LoginFailed(cause=f"the certificate's names fit no rule: {error.message}") from error
    domain = asked.get("domain") or {}
    for wanted, is_so in (
        (asked.get("name"), user["name"]),
        (asked.get("id"), user["id"]),
        (asked.get("email"), stored["extra"].get("email")),
        (domain.get("id"), user["domain_id"]),
        (domain.get("name"), user["domain_name"]),
    ):
        if wanted and wanted != is_so:
            raise LoginFailed(cause=f"the certificate names {wanted}, the user has {is_so}")
    people.check_usable(user)
    return Proof(
        user,
        ("oauth2_credential",),
        project_id=user["default_project_id"],
        thumbprint=client_certificate.thumbprint(certificate),
    )


def distinguished_names(certificate: x509.Certificate) -> dict[str, str]:
    """`SSL_CLIENT_SUBJECT_DN_CN` and its like, as mappings read them."""
    found = {}
    for kind, name in (("SUBJECT", certificate.subject), ("ISSUER", certificate.issuer)):
        for item in name:
            short = _NAMES.get(item.oid) or item.rfc4514_attribute_name.upper()
            found[f"SSL_CLIENT_{kind}_DN_{short}"] = str(item.value)
    return found
