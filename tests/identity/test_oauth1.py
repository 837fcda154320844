"""OAuth1's way from consumer to token, each request signed as RFC 5849 says."""

import base64
import hmac
import itertools
from urllib.parse import parse_qsl, quote

import pytest
from tests.cloud import Client

from celaje.common import clock
from celaje.common.tokens import seconds
from celaje.identity.login.signature import base_string

NONCES = itertools.count()


def test_base_string_is_that_of_the_rfc():
    pairs = [
        ("oauth_consumer_key", "9djdj82h48djs9d2"),
        ("oauth_token", "kkk9d7dh3k39sjv7"),
        ("oauth_signature_method", "HMAC-SHA1"),
        ("oauth_timestamp", "137131201"),
        ("oauth_nonce", "7d8f3e4a"),
        ("c2", ""),
        ("a3", "2 q"),
    ]
    text = base_string("post", "http://EXAMPLE.COM:80/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b", pairs)
    assert text == (
        "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26"
        "c%2540%3D%26c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26"
        "oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7"
    )


class Signer:
    def __init__(self, identity, consumer):
        self.identity = identity
        self.consumer = consumer
        answer = identity.anonymous.get("/v3").ok()["version"]["links"][0]["href"]
        self.root = answer.removesuffix("/v3/")

    def headers(self, path, token="", token_secret="", **more):
        pairs = {
            "oauth_consumer_key": self.consumer["id"],
            "oauth_signature_method": "HMAC-SHA1",
            "oauth_timestamp": str(int(seconds(clock.now()))),
            "oauth_nonce": str(next(NONCES)),
            **({"oauth_token": token} if token else {}),
            **more,
        }
        text = base_string("POST", self.root + path, list(pairs.items()))
        key = f"{self.consumer['secret']}&{token_secret}".encode()
        pairs["oauth_signature"] = base64.b64encode(hmac.digest(key, text.encode(), "sha1")).decode()
        listed = ", ".join(f'{name}="{quote(value, safe="")}"' for name, value in pairs.items())
        return {"Authorization": f"OAuth {listed}"}

    def post(self, path, extra=None, body=None, **token):
        headers = {**self.headers(path, **token), **(extra or {})}
        return self.identity.anonymous.post(path, body, headers=headers)


@pytest.fixture
def signer(identity):
    made = identity.admin.post("/v3/OS-OAUTH1/consumers", {"consumer": {"description": "c"}})
    return Signer(identity, made.ok(201)["consumer"])


def request_token(identity, signer):
    project = identity.find("project", "admin")["id"]
    answer = signer.post("/v3/OS-OAUTH1/request_token", {"Requested-Project-Id": project})
    assert answer.status == 201, answer.body
    return dict(parse_qsl(answer.body.decode()))


def access_token(identity, signer):
    asked = request_token(identity, signer)
    path = f"/v3/OS-OAUTH1/authorize/{asked['oauth_token']}"
    verifier = identity.admin.put(path, {"roles": [{"name": "reader"}]}).ok()["token"]["oauth_verifier"]
    answer = signer.post(
        "/v3/OS-OAUTH1/access_token",
        token=asked["oauth_token"],
        token_secret=asked["oauth_token_secret"],
        oauth_verifier=verifier,
    )
    assert answer.status == 201, answer.body
    return dict(parse_qsl(answer.body.decode()))


def login(signer, access):
    return signer.post(
        "/v3/auth/tokens",
        body={"auth": {"identity": {"methods": ["oauth1"], "oauth1": {}}}},
        token=access["oauth_token"],
        token_secret=access["oauth_token_secret"],
    )


def test_the_whole_way(identity, signer):
    access = access_token(identity, signer)
    answer = login(signer, access)
    token = answer.ok(201)["token"]
    assert token["methods"] == ["oauth1"]
    assert [role["name"] for role in token["roles"]] == ["reader"]
    assert token["OS-OAUTH1"] == {
        "access_token_id": access["oauth_token"],
        "consumer_id": signer.consumer["id"],
    }
    user_id = token["user"]["id"]
    path = f"/v3/users/{user_id}/OS-OAUTH1/access_tokens"
    (listed,) = identity.admin.get(path).ok()["access_tokens"]
    assert listed["id"] == access["oauth_token"]
    assert [r["name"] for r in identity.admin.get(f"{path}/{listed['id']}/roles").ok()["roles"]] == ["reader"]
    identity.admin.delete(f"{path}/{listed['id']}").ok(204)
    held = Client(identity.cloud.transport_to("identity"), answer.headers["x-subject-token"])
    assert held.get("/v3/auth/projects").status == 401
    assert login(signer, access).status == 404


def test_a_wrong_secret_is_no_signature(identity, signer):
    access = access_token(identity, signer)
    access["oauth_token_secret"] = "other"
    assert login(signer, access).status == 401
    signer.consumer["secret"] = "other"
    project = identity.find("project", "admin")["id"]
    answer = signer.post("/v3/OS-OAUTH1/request_token", {"Requested-Project-Id": project})
    assert answer.status == 401


def test_request_token_needs_consumer_project_and_header(identity, signer):
    path = "/v3/OS-OAUTH1/request_token"
    assert signer.post(path).status == 400
    assert signer.post(path, {"Requested-Project-Id": "no"}).status == 404
    assert identity.anonymous.post(path).status == 400
    stale = signer.headers(path, oauth_timestamp="1")
    project = identity.find("project", "admin")["id"]
    answer = identity.anonymous.post(path, headers={**stale, "Requested-Project-Id": project})
    assert answer.status == 401


def test_deleting_the_consumer_ends_its_tokens(identity, signer):
    answer = login(signer, access_token(identity, signer))
    identity.admin.delete(f"/v3/OS-OAUTH1/consumers/{signer.consumer['id']}").ok(204)
    held = Client(identity.cloud.transport_to("identity"), answer.headers["x-subject-token"])
    assert held.get("/v3/auth/projects").status == 401


def test_secrets_of_consumers_are_shown_once_and_stay(identity, signer):
    path = f"/v3/OS-OAUTH1/consumers/{signer.consumer['id']}"
    assert "secret" not in identity.admin.get(path).ok()["consumer"]
    assert identity.patch(path, {"consumer": {"secret": "mine"}}).status == 400
    changed = identity.patch(path, {"consumer": {"description": "d"}}).ok()["consumer"]
    assert changed["description"] == "d"
