"""What the API tests make again and again."""

import itertools

import pytest

_PROJECTS = itertools.count(1)


@pytest.fixture
def project():
    """A project that no other test uses."""
    return f"project{next(_PROJECTS)}"


@pytest.fixture
def member(shared_lab, project):
    return shared_lab.member(project)


@pytest.fixture
def admin(shared_lab):
    return shared_lab.admin()


@pytest.fixture
def nova(shared_lab):
    return shared_lab.nova()


@pytest.fixture
def network(member):
    return make(member, "network", name="net")


@pytest.fixture
def subnet(member, network):
    return make(member, "subnet", network_id=network["id"], cidr="10.0.0.0/24", ip_version=4)


PATHS = {
    "network": "networks",
    "subnet": "subnets",
    "port": "ports",
    "router": "routers",
    "floatingip": "floatingips",
    "security_group": "security-groups",
    "security_group_rule": "security-group-rules",
    "subnetpool": "subnetpools",
}


def make(client, resource, **attributes):
    """Create it, which must succeed."""
    return client.post(f"/v2.0/{PATHS[resource]}", {resource: attributes}).ok(201)[resource]


def refused(answer, status, kind=None):
    """The words of a NeutronError, which must be of this status and type."""
    assert answer.status == status, answer.body
    error = answer.body["NeutronError"]
    assert set(error) == {"type", "message", "detail"}
    if kind:
        assert error["type"] == kind, error
    return error["message"]
