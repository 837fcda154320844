"""Tokens on several nodes: opened by each, refused by each as soon as one has revoked them."""

import http.client
import json

import pytest

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

PATHS = {
    "identity": "/v3/projects",
    "image": "/v2/images",
    "network": "/v2.0/networks",
    "volume": "/v3/volumes",
    "compute": "/v2.1/servers",
    "placement": "/resource_providers",
}


def ask(node, method, path, token, body=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=20)
    try:
        sent = {"X-Auth-Token": token, "Content-Type": "application/json", **(headers or {})}
        connection.request(method, path, json.dumps(body) if body else None, sent)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def login(cluster, node, user="admin", password="", project="admin"):
    auth = {
        "identity": {
            "methods": ["password"],
            "password": {
                "user": {
                    "name": user,
                    "domain": {"id": "default"},
                    "password": password or cluster.password,
                }
            },
        },
        "scope": {"project": {"name": project, "domain": {"id": "default"}}},
    }
    status, headers, _ = ask(node, "POST", "/v3/auth/tokens", "", {"auth": auth})
    assert status == 201
    return next(value for name, value in headers.items() if name.lower() == "x-subject-token")


def apis(cluster):
    return [node for node in cluster.nodes.values() if node.is_api]


def statuses(cluster, token):
    return {node.name: ask(node, "GET", PATHS[node.service], token)[0] for node in apis(cluster)}


def refused_everywhere(cluster, token, seconds):
    def done():
        found = statuses(cluster, token)
        return all(status == 401 for status in found.values()) or None

    cluster.until(done, seconds, f"a refusal by all: {statuses(cluster, token)}")


def test_a_revoked_token_is_refused_by_every_node(cluster):
    first, second = cluster.nodes["identity-api1"], cluster.nodes["identity-api2"]
    token = login(cluster, first)
    assert set(statuses(cluster, token).values()) == {200}
    status, *_ = ask(second, "DELETE", "/v3/auth/tokens", token, headers={"X-Subject-Token": token})
    assert status == 204
    # By fanout: long before the periodic read, which comes each 30 s.
    refused_everywhere(cluster, token, 10)


def test_a_role_that_is_taken_away_is_gone_on_every_node(cluster):
    sdk = cluster.sdk()
    user = sdk.identity.create_user(name="passing", password="passing-secret")
    project = sdk.identity.find_project("admin")
    role = sdk.identity.find_role("admin")
    sdk.identity.assign_project_role_to_user(project, user, role)
    token = login(cluster, cluster.nodes["identity-api2"], "passing", "passing-secret")
    assert set(statuses(cluster, token).values()) == {200}
    sdk.identity.unassign_project_role_from_user(project, user, role)
    refused_everywhere(cluster, token, 10)
    sdk.identity.delete_user(user)


def test_a_node_that_starts_later_knows_what_was_revoked_before(cluster):
    node = cluster.nodes["volume-api2"]
    assert cluster.terminate(node) == 0
    identity = cluster.nodes["identity-api1"]
    token = login(cluster, identity)
    assert ask(identity, "DELETE", "/v3/auth/tokens", token, headers={"X-Subject-Token": token})[0] == 204
    cluster.await_up(cluster.start(node))
    refused_everywhere(cluster, token, 10)


def test_a_token_made_with_a_key_of_after_a_rotation_is_opened_by_all(cluster):
    from celaje.common.tokens import KeyRepository

    old = login(cluster, cluster.nodes["identity-api1"])
    KeyRepository(cluster.folder / "keys" / "fernet").rotate()
    new = login(cluster, cluster.nodes["identity-api1"])
    assert set(statuses(cluster, old).values()) == {200}
    assert set(statuses(cluster, new).values()) == {200}
