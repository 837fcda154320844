"""Passcodes by time, rules that ask for several methods, and receipts."""

import base64

import pytest

from celaje.identity.login import totp

SEED = base64.b32encode(b"12345678901234567890").decode()


@pytest.fixture
def uma(identity):
    """A user with a password and a TOTP seed whose rule asks for both."""
    rules = {"multi_factor_auth_rules": [["password", "totp"]], "multi_factor_auth_enabled": True}
    user = identity.make_user("uma", options=rules)
    body = {"credential": {"type": "totp", "blob": SEED, "user_id": user["id"]}}
    identity.admin.post("/v3/credentials", body).ok(201)
    return user


def shown(uma, *methods, passcode=None):
    user = {"id": uma["id"]}
    identity = {"methods": list(methods)}
    if "password" in methods:
        identity["password"] = {"user": {**user, "password": "pw"}}
    if "totp" in methods:
        identity["totp"] = {"user": {**user, "passcode": passcode or totp.passcodes(SEED, 0)[0]}}
    return {"identity": identity}


def test_passcodes_are_those_of_the_rfc(monkeypatch):
    monkeypatch.setattr(totp, "seconds", lambda _: 59.0)
    assert totp.passcodes(SEED, 0) == ["287082"]
    monkeypatch.setattr(totp, "seconds", lambda _: 59.0 + 30)
    assert totp.passcodes(SEED, 1)[1] == "287082"


def test_both_at_once(identity, uma):
    token = identity.post_auth(shown(uma, "password", "totp")).ok(201)["token"]
    assert token["methods"] == ["password", "totp"]


def test_one_after_the_other_with_a_receipt(identity, uma):
    first = identity.post_auth(shown(uma, "password"))
    assert first.status == 401
    assert first.body["required_auth_methods"] == [["password", "totp"]]
    assert first.body["receipt"]["methods"] == ["password"]
    assert first.body["receipt"]["user"]["name"] == "uma"
    receipt = first.headers["openstack-auth-receipt"]
    second = identity.anonymous.post(
        "/v3/auth/tokens", {"auth": shown(uma, "totp")}, headers={"Openstack-Auth-Receipt": receipt}
    )
    assert sorted(second.ok(201)["token"]["methods"]) == ["password", "totp"]


def test_a_receipt_is_for_its_user_and_no_token(identity, uma):
    receipt = identity.post_auth(shown(uma, "password")).headers["openstack-auth-receipt"]
    identity.make_user("bob")
    body = {"auth": shown(identity.find("user", "bob"), "password")}
    headers = {"Openstack-Auth-Receipt": receipt}
    assert identity.anonymous.post("/v3/auth/tokens", body, headers=headers).status == 401
    headers = {"Openstack-Auth-Receipt": identity.admin.token}
    assert identity.anonymous.post("/v3/auth/tokens", body, headers=headers).status == 401
    assert identity.admin.get("/v3/auth/tokens", headers={"X-Subject-Token": receipt}).status == 404


def test_wrong_passcodes_are_refused(identity, uma):
    wrong = "000000" if totp.passcodes(SEED, 1)[0] != "000000" else "111111"
    assert identity.post_auth(shown(uma, "totp", passcode=wrong)).status == 401
    assert identity.post_auth({"identity": {"methods": ["totp"], "totp": {"user": {}}}}).status == 400


def test_rules_that_nobody_can_fulfil_lock_nobody_out(identity, uma):
    path = f"/v3/users/{uma['id']}"
    options = {"multi_factor_auth_rules": [["fingerprint"]]}
    identity.patch(path, {"user": {"options": options}}).ok()
    identity.post_auth(shown(uma, "password")).ok(201)
    options = {"multi_factor_auth_rules": [["password", "totp"]], "multi_factor_auth_enabled": False}
    identity.patch(path, {"user": {"options": options}}).ok()
    identity.post_auth(shown(uma, "password")).ok(201)


@pytest.mark.parametrize("rules", ["password", [["password", "password"]], [[]], [[1]]])
def test_rules_are_lists_of_lists_of_methods(identity, uma, rules):
    body = {"user": {"options": {"multi_factor_auth_rules": rules}}}
    assert identity.patch(f"/v3/users/{uma['id']}", body).status == 400
