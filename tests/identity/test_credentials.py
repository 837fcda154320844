"""Credentials, application credentials and their access rules."""

import datetime
import json

import pytest
from sqlalchemy import select

from celaje.common import clock
from celaje.common.access_rules import allowed
from celaje.common.clock import VirtualClock
from celaje.common.db import fetch_all
from celaje.identity.db.tables import CREDENTIALS


def login(identity, credential, secret):
    body = {"id": credential["id"], "secret": secret}
    return identity.post_auth(
        {"identity": {"methods": ["application_credential"], "application_credential": body}}
    )


@pytest.fixture
def demo(identity):
    return identity.as_user("demo", scope="demo")


@pytest.fixture
def me(identity):
    return identity.find("user", "demo")["id"]


def make(client, me, **given):
    answer = client.post(
        f"/v3/users/{me}/application_credentials", {"application_credential": {"name": "robot", **given}}
    )
    return answer.ok(201)["application_credential"]


def test_login_by_application_credential(identity, demo, me):
    made = make(demo, me, roles=[{"name": "reader"}])
    assert made["secret"] and made["unrestricted"] is False and made["project_id"] == demo.project_id
    shown = demo.get(f"/v3/users/{me}/application_credentials/{made['id']}").ok()["application_credential"]
    assert "secret" not in shown
    token = login(identity, made, made["secret"]).ok(201)["token"]
    assert token["methods"] == ["application_credential"]
    assert [role["name"] for role in token["roles"]] == ["reader"]
    assert token["project"]["name"] == "demo"
    assert token["application_credential"]["restricted"] is True
    assert login(identity, made, "wrong").status == 401
    named = {"name": "robot", "secret": made["secret"], "user": {"name": "demo", "domain": {"id": "default"}}}
    auth = {"identity": {"methods": ["application_credential"], "application_credential": named}}
    assert identity.post_auth(auth).status == 201
    assert identity.post_auth({**auth, "scope": {"project": {"id": demo.project_id}}}).status == 401


def test_it_ends_with_its_deletion_and_its_roles(identity, demo, me):
    made = make(demo, me)
    robot = identity.client(login(identity, made, made["secret"]))
    assert robot.get("/v3/auth/projects").status == 200
    assert make_status(robot, me) == 403
    demo.delete(f"/v3/users/{me}/application_credentials/{made['id']}").ok(204)
    assert robot.get("/v3/auth/projects").status == 401
    assert login(identity, made, made["secret"]).status == 401
    assert demo.get("/v3/auth/projects").status == 200
    again = make(demo, me)
    role = identity.find("role", "member")
    identity.admin.delete(f"/v3/projects/{demo.project_id}/users/{me}/roles/{role['id']}").ok(204)
    assert login(identity, again, again["secret"]).status == 401


def make_status(client, me):
    body = {"application_credential": {"name": "second"}}
    return client.post(f"/v3/users/{me}/application_credentials", body).status


def test_unrestricted_may_make_more(identity, demo, me):
    made = make(demo, me, unrestricted=True)
    assert make_status(identity.client(login(identity, made, made["secret"])), me) == 201


def test_expiry(identity, me):
    with clock.installed(VirtualClock()) as time:
        demo = identity.as_user("demo", scope="demo")
        ends = clock.iso(clock.now() + datetime.timedelta(seconds=100))
        made = make(demo, me, expires_at=ends)
        token = login(identity, made, made["secret"]).ok(201)["token"]
        assert token["expires_at"].startswith(ends)
        time.advance(101)
        assert login(identity, made, made["secret"]).status == 401
        assert make_bad(demo, me, expires_at=ends) == 400


def make_bad(client, me, **given):
    body = {"application_credential": {"name": "bad", **given}}
    return client.post(f"/v3/users/{me}/application_credentials", body).status


def test_refused(identity, demo, me):
    assert make_bad(demo, me, roles=[{"name": "admin"}]) == 400
    assert make_bad(demo, me, expires_at="soon") == 400
    assert make_bad(demo, me, unrestricted="yes") == 400
    assert make_bad(demo, me, access_rules=[{"service": "compute"}]) == 400
    make(demo, me)
    assert make_bad(demo, me, name="robot") == 409
    other = identity.find("user", "alt_demo")["id"]
    assert make_bad(demo, other) == 403
    assert (
        identity.admin.post(
            f"/v3/users/{me}/application_credentials", {"application_credential": {"name": "x"}}
        ).status
        == 403
    )


