"""The metadata of this cloud as an identity provider: what a service provider has to know to trust it."""

import base64
from typing import Any

from celaje.identity.saml import names
from celaje.identity.saml.assertions import read
from celaje.identity.saml.names import SamlUnavailable, document, element

_BY_URI = "urn:oasis:names:tc:SAML:2.0:bindings:URI"
_TRANSIENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"


def metadata(saml: Any) -> bytes:
    """The file that [saml] names, or else what its options say. Raises SamlUnavailable."""
    if saml.idp_metadata_path:
        return read(saml.idp_metadata_path, "idp_metadata_path")
    for option in ("idp_entity_id", "idp_sso_endpoint"):
        if not saml[option]:
            raise SamlUnavailable(reason=f"[saml] {option} is not set")
    descriptor = element(
        "md:IDPSSODescriptor",
        element(
            "md:KeyDescriptor",
            element(
                "ds:KeyInfo",
                element("ds:X509Data", element("ds:X509Certificate", text=_certificate(saml))),
            ),
            use="signing",
        ),
        element("md:NameIDFormat", text=_TRANSIENT),
        element("md:SingleSignOnService", Binding=_BY_URI, Location=saml.idp_sso_endpoint),
        protocolSupportEnumeration=names.PROTOCOL,
    )
    root = element("md:EntityDescriptor", descriptor, entityID=saml.idp_entity_id)
    root.extend([*_organization(saml), *_contact(saml)])
    return document(root)


def _certificate(saml: Any) -> str:
    """Base64 of its DER, without PEM's lines around it."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    try:
        found = x509.load_pem_x509_certificate(read(saml.certfile, "certfile"))
    except ValueError as error:
        raise SamlUnavailable(reason="[saml] certfile holds no certificate") from error
    return base64.b64encode(found.public_bytes(Encoding.DER)).decode()


def _organization(saml: Any) -> list[Any]:
    given = {
        "OrganizationName": saml.idp_organization_name,
        "OrganizationDisplayName": saml.idp_organization_display_name,
        "OrganizationURL": saml.idp_organization_url,
    }
    if None in given.values():
        return []
    parts = [_spoken(f"md:{name}", value, saml.idp_lang) for name, value in given.items()]
    return [element("md:Organization", *parts)]


def _spoken(name: str, text: str, language: str) -> Any:
    made = element(name, text=text)
    made.set("{http://www.w3.org/XML/1998/namespace}lang", language)
    return made


def _contact(saml: Any) -> list[Any]:
    given = {
        "Company": saml.idp_contact_company,
        "GivenName": saml.idp_contact_name,
        "SurName": saml.idp_contact_surname,
        "EmailAddress": saml.idp_contact_email,
        "TelephoneNumber": saml.idp_contact_telephone,
    }
    if None in given.values():
        return []
    parts = [element(f"md:{name}", text=value) for name, value in given.items()]
    return [element("md:ContactPerson", *parts, contactType=saml.idp_contact_type)]
