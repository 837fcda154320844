"""Keystone to Keystone: this cloud's assertions, their signature, and another cloud that takes them."""

import datetime
import sys

import pytest
import signxml
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from lxml import etree
from tests.cloud import LabCloud
from tests.identity.conftest import CHEAP, Identity

ENTITY = "https://here/v3/OS-FEDERATION/saml2/idp"
FEDERATION = "/v3/OS-FEDERATION"
ASSERTION = "/v3/auth/OS-FEDERATION/saml2"
NAMES = {
    "saml": "urn:oasis:names:tc:SAML:2.0:assertion",
    "samlp": "urn:oasis:names:tc:SAML:2.0:protocol",
    "md": "urn:oasis:names:tc:SAML:2.0:metadata",
    "ds": "http://www.w3.org/2000/09/xmldsig#",
    "soap": "http://schemas.xmlsoap.org/soap/envelope/",
    "ecp": "urn:oasis:names:tc:SAML:2.0:profiles:SSO:ecp",
}


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A key and its certificate, as files."""
    folder = tmp_path_factory.mktemp("saml")
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "here")])
    day = datetime.timedelta(days=1)
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .sign(key, hashes.SHA256())
    )
    (folder / "key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / "certificate").write_bytes(certificate.public_bytes(Encoding.PEM))
    return folder


@pytest.fixture
def here(identity, pair):
    """A cloud that signs, with service provider `there` and a project's token."""
    conf = identity.service.conf
    conf.set_override("keyfile", str(pair / "key"), "saml")
    conf.set_override("certfile", str(pair / "certificate"), "saml")
    conf.set_override("idp_entity_id", ENTITY, "saml")
    conf.set_override("idp_sso_endpoint", f"{ENTITY}/sso", "saml")
    provider = {"auth_url": "https://there/auth", "sp_url": "https://there/sp", "enabled": True}
    identity.admin.put(f"{FEDERATION}/service_providers/there", {"service_provider": provider}).ok(201)
    return identity


def ask(identity, token, path=ASSERTION, provider="there"):
    auth = {
        "identity": {"methods": ["token"], "token": {"id": token}},
        "scope": {"service_provider": {"id": provider}},
    }
    return identity.anonymous.post(path, {"auth": auth})


def verified(answer, pair):
    """The assertion, of which the signature holds."""
    certificate = (pair / "certificate").read_text()
    root = etree.fromstring(answer.body)
    assertion = root.find(".//saml:Assertion", NAMES)
    return (
        signxml.XMLVerifier()
        .verify(etree.tostring(assertion), x509_cert=certificate, id_attribute="ID")
        .signed_xml
    )


def attributes_of(assertion):
    return {
        each.get("Name"): [value.text for value in each.findall("saml:AttributeValue", NAMES)]
        for each in assertion.findall(".//saml:Attribute", NAMES)
    }


def test_an_assertion_is_signed_and_says_who_and_what(here, pair):
    group = here.make("group", name="staff")["id"]
    admin = here.find("user", "admin")["id"]
    here.admin.put(f"/v3/groups/{group}/users/{admin}").ok(204)
    answer = ask(here, here.admin.token)
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/xml"
    assert answer.headers["x-sp-url"] == "https://there/sp"
    assert answer.headers["x-auth-url"] == "https://there/auth"
    root = etree.fromstring(answer.body)
    assert root.tag == f"{{{NAMES['samlp']}}}Response"
    assert root.get("Destination") == "https://there/sp"
    assertion = verified(answer, pair)
    assert assertion.find("saml:Issuer", NAMES).text == ENTITY
    assert assertion.find("saml:Subject/saml:NameID", NAMES).text == "admin"
    found = attributes_of(assertion)
    assert found.pop("openstack_roles") == ["admin", "manager", "member", "reader"]
    assert found == {
        "openstack_user": ["admin"],
        "openstack_project": ["admin"],
        "openstack_project_domain": ["Default"],
        "openstack_user_domain": ["Default"],
        "openstack_groups": ['JSON:{"name":"staff","domain":{"name":"Default"}}'],
    }


def test_a_changed_assertion_does_not_hold(here, pair):
    answer = ask(here, here.as_user("demo", scope="demo").token)
    verified(answer, pair)
    answer.body = answer.body.replace(b">demo<", b">admin<")
    with pytest.raises(signxml.exceptions.InvalidSignature):
        verified(answer, pair)


def test_the_envelope_of_an_enhanced_client(here, pair):
    answer = ask(here, here.admin.token, f"{ASSERTION}/ecp")
    root = etree.fromstring(answer.body)
    assert root.tag == f"{{{NAMES['soap']}}}Envelope"
    assert root.find("soap:Header/ecp:RelayState", NAMES).text.startswith("ss:mem:")
    assert root.find("soap:Body/samlp:Response", NAMES) is not None
    verified(answer, pair)