def test_access_rules(identity, demo, me):
    rule = {"service": "compute", "method": "GET", "path": "/v2.1/servers"}
    made = make(demo, me, access_rules=[rule])
    (shown,) = made["access_rules"]
    assert {name: shown[name] for name in rule} == rule
    (listed,) = demo.get(f"/v3/users/{me}/access_rules").ok()["access_rules"]
    assert listed["id"] == shown["id"]
    path = f"/v3/users/{me}/access_rules/{shown['id']}"
    assert demo.delete(path).status == 403
    second = make(demo, me, name="second", access_rules=[{"id": shown["id"]}])
    assert second["access_rules"][0]["id"] == shown["id"]
    for each in (made, second):
        demo.delete(f"/v3/users/{me}/application_credentials/{each['id']}").ok(204)
    demo.delete(path).ok(204)
    assert demo.get(path).status == 404


def test_access_rules_bind_the_token(identity, demo, me):
    rule = {"service": "identity", "method": "GET", "path": "/v3/users/*/groups"}
    made = make(demo, me, access_rules=[rule])
    robot = identity.client(login(identity, made, made["secret"]))
    assert robot.get(f"/v3/users/{me}/groups").status == 200
    for method, path in (
        ("GET", f"/v3/users/{me}"),
        ("GET", f"/v3/users/{me}/groups/more"),
        ("DELETE", f"/v3/users/{me}/groups"),
        ("GET", "/v3/auth/projects"),
    ):
        assert robot.request(method, path).status in (401, 404, 405), path
    assert robot.get("/v3/auth/projects").status == 401


def test_paths_of_access_rules():
    def fits(pattern, path):
        return allowed([("compute", "GET", pattern)], "compute", "GET", [path])

    assert fits("/v2.1/servers", "/v2.1/servers")
    assert fits("/v2.1/servers/{id}", "/v2.1/servers/1")
    assert not fits("/v2.1/servers/{id}", "/v2.1/servers/1/action")
    assert fits("/v2.1/**", "/v2.1/servers/1/action")
    assert not fits("/v2.1/.*", "/v2.1/servers")
    assert not allowed([("compute", "GET", "/**")], "image", "GET", ["/v2/images"])
    assert allowed([("block-storage", "GET", "/**")], "volume", "GET", ["/v3/volumes"])


def test_credentials_are_the_owners(identity, demo, me):
    body = {"credential": {"type": "cert", "blob": "secret-text", "user_id": me}}
    nobodys = {"credential": {"type": "cert", "blob": "secret-text"}}
    assert demo.post("/v3/credentials", nobodys).status == 400
    made = demo.post("/v3/credentials", body).ok(201)["credential"]
    assert made["blob"] == "secret-text" and made["user_id"] == me
    stranger = identity.as_user("alt_demo", scope="alt_demo")
    path = f"/v3/credentials/{made['id']}"
    assert stranger.get(path).status == 403
    assert stranger.get("/v3/credentials").ok()["credentials"] == []
    assert [c["id"] for c in demo.get("/v3/credentials").ok()["credentials"]] == [made["id"]]
    assert identity.admin.get("/v3/credentials?type=cert").ok()["credentials"]
    taken = demo.request("PATCH", path, {"credential": {"user_id": identity.find("user", "admin")["id"]}})
    assert taken.status == 403
    assert demo.request("PATCH", path, {"credential": {"blob": "next"}}).ok()["credential"]["blob"] == "next"
    assert demo.delete(path).status == 204
    assert identity.admin.get(path).status == 404


def test_blobs_are_sealed(identity, demo, me):
    demo.post(
        "/v3/credentials", {"credential": {"type": "cert", "blob": "very-secret-text", "user_id": me}}
    ).ok(201)
    rows = identity.service.database.read(fetch_all, select(CREDENTIALS))
    assert [row["type"] for row in rows] == ["cert"]
    assert "very-secret-text" not in repr(rows)


def test_ec2_credentials_are_found_by_their_key(demo, me):
    blob = json.dumps({"access": "key", "secret": "s"})
    given = {"type": "ec2", "blob": blob, "project_id": demo.project_id, "user_id": me}
    made = demo.post("/v3/credentials", {"credential": given}).ok(201)["credential"]
    assert made["id"] == "2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683"
    assert demo.post("/v3/credentials", {"credential": given}).status == 409
    assert demo.post("/v3/credentials", {"credential": {**given, "blob": "x"}}).status == 400
