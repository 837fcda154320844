"""SAML assertions for other clouds: who the user of a token is and what they are here, signed.

Called by `api/saml.py`; signs with `signxml` and the key of [saml]. The attributes are those that Keystone
gives, so that a service provider's mapping works for both.
"""

import datetime
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from celaje.common import clock
from celaje.identity.saml.names import SamlUnavailable, element, library

Row = dict[str, Any]

_ENTITY = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity"
_BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
_PASSWORD = "urn:oasis:names:tc:SAML:2.0:ac:classes:Password"
_SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
_NEXT = "http://schemas.xmlsoap.org/soap/actor/next"


@dataclass(frozen=True)
class Issuer:
    """`key` and `certificate` are PEM."""

    entity_id: str
    key: bytes
    certificate: bytes
    lifetime: int

    @classmethod
    def from_conf(cls, saml: Any) -> "Issuer":
        """From the options of [saml]. Raises SamlUnavailable where one is missing."""
        if not saml.idp_entity_id:
            raise SamlUnavailable(reason="[saml] idp_entity_id is not set")
        return cls(
            saml.idp_entity_id,
            read(saml.keyfile, "keyfile"),
            read(saml.certfile, "certfile"),
            saml.assertion_expiration_time,
        )


def read(path: str | None, option: str) -> bytes:
    if not path:
        raise SamlUnavailable(reason=f"[saml] {option} is not set")
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise SamlUnavailable(reason=f"[saml] {option} cannot be read: {error.strerror}") from error


def response(issuer: Issuer, recipient: str, attributes: dict[str, list[str]]) -> Any:
    """The Response element for `recipient`, the service provider's URL. `attributes` are named as in
    Keystone, with `openstack_user` among them."""
    now = clock.now()
    until = _instant(now + datetime.timedelta(seconds=issuer.lifetime), exact=True)
    return element(
        "samlp:Response",
        _issuer(issuer),
        element("samlp:Status", element("samlp:StatusCode", Value=_SUCCESS)),
        _signed(issuer, _assertion(issuer, recipient, attributes, _instant(now), until)),
        ID=clock.new_uuid().replace("-", ""),
        Version="2.0",
        IssueInstant=_instant(now),
        Destination=recipient,
    )


def envelope(answer: Any, relay_state_prefix: str) -> Any:
    """The Response as an enhanced client hands it on: in SOAP, with a relay state."""
    relay_state = element(
        "ecp:RelayState",
        text=relay_state_prefix + clock.new_uuid().replace("-", ""),
        soap__actor=_NEXT,
        soap__mustUnderstand="1",
    )
    return element("soap:Envelope", element("soap:Header", relay_state), element("soap:Body", answer))


def _issuer(issuer: Issuer) -> Any:
    return element("saml:Issuer", text=issuer.entity_id, Format=_ENTITY)


def _assertion(issuer: Issuer, recipient: str, attributes: dict[str, list[str]], now: str, until: str) -> Any:
    confirmation = element("saml:SubjectConfirmationData", NotOnOrAfter=until, Recipient=recipient)
    context = element(
        "saml:AuthnContext",
        element("saml:AuthnContextClassRef", text=_PASSWORD),
        element("saml:AuthenticatingAuthority", text=issuer.entity_id),
    )
    statement = [
        element(
            "saml:Attribute",
            *(element("saml:AttributeValue", text=value, xsi__type="xs:string") for value in values),
            Name=name,
        )
        for name, values in attributes.items()
    ]
    return element(
        "saml:Assertion",
        _issuer(issuer),
        # The signature's place: the schema wants it right behind the issuer.
        element("ds:Signature", Id="placeholder"),
        element(
            "saml:Subject",
            element("saml:NameID", text=attributes["openstack_user"][0]),
            element("saml:SubjectConfirmation", confirmation, Method=_BEARER),
        ),
        element(
            "saml:AuthnStatement",
            context,
            AuthnInstant=now,
            SessionIndex=clock.new_uuid().replace("-", ""),
            SessionNotOnOrAfter=until,
        ),
        element("saml:AttributeStatement", *statement),
        ID=f"_{clock.new_uuid().replace('-', '')}",
        Version="2.0",
        IssueInstant=now,
    )


def _signed(issuer: Issuer, assertion: Any) -> Any:
    signxml = library("signxml")
    signer = signxml.XMLSigner(
        method=signxml.methods.enveloped,
        signature_algorithm="rsa-sha256",
        digest_algorithm="sha256",
        c14n_algorithm="http://www.w3.org/2001/10/xml-exc-c14n#",
    )
    try:
        return signer.sign(
            assertion,
            key=issuer.key,
            cert=issuer.certificate,
            reference_uri=f"#{assertion.get('ID')}",
            id_attribute="ID",
        )
    except (ValueError, TypeError, signxml.exceptions.SignXMLException) as error:
        raise SamlUnavailable(
            reason="[saml] keyfile and certfile do not hold an RSA key and its certificate"
        ) from error


def _instant(moment: datetime.datetime, *, exact: bool = False) -> str:
    return clock.iso(moment, microseconds=exact, zulu=True) or ""
