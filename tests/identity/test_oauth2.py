"""Tokens for application credentials by OAuth 2.0."""

import base64
import datetime
import hashlib
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from tests.cloud import LabCloud
from tests.identity.conftest import CHEAP, Identity

PATH = "/v3/OS-OAUTH2/token"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
PEER = "HTTP_X_PEER"


@pytest.fixture
def identity(tmp_path):
    """With another service beside it; a proxy in front of both hands on certificates."""
    peer = {("oauth2", "client_certificate_variable"): PEER}
    overrides = {"identity": {**CHEAP, **peer}, "volume": peer}
    cloud = LabCloud.at(tmp_path / "state", overrides, services=("identity", "volume")).begin()
    yield Identity(cloud)
    cloud.stop(1)


@pytest.fixture
def credential(identity):
    user_id = identity.find("user", "demo")["id"]
    made = identity.as_user("demo", scope="demo").post(
        f"/v3/users/{user_id}/application_credentials", {"application_credential": {"name": "c"}}
    )
    return made.ok(201)["application_credential"]


def ask(identity, form, **headers):
    return identity.anonymous.request("POST", PATH, raw=form.encode(), headers={**FORM, **headers})


def test_a_client_gets_a_token(identity, credential):
    shown = base64.b64encode(f"{credential['id']}:{credential['secret']}".encode()).decode()
    answer = ask(identity, "grant_type=client_credentials", Authorization=f"Basic {shown}")
    body = answer.ok()
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 3600)
    seen = identity.anonymous.get("/v3/auth/projects", headers={"X-Auth-Token": body["access_token"]})
    assert len(seen.ok()["projects"]) == 1
    form = f"grant_type=client_credentials&client_id={credential['id']}&client_secret={credential['secret']}"
    assert ask(identity, form).status == 200


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ("", 400, "invalid_request"),
        ("grant_type=password", 400, "unsupported_grant_type"),
        ("grant_type=client_credentials", 401, "invalid_client"),
        ("grant_type=client_credentials&client_id=a&client_secret=b", 401, "invalid_client"),
    ],
)
def test_refusals_are_oauths(identity, form, status, error):
    answer = ask(identity, form)
    assert (answer.status, answer.body["error"]) == (status, error)
    assert ("www-authenticate" in answer.headers) is (status == 401)


def test_what_is_not_base64_is_nobody(identity):
    answer = ask(identity, "grant_type=client_credentials", Authorization="Basic ???")
    assert answer.status == 401


@pytest.fixture
def robot(identity):
    """A user with a certificate of their name, and the mapping that asks for it."""
    rules = [
        {
            "local": [
                {
                    "user": {
                        "name": "{0}",
                        "id": "{1}",
                        "email": "{2}",
                        "domain": {"name": "{3}", "id": "{4}"},
                    }
                }
            ],
            "remote": [
                {"type": "SSL_CLIENT_SUBJECT_DN_CN"},
                {"type": "SSL_CLIENT_SUBJECT_DN_UID"},
                {"type": "SSL_CLIENT_SUBJECT_DN_EMAILADDRESS"},
                {"type": "SSL_CLIENT_SUBJECT_DN_O"},
                {"type": "SSL_CLIENT_SUBJECT_DN_DC"},
                {"type": "SSL_CLIENT_ISSUER_DN_CN", "any_one_of": ["authority"]},
            ],
        }
    ]
    mapping = {"mapping": {"rules": rules}}
    identity.admin.put("/v3/OS-FEDERATION/mappings/oauth2_mapping", mapping).ok(201)
    project = identity.find("project", "demo")["id"]
    user = identity.make_user("robot", email="robot@here", default_project_id=project)
    member = identity.find("role", "member")["id"]
    identity.grant(f"projects/{project}/users/{user['id']}/roles/{member}")
    return user


def certificate_of(user, issuer="authority", **other):
    """Self-made, as the proxy has accepted it."""
    values = {
        NameOID.COMMON_NAME: other.get("name", user["name"]),
        NameOID.USER_ID: other.get("id", user["id"]),
        NameOID.EMAIL_ADDRESS: other.get("email", "robot@here"),
        NameOID.ORGANIZATION_NAME: other.get("domain", "Default"),
        NameOID.DOMAIN_COMPONENT: other.get("domain_id", "default"),
    }
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(oid, value) for oid, value in values.items()]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(Encoding.PEM).decode()


def ask_with(identity, user_id, pem, header="X-Peer"):
    form = f"grant_type=client_credentials&client_id={user_id}"
    return ask(identity, form, **{header: quote(pem)})


