"""Namespaces and names of SAML 2.0, and the elements made of them; for the modules beside it.

Source: OASIS saml-core-2.0-os, saml-metadata-2.0-os, saml-profiles-2.0-os (ECP).
"""

from typing import Any

from celaje.common.errors import NotImplementedHere
from celaje.identity.errors import Invalid

ASSERTION = "urn:oasis:names:tc:SAML:2.0:assertion"
PROTOCOL = "urn:oasis:names:tc:SAML:2.0:protocol"
METADATA = "urn:oasis:names:tc:SAML:2.0:metadata"
ECP = "urn:oasis:names:tc:SAML:2.0:profiles:SSO:ecp"
SIGNATURE = "http://www.w3.org/2000/09/xmldsig#"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
SCHEMA = "http://www.w3.org/2001/XMLSchema"
INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
PREFIXES = {
    "saml": ASSERTION,
    "samlp": PROTOCOL,
    "md": METADATA,
    "ecp": ECP,
    "ds": SIGNATURE,
    "soap": SOAP,
    "xs": SCHEMA,
    "xsi": INSTANCE,
}


class SamlUnavailable(NotImplementedHere):
    """What the operator has not set up; the words say what is missing."""

    text = "This cloud makes no SAML assertions: {reason}."


def library(name: str) -> Any:
    """A module of the extra `saml`, which most clouds do without. Raises SamlUnavailable."""
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise SamlUnavailable(reason="install celaje[saml] (signxml) on the identity service") from error


def element(qualified: str, *children: Any, text: str | None = None, **attributes: str) -> Any:
    """`element("saml:Issuer", text=...)`. A name of an attribute may have a prefix too: `xsi__type`.
    Raises Invalid for what XML cannot hold."""
    etree = library("lxml.etree")
    prefix, _, name = qualified.partition(":")
    made = etree.Element(f"{{{PREFIXES[prefix]}}}{name}", nsmap=_declared(prefix, attributes))
    try:
        for key, value in attributes.items():
            outer, _, inner = key.partition("__")
            made.set(f"{{{PREFIXES[outer]}}}{inner}" if inner else key, value)
        made.text = text
    except ValueError as error:
        raise Invalid("A name has characters that no XML document can hold.") from error
    made.extend(children)
    return made


def _declared(prefix: str, attributes: dict[str, str]) -> dict[str, str]:
    used = {prefix, *(key.partition("__")[0] for key in attributes if "__" in key)}
    # A value may name one as well: xsi:type="xs:string".
    used |= {"xs"} if "xsi" in used else set()
    return {each: PREFIXES[each] for each in sorted(used)}


def document(root: Any) -> bytes:
    found: bytes = library("lxml.etree").tostring(root, xml_declaration=True, encoding="UTF-8")
    return found
