"""EC2 credentials, and tokens for requests that were signed with them."""

import base64
import hashlib
import hmac

import pytest

from celaje.identity.login.aws import ec2_signature

V4 = {
    "host": "example.com:80",
    "verb": "GET",
    "path": "/",
    "params": {"Action": "Test", "Name": "a b"},
    "headers": {
        "X-Amz-Date": "20300101T000000Z",
        "Authorization": "AWS4-HMAC-SHA256 Credential=a/20300101/us-east-1/iam/aws4_request,"
        "SignedHeaders=host;x-amz-date,Signature=ced",
    },
    "body_hash": hashlib.sha256(b"").hexdigest(),
}
V2 = {
    "SignatureVersion": "2",
    "SignatureMethod": "HmacSHA256",
    "AWSAccessKeyId": "a",
    "Timestamp": "2030-01-01T00:00:00Z",
    "Action": "Describe All",
}


@pytest.mark.parametrize(
    ("shown", "signature"),
    [
        (
            {"params": {"SignatureVersion": "0", "Action": "X", "Timestamp": "t"}},
            "w4JZuwP69x8T8GUD/ooxvl6iSyU=",
        ),
        ({"params": {"SignatureVersion": "1", "Action": "X", "b": "2"}}, "2x9SijIfLP2I1tSt38bu0a5h5sI="),
        (
            {"host": "127.0.0.1:8773", "verb": "GET", "path": "/v1/", "params": V2},
            "DHgFBoN6j7T/gZ2nUSIBubf/VMNM41IQxqFjF1+FFB8=",
        ),
        (V4, "b5677ea2e2b882b10124398fdcf9097053030e2189819f322092e314bb55f2e6"),
        (
            {**V4, "verb": "POST"},
            "3c85a81cb20f3c18c2b36bf40f17100a5543ae9a801468fc9d1c31da7f2141c5",
        ),
    ],
)
def test_signatures_are_those_of_keystones_clients(shown, signature):
    assert ec2_signature("secret-of-the-key", shown) == signature


@pytest.fixture
def made(identity):
    admin = identity.admin
    user = identity.find("user", "admin")["id"]
    project = identity.find("project", "admin")["id"]
    path = f"/v3/users/{user}/credentials/OS-EC2"
    body = admin.post(path, {"tenant_id": project}).ok(201)["credential"]
    return {"path": path, **body}


def signed(made, **changes):
    shown = {
        "access": made["access"],
        "host": "here:8773",
        "verb": "GET",
        "path": "/",
        "params": {**V2, "AWSAccessKeyId": made["access"], **changes.pop("params", {})},
        **changes,
    }
    shown["signature"] = ec2_signature(made["secret"], shown)
    return shown


def test_a_signed_request_gets_a_token(identity, made):
    answer = identity.admin.post("/v3/ec2tokens", {"credentials": signed(made)})
    token = answer.ok(200)["token"]
    assert token["project"]["id"] == made["tenant_id"]
    assert token["methods"] == ["ec2credential"]
    # It is no way to other tokens, nor to secrets.
    sealed = answer.headers["x-subject-token"]
    auth = {"identity": {"methods": ["token"], "token": {"id": sealed}}}
    assert identity.post_auth(auth).status == 403
    assert identity.anonymous.get(made["path"], headers={"X-Auth-Token": sealed}).status == 403


def test_wrong_late_and_unknown_requests_are_refused(identity, made):
    post = identity.admin.post
    assert post("/v3/ec2tokens", {"credentials": {**signed(made), "signature": "x"}}).status == 401
    late = signed(made, params={"Timestamp": "2001-01-01T00:00:00Z"})
    assert post("/v3/ec2tokens", {"credentials": late}).status == 401
    assert post("/v3/ec2tokens", {"credentials": {**signed(made), "access": "other"}}).status == 404
    assert post("/v3/ec2tokens", {}).status == 400
    assert post("/v3/ec2tokens", {"credentials": {}}).status == 401
    assert identity.anonymous.post("/v3/ec2tokens", {"credentials": signed(made)}).status == 401


def test_s3_requests_are_signed_as_text(identity, made):
    text = b"GET\n\n\n\n/bucket"
    digest = hmac.digest(made["secret"].encode(), text, "sha1")
    shown = {
        "access": made["access"],
        "token": base64.urlsafe_b64encode(text).decode(),
        "signature": base64.b64encode(digest).decode(),
    }
    token = identity.admin.post("/v3/s3tokens", {"credentials": shown}).ok(200)["token"]
    assert token["project"]["id"] == made["tenant_id"]
    wrong = {**shown, "signature": "x"}
    assert identity.admin.post("/v3/s3tokens", {"credentials": wrong}).status == 401


def test_users_manage_their_own(identity, made):
    one = f"{made['path']}/{made['access']}"
    assert identity.admin.get(one).ok()["credential"]["secret"] == made["secret"]
    assert [each["access"] for each in identity.admin.get(made["path"]).ok()["credentials"]] == [
        made["access"]
    ]
    identity.make_user("uma")
    uma = identity.as_user("uma", "pw", "unscoped")
    assert uma.get(one).status == 403
    identity.admin.delete(one).ok(204)
    assert identity.admin.get(one).status in (403, 404)


def test_what_bounds_a_credential_stays(identity, made):
    credential_id = hashlib.sha256(made["access"].encode()).hexdigest()
    blob = {"access": made["access"], "secret": "s", "trust_id": "t"}
    answer = identity.patch(f"/v3/credentials/{credential_id}", {"credential": {"blob": blob}})
    assert answer.status == 400