def test_a_certificate_gets_a_token_that_is_bound_to_it(identity, robot):
    pem = certificate_of(robot)
    # With the lines' ends that a proxy makes of them.
    sealed = ask_with(identity, robot["id"], pem.replace("\n", "\r\n")).ok()["access_token"]
    shown = identity.admin.get("/v3/auth/tokens", headers={"X-Subject-Token": sealed}).ok()["token"]
    digest = hashlib.sha256(pem.encode()).digest()
    assert shown["oauth2_credential"] == {"x5t#S256": base64.urlsafe_b64encode(digest).decode()}
    assert shown["methods"] == ["oauth2_credential"]
    assert (shown["user"]["id"], shown["project"]["name"]) == (robot["id"], "demo")
    # It stands for less than its user: no further token is made of it.
    auth = {"identity": {"methods": ["token"], "token": {"id": sealed}}}
    assert identity.post_auth(auth).status == 403
    identity.patch(f"/v3/users/{robot['id']}", {"user": {"enabled": False}}).ok()
    assert ask_with(identity, robot["id"], pem).status == 401


def der(pem):
    return base64.b64encode(x509.load_pem_x509_certificate(pem.encode()).public_bytes(Encoding.DER)).decode()


def test_a_bound_token_is_nothing_without_its_certificate(identity, robot):
    pem = certificate_of(robot)
    sealed = ask_with(identity, robot["id"], pem).ok()["access_token"]
    project = identity.find("project", "demo")["id"]
    places = (
        (identity.anonymous, "/v3/auth/projects"),
        (identity.cloud.anonymous("volume"), f"/v3/{project}/volumes"),
    )
    for client, path in places:

        def asks(by="X-Auth-Token", client=client, path=path, **headers):
            token = {by: sealed if by == "X-Auth-Token" else f"Bearer {sealed}"}
            return client.get(path, headers={**token, **headers}).status

        # As nginx, HAProxy and RFC 9440 write it; as a client of OAuth 2.0 sends the token.
        for shown in (quote(pem), der(pem), f":{der(pem)}:"):
            assert asks(**{"X-Peer": shown}) == 200
        assert asks(by="Authorization", **{"X-Peer": der(pem)}) == 200
        assert asks() == asks(by="Authorization") == 401
        for other in (certificate_of(robot), "noise", "-----BEGIN CERTIFICATE-----", "é"):
            assert asks(**{"X-Peer": quote(other)}) == 401
        assert asks(**{"Ssl-Client-Cert": quote(pem)}) == 401


def test_what_a_service_does_for_its_user_needs_no_certificate(identity, robot):
    sealed = ask_with(identity, robot["id"], certificate_of(robot)).ok()["access_token"]
    service = identity.as_user("nova", scope="service").token
    asks = identity.cloud.anonymous("volume")
    path = f"/v3/{identity.find('project', 'demo')['id']}/volumes"
    assert asks.get(path, headers={"X-Auth-Token": sealed, "X-Service-Token": service}).status == 200
    demo = identity.as_user("demo", scope="demo").token
    assert asks.get(path, headers={"X-Auth-Token": sealed, "X-Service-Token": demo}).status == 401


@pytest.mark.parametrize(
    "other",
    [
        {"name": "another"},
        {"id": "another"},
        {"email": "another@here"},
        {"domain": "another"},
        {"domain_id": "another"},
        {"issuer": "nobody"},
    ],
)
def test_a_certificate_of_somebody_else_gets_none(identity, robot, other):
    answer = ask_with(identity, robot["id"], certificate_of(robot, **other))
    assert (answer.status, answer.body["error"]) == (401, "invalid_client")


def test_what_is_no_certificate_or_no_client_gets_none(identity, robot):
    pem = certificate_of(robot)
    for user_id, text in ((robot["id"], "noise"), ("nobody", pem), ("", pem), (robot["id"], pem * 40)):
        assert ask_with(identity, user_id, text).status == 401
    # A header that the operator has not named is anybody's.
    assert ask_with(identity, robot["id"], pem, header="Ssl-Client-Cert").status == 401
    identity.patch(f"/v3/users/{robot['id']}", {"user": {"default_project_id": None}}).ok()
    assert ask_with(identity, robot["id"], pem).status == 401


def test_certificates_count_only_where_they_are_accepted(identity, robot):
    pem = certificate_of(robot)
    identity.service.conf.set_override("oauth2_authn_methods", ["client_secret_basic"], "oauth2")
    assert ask_with(identity, robot["id"], pem).status == 401
    identity.service.conf.set_override("oauth2_authn_methods", ["tls_client_auth"], "oauth2")
    assert ask_with(identity, robot["id"], pem).status == 200
    identity.admin.delete("/v3/OS-FEDERATION/mappings/oauth2_mapping").ok(204)
    assert ask_with(identity, robot["id"], pem).status == 401