def test_another_cloud_takes_what_the_assertion_says(here, pair, tmp_path):
    """As its web server's module does: it checks the signature and hands the attributes on."""
    answer = ask(here, here.as_user("demo", scope="demo").token)
    found = attributes_of(verified(answer, pair))
    other = LabCloud.at(tmp_path / "other", {"identity": CHEAP}, services=("identity",)).begin()
    try:
        there = Identity(other)
        conf = there.service.conf
        conf.set_override("assertion_prefix", "HTTP_SAML_", "federation")
        conf.set_override("remote_id_attribute", "HTTP_SAML_ISSUER", "federation")
        rules = [
            {
                "local": [
                    {"user": {"name": "{0}"}},
                    {"projects": [{"name": "from {1}", "roles": [{"name": "member"}]}]},
                ],
                "remote": [
                    {"type": "HTTP_SAML_USER"},
                    {"type": "HTTP_SAML_PROJECT"},
                    {"type": "HTTP_SAML_ROLES", "any_one_of": ["member"]},
                ],
            }
        ]
        admin = there.admin
        admin.put(f"{FEDERATION}/mappings/m", {"mapping": {"rules": rules}}).ok(201)
        provider = {"identity_provider": {"enabled": True, "remote_ids": [ENTITY]}}
        admin.put(f"{FEDERATION}/identity_providers/here", provider).ok(201)
        protocol = f"{FEDERATION}/identity_providers/here/protocols/saml2"
        admin.put(protocol, {"protocol": {"mapping_id": "m"}}).ok(201)
        shown = {
            "SAML-Issuer": ENTITY,
            "SAML-User": found["openstack_user"][0],
            "SAML-Project": found["openstack_project"][0],
            "SAML-Roles": ";".join(found["openstack_roles"]),
        }
        login = there.anonymous.post(f"{protocol}/auth", headers=shown)
        assert login.ok(201)["token"]["user"]["name"] == "demo"
        seen = there.client(login).get("/v3/auth/projects").ok()["projects"]
        assert [each["name"] for each in seen] == ["from demo"]
    finally:
        other.stop(grace=1)


def test_what_is_refused(here):
    unscoped = here.as_user(scope="unscoped")
    assert ask(here, unscoped.token).status == 403
    assert ask(here, "none").status == 404
    assert ask(here, here.admin.token, provider="nowhere").status == 404
    here.patch(f"{FEDERATION}/service_providers/there", {"service_provider": {"enabled": False}}).ok()
    assert ask(here, here.admin.token).status == 403
    for body in ({}, {"auth": {}}, {"auth": {"identity": {"token": {"id": "x"}}}}):
        assert here.anonymous.post(ASSERTION, body).status == 400
    assert here.anonymous.get(ASSERTION).status == 405


def test_a_name_that_no_xml_can_hold(here):
    here.make_user("bell\u0007", domain_id="default")
    user = here.find("user", "bell%07")["id"]
    project, role = here.find("project", "demo")["id"], here.find("role", "member")["id"]
    here.grant(f"projects/{project}/users/{user}/roles/{role}")
    assert ask(here, here.as_user("bell\u0007", "pw", scope="demo").token).status == 400


def test_metadata(here, pair):
    answer = here.anonymous.get(f"{FEDERATION}/saml2/metadata")
    assert answer.headers["content-type"] == "text/xml"
    root = etree.fromstring(answer.body)
    assert root.get("entityID") == ENTITY
    certificate = root.find(".//ds:X509Certificate", NAMES).text
    lines = (pair / "certificate").read_text().split("-----")[2].split()
    assert certificate == "".join(lines)
    service = root.find(".//md:SingleSignOnService", NAMES)
    assert service.get("Location") == f"{ENTITY}/sso"
    assert root.find("md:Organization", NAMES) is None
    conf = here.service.conf
    conf.set_override("idp_organization_url", "https://here", "saml")
    for name in ("company", "name", "surname", "email", "telephone"):
        conf.set_override(f"idp_contact_{name}", name, "saml")
    root = etree.fromstring(here.anonymous.get(f"{FEDERATION}/saml2/metadata").body)
    assert root.find("md:Organization/md:OrganizationURL", NAMES).text == "https://here"
    assert root.find("md:ContactPerson/md:EmailAddress", NAMES).text == "email"
    (pair / "metadata").write_text("<own/>")
    conf.set_override("idp_metadata_path", str(pair / "metadata"), "saml")
    assert here.anonymous.get(f"{FEDERATION}/saml2/metadata").body == b"<own/>"


def test_what_is_not_set_up_is_said(here, pair, monkeypatch):
    conf = here.service.conf
    token = here.admin.token
    (pair / "noise").write_text("noise")
    for option, value in (
        ("keyfile", None),
        ("keyfile", str(pair / "absent")),
        ("keyfile", str(pair / "noise")),
        ("certfile", str(pair / "noise")),
        ("idp_entity_id", None),
    ):
        conf.set_override(option, value, "saml")
        answer = ask(here, token)
        assert answer.status == 501
        assert option in answer.body["error"]["message"] or "noise" in str(value)
        good = {"keyfile": str(pair / "key"), "certfile": str(pair / "certificate"), "idp_entity_id": ENTITY}
        conf.set_override(option, good[option], "saml")
    monkeypatch.setitem(sys.modules, "signxml", None)
    assert "celaje[saml]" in ask(here, token).body["error"]["message"]
    monkeypatch.undo()
    conf.set_override("idp_sso_endpoint", None, "saml")
    assert here.anonymous.get(f"{FEDERATION}/saml2/metadata").status == 501
