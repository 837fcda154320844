"""Key pairs: through the API of a small cloud."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from tests.compute.resources.speaking import message, name, speaking

# ssh-keygen's own words for the key: MD5 of its blob.
PUBLIC_KEY = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl someone@somewhere"
)
FINGERPRINT = "65:96:2d:fc:e8:d5:a9:11:64:0c:0f:ea:00:6e:5b:bd"


def test_a_key_pair_is_imported(user):
    key = name()
    made = user.post("/v2.1/os-keypairs", {"keypair": {"name": key, "public_key": PUBLIC_KEY}}).ok(200)[
        "keypair"
    ]
    assert set(made) == {"name", "public_key", "fingerprint", "user_id"}
    assert made["fingerprint"] == FINGERPRINT
    shown = speaking(user, "2.2").get(f"/v2.1/os-keypairs/{key}").ok()["keypair"]
    assert shown["type"] == "ssh"
    assert {"id", "created_at", "deleted", "deleted_at", "updated_at"} < set(shown)
    twice = user.post("/v2.1/os-keypairs", {"keypair": {"name": key, "public_key": PUBLIC_KEY}})
    assert (twice.status, message(twice)) == (409, f"Key pair '{key}' already exists.")
    assert user.delete(f"/v2.1/os-keypairs/{key}").status == 202
    assert speaking(user, "2.2").delete(f"/v2.1/os-keypairs/{key}").status == 404


def test_a_key_pair_is_made_before_2_92(user):
    key = name()
    made = speaking(user, "2.2").post("/v2.1/os-keypairs", {"keypair": {"name": key}}).ok(201)["keypair"]
    private = serialization.load_pem_private_key(made["private_key"].encode(), None)
    public = private.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    assert made["public_key"].startswith(public.decode())
    assert "private_key" not in user.get(f"/v2.1/os-keypairs/{key}").ok()["keypair"]
    assert speaking(user, "2.92").post("/v2.1/os-keypairs", {"keypair": {"name": name()}}).status == 400
    assert speaking(user, "2.2").delete(f"/v2.1/os-keypairs/{key}").status == 204


def test_an_x509_key_pair(user):
    body = {"keypair": {"name": name(), "type": "x509"}}
    made = speaking(user, "2.2").post("/v2.1/os-keypairs", body).ok(201)["keypair"]
    certificate = x509.load_pem_x509_certificate(made["public_key"].encode())
    assert certificate.subject.rfc4514_string() == f"CN={made['user_id']}"
    assert len(made["fingerprint"]) == 59
    imported = {"name": name(), "type": "x509", "public_key": made["public_key"]}
    again = speaking(user, "2.2").post("/v2.1/os-keypairs", {"keypair": imported}).ok(201)["keypair"]
    assert again["fingerprint"] == made["fingerprint"]


@pytest.mark.parametrize(
    "change",
    [
        {"public_key": "nonsense"},
        {"public_key": "ssh-rsa AAAA"},
        {"public_key": ""},
        {"name": "a/b"},
        {"name": " a"},
        {"name": "a.b"},
        {"type": "ssh"},
        {"user_id": "u"},
    ],
)
def test_bad_key_pairs(user, change):
    body = {"name": name(), "public_key": PUBLIC_KEY, **change}
    assert user.post("/v2.1/os-keypairs", {"keypair": body}).status == 400


def test_key_pairs_of_others(admin, user):
    key = name()
    theirs = {"name": key, "public_key": PUBLIC_KEY, "user_id": "somebody"}
    assert speaking(user, "2.10").post("/v2.1/os-keypairs", {"keypair": theirs}).status == 403
    assert speaking(admin, "2.10").post("/v2.1/os-keypairs", {"keypair": theirs}).status == 201
    listed = speaking(admin, "2.10").get("/v2.1/os-keypairs?user_id=somebody").ok()["keypairs"]
    assert [one["keypair"]["name"] for one in listed] == [key]
    assert speaking(user, "2.10").get("/v2.1/os-keypairs?user_id=somebody").status == 403
    assert user.get(f"/v2.1/os-keypairs/{key}").status == 404
    assert speaking(admin, "2.10").delete(f"/v2.1/os-keypairs/{key}?user_id=somebody").status == 204


def test_pages_of_key_pairs(admin):
    def call(path):
        return speaking(admin, "2.35").get(path).ok()

    for letter in "abc":
        body = {"name": f"pg-{letter}", "public_key": PUBLIC_KEY, "user_id": "pages"}
        speaking(admin, "2.35").post("/v2.1/os-keypairs", {"keypair": body}).ok()
    first = call("/v2.1/os-keypairs?user_id=pages&limit=2")
    assert [one["keypair"]["name"] for one in first["keypairs"]] == ["pg-a", "pg-b"]
    assert "marker=pg-b" in first["keypairs_links"][0]["href"]
    assert len(call("/v2.1/os-keypairs?user_id=pages&limit=2&marker=pg-b")["keypairs"]) == 1
    assert speaking(admin, "2.35").get("/v2.1/os-keypairs?marker=none-such").status == 400


def test_the_quota_of_key_pairs(admin, user):
    path = f"/v2.1/os-quota-sets/{user.project_id}"
    count = len(user.get("/v2.1/os-keypairs").ok()["keypairs"])
    admin.put(path, {"quota_set": {"key_pairs": count}}).ok()
    refused = user.post("/v2.1/os-keypairs", {"keypair": {"name": name(), "public_key": PUBLIC_KEY}})
    assert (refused.status, message(refused)) == (403, "Quota exceeded, too many key pairs.")
    assert admin.delete(path).status == 202
    assert (
        user.post("/v2.1/os-keypairs", {"keypair": {"name": name(), "public_key": PUBLIC_KEY}}).status == 200
    )
