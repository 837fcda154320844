"""Who may do what, at every route: oslo.policy itself says what each persona is to get.

And what is another project's: it is not found, not listed, and still the same afterwards.
"""

import re
from dataclasses import dataclass

import pytest
from oslo_config import cfg
from oslo_policy import policy as oslo

from celaje.cloud import SERVICES
from celaje.common import clock
from celaje.common.tokens import Token, seconds
from tests.cloud import Client, until

_PLACE = re.compile(r"\{([^}:]+)(?::[^}]*)?\}")
_IMPLIED = {
    "admin": ("admin", "manager", "member", "reader"),
    "manager": ("manager", "member", "reader"),
    "member": ("member", "reader"),
    "reader": ("reader",),
    "service": ("service",),
}
_SCOPES = {
    "project": ("admin", "manager", "member", "reader", "service"),
    "domain": ("admin", "manager", "member", "reader"),
    "system": ("admin", "member", "reader"),
}


@dataclass(frozen=True)
class Persona:
    scope: str
    role: str
    scope_id: str | None

    @property
    def user_id(self):
        return f"{self.scope}{self.role}".ljust(32, "0")

    def credentials(self):
        """As oslo.context gives them to oslo.policy."""
        found = {
            "user_id": self.user_id,
            "user_domain_id": "default",
            "project_id": self.scope_id if self.scope == "project" else None,
            "project_domain_id": "default" if self.scope == "project" else None,
            "domain_id": self.scope_id if self.scope == "domain" else None,
            "system_scope": "all" if self.scope == "system" else None,
            "roles": list(_IMPLIED[self.role]),
            "is_admin": self.role == "admin",
            "is_admin_project": True,
            "service_user_id": None,
            "service_roles": [],
        }
        if self.scope == "system":
            found["system"] = "all"
        return {**found, "tenant": found["project_id"]}

    def token(self, cloud, lasts=3600.0):
        now = seconds(clock.now())
        return cloud.tokens.seal(
            Token(
                user_id=self.user_id,
                methods=("password",),
                scope=self.scope,
                scope_id=self.scope_id,
                project_domain_id="default" if self.scope == "project" else None,
                roles=tuple((f"{role}-id", role) for role in _IMPLIED[self.role]),
                audit_ids=(f"audit-{self.scope}-{self.role}",),
                issued_at=now + min(lasts, 0) - 1,
                expires_at=now + lasts,
            )
        )


class Generous(dict):
    """A target that is the caller's own in every respect that a rule can ask for."""

    def __init__(self, persona):
        super().__init__()
        self._persona = persona

    def __missing__(self, key):
        if key.endswith(("user_id", "user.id")):
            return self._persona.user_id
        if key.endswith(("domain_id", "domain.id")):
            return self._persona.scope_id if self._persona.scope == "domain" else "default"
        if key.endswith(("project_id", "project.id", "tenant_id", "owner", "member_id")):
            return self._persona.scope_id if self._persona.scope == "project" else None
        return True


class Oracle:
    """oslo.policy with a service's rules and scope types, which its current releases always enforce."""

    def __init__(self, api):
        conf = cfg.ConfigOpts()
        conf([], project="celaje", default_config_files=[], default_config_dirs=[])
        self._enforcer = oslo.Enforcer(conf, policy_file="absent.yaml")
        self._enforcer.suppress_deprecation_warnings = True
        for rule in api.policy._defaults.values():
            self._enforcer.register_default(
                oslo.RuleDefault(rule.name, rule.check, scope_types=list(rule.scope_types) or None)
            )

    def allows(self, rule, target, persona):
        try:
            return bool(self._enforcer.enforce(rule, target, persona.credentials(), do_raise=True))
        except (oslo.PolicyNotAuthorized, oslo.InvalidScope):
            return False


@pytest.fixture(scope="module")
def cloud(shared_cloud):
    return shared_cloud


@pytest.fixture(scope="module")
def personas(cloud):
    project = cloud.as_user("identity", "demo", "demo").project_id
    ids = {"project": project, "domain": "default", "system": "all"}
    return [Persona(scope, role, ids[scope]) for scope, roles in _SCOPES.items() for role in roles]


def operations(cloud, service):
    """Guarded routes, each once: rows that differ in their body's schema alone are one operation."""
    found = {}
    for route in cloud.running[service].api.routes:
        if route.rule is not None:
            found.setdefault((route.method, route.path, route.action, route.rule), route)
    return list(found.values())


def path_of(route, project_id="", known=None):
    """The route's URL; `known` fills a place by the word before it, everything else is not there."""
    parts = route.path.split("/")
    for at, part in enumerate(parts):
        name = _PLACE.fullmatch(part)
        if name is None:
            parts[at] = _PLACE.sub("no-such-thing", part)
        elif name[1] == "project_id" and at <= 2:
            parts[at] = project_id or "no-such-project"
        else:
            parts[at] = (known or {}).get(parts[at - 1], "no-such-thing")
    return "/".join(parts)


def ask(cloud, service, route, token, path):
    versions = cloud.running[service].api.versions
    headers = {}
    if versions.history:
        version = route.since or route.until or versions.maximum
        headers["OpenStack-API-Version"] = "{} {}.{}".format(versions.service_type, *version)
    client = Client(cloud.transport_to(service), token)
    if route.action:
        return client.request(route.method, path, body={route.action: None}, headers=headers)
    if route.body == "raw":
        return client.request(route.method, path, headers=headers, raw=b"")
    return client.request(route.method, path, headers=headers)


# Neutron asks for no right to see whose quota it is that one would ask for.
_OWN_QUOTA = ("/v2.0/quotas/tenant", "/v2.0/quotas/project")


# Keystone's 403 for an option that does not exist, and for a token without a project.
_NOT_POLICYS = ("Invalid domain specific configuration", "A project-scoped token is required")


def _is_empty_list(route, body):
    """A list is made of what the rule lets the caller see of it: of nothing, an empty one (Neutron)."""
    return "{" not in route.path and isinstance(body, dict) and list(body.values())[:1] == [[]]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("service", SERVICES)
def test_each_persona_gets_what_the_policy_gives(cloud, personas, service):
    oracle = Oracle(cloud.running[service].api)
    wrong, decided = [], {True: 0, False: 0}
    for persona in personas:
        token = persona.token(cloud)
        own = {"project_id": persona.credentials()["project_id"], "user_id": persona.user_id}
        for route in operations(cloud, service):
            path = path_of(route, own["project_id"])
            answer = ask(cloud, service, route, token, path)
            who = f"{persona.scope} {persona.role}: {route.name} ({route.rule}) -> {answer.status}"
            if answer.status >= 500 and answer.status != 501:
                wrong.append(f"{who} {answer.body}")
            elif route.authorize == "pipeline":
                allowed = oracle.allows(route.rule, own, persona)
                decided[allowed] += 1
                if any(words in str(answer.body) for words in _NOT_POLICYS):
                    continue
                if (answer.status in (401, 403)) is allowed:
                    wrong.append(f"{who}, oslo.policy {'allows' if allowed else 'refuses'} it {answer.body}")
            elif (
                answer.status < 300
                and route.path not in _OWN_QUOTA
                and not _is_empty_list(route, answer.body)
                and not oracle.allows(route.rule, Generous(persona), persona)
            ):
                wrong.append(f"{who}, oslo.policy refuses it even on what is the caller's own")
    assert not wrong, "\n".join(wrong)
    assert all(decided.values()) or service == "image", decided


@pytest.mark.parametrize("service", SERVICES)
def test_expired_and_unscoped_tokens_are_401(cloud, personas, service):
    expired = [persona.token(cloud, lasts=-1.0) for persona in personas if persona.role == "admin"]
    unscoped = Persona("", "admin", None).token(cloud)
    for route in operations(cloud, service):
        path = path_of(route)
        for token in expired:
            assert ask(cloud, service, route, token, path).status == 401, route.name
        if route.scope == "scoped":
            assert ask(cloud, service, route, unscoped, path).status in (401, 403), route.name


def test_a_url_of_another_project_is_refused(cloud, personas):
    """Cinder's URLs name a project: the token's, and no other."""
    other = cloud.as_user("identity", "alt_demo", "alt_demo").project_id
    for persona in personas:
        token = persona.token(cloud)
        for route in operations(cloud, "volume"):
            if route.path.startswith("/v3/{project_id}"):
                answer = ask(cloud, "volume", route, token, path_of(route, other))
                assert 400 <= answer.status < 500, f"{persona}: {route.name} -> {answer}"


@pytest.fixture(scope="module")
def owned(cloud):
    """What project demo has: service -> (word of the URL -> id)."""
    volume, compute, network, image = (
        cloud.as_user(name, "demo", "demo") for name in ("volume", "compute", "network", "image")
    )
    identity = cloud.as_user("identity", "demo", "demo")

    def made(client, path, kind, **values):
        return client.post(path, {kind: values}).ok()[kind]["id"]

    base = f"/v3/{volume.project_id}"
    volume_id = made(volume, f"{base}/volumes", "volume", size=1, name="mine", metadata={"key": "mine"})
    until(lambda: volume.get(f"{base}/volumes/{volume_id}").ok()["volume"]["status"] == "available")
    snapshot_id = made(volume, f"{base}/snapshots", "snapshot", volume_id=volume_id, name="mine")
    network_id = made(network, "/v2.0/networks", "network", name="mine")
    networks = {
        "networks": network_id,
        "subnets": made(
            network, "/v2.0/subnets", "subnet", network_id=network_id, ip_version=4, cidr="10.9.0.0/24"
        ),
        "ports": made(network, "/v2.0/ports", "port", network_id=network_id),
        "routers": made(network, "/v2.0/routers", "router", name="mine"),
        "security-groups": made(network, "/v2.0/security-groups", "security_group", name="mine"),
        "subnetpools": made(
            network, "/v2.0/subnetpools", "subnetpool", name="mine", prefixes=["10.8.0.0/16"]
        ),
        "quotas": network.project_id,
    }
    networks["security-group-rules"] = made(
        network,
        "/v2.0/security-group-rules",
        "security_group_rule",
        security_group_id=networks["security-groups"],
        direction="ingress",
        ethertype="IPv4",
    )
    public = network.get("/v2.0/networks?name=public").ok()["networks"][0]["id"]
    networks["floatingips"] = made(network, "/v2.0/floatingips", "floatingip", floating_network_id=public)
    image_id = image.post(
        "/v2/images", {"name": "mine", "disk_format": "raw", "container_format": "bare", "tags": ["mine"]}
    ).ok(201)["id"]
    image.request(
        "PUT",
        f"/v2/images/{image_id}/file",
        raw=b"\0" * 512,
        headers={"Content-Type": "application/octet-stream"},
    ).ok(204)
    server_id = made(
        compute,
        "/v2.1/servers",
        "server",
        name="mine",
        flavorRef="42",
        imageRef=image_id,
        networks=[{"uuid": network_id}],
        metadata={"key": "mine"},
    )
    until(lambda: compute.get(f"/v2.1/servers/{server_id}").ok()["server"]["status"] == "ACTIVE")
    compute.post("/v2.1/os-keypairs", {"keypair": {"name": "mine-alone"}}).ok()
    groups = made(compute, "/v2.1/os-server-groups", "server_group", name="mine", policies=["affinity"])
    user_id = identity.get("/v3/auth/tokens", headers={"X-Subject-Token": identity.token}).ok()["token"][
        "user"
    ]["id"]
    return {
        "volume": {
            "volumes": volume_id, "snapshots": snapshot_id, "metadata": "key",
            "os-quota-sets": volume.project_id,
        },
        "network": networks,
        "image": {"images": image_id, "tags": "mine"},
        "compute": {
            "servers": server_id, "os-keypairs": "mine-alone", "os-server-groups": groups, "metadata": "key",
            "os-quota-sets": compute.project_id, "os-simple-tenant-usage": compute.project_id,
        },
        "identity": {"users": user_id, "projects": identity.project_id},
        "placement": {"allocations": server_id},
    }  # fmt: skip


# Nova gives the quota that every new project has to whoever asks ("@").
_FOR_ALL = ("os_compute_api:os-quota-sets:defaults",)

# Rows that change by themselves, or by who looks.
_MOVING = re.compile(r'"(updated_at|revision_number|last_seen|progress)": ?[^,}]*')


def view(cloud, service, ids):
    """All that the owner sees of what it has."""
    owner = cloud.as_user(service, "demo", "demo")
    seen = {}
    for route in operations(cloud, service):
        words = [word for word in route.path.split("/") if word in ids]
        last = route.path.rstrip("/").split("/")[-1]
        if route.method == "GET" and words and last.startswith("{"):
            path = path_of(route, owner.project_id, ids)
            answer = ask(cloud, service, route, owner.token, path)
            if answer.status == 200 and isinstance(answer.body, dict):
                seen[path] = answer.body
    return seen


@pytest.mark.timeout(300)
@pytest.mark.parametrize("role", ["manager", "member", "reader"])
@pytest.mark.parametrize("service", SERVICES)
def test_what_is_another_projects_is_neither_found_nor_listed_nor_changed(cloud, owned, service, role):
    ids = owned[service]
    stranger = cloud.as_user("identity", "alt_demo", "alt_demo")
    token = Persona("project", role, stranger.project_id).token(cloud)
    before = view(cloud, service, ids)
    secrets = {value for value in ids.values() if value not in ("key", "mine")}
    project_id = cloud.as_user("identity", "demo", "demo").project_id
    wrong, asked = [], 0
    for route in operations(cloud, service):
        path = path_of(route, stranger.project_id, ids)
        touched = any(value in path.split("/") for value in secrets)
        if not touched and (route.method != "GET" or "{" in route.path.replace("{project_id}", "")):
            continue
        asked += 1
        answer = ask(cloud, service, route, token, path)
        who = f"{role}: {route.name} {path} -> {answer.status} {str(answer.body)[:300]}"
        if touched and route.rule not in _FOR_ALL:
            # 400 and 415: the request itself is refused before anything is looked for. 409, 200 and the like
            # would tell that it is there.
            may = (400, 403, 404, 413, 415) if route.method in ("POST", "PUT", "PATCH") else (403, 404)
            if answer.status not in may:
                wrong.append(who)
        elif answer.status >= 500 or any(one in str(answer.body) for one in secrets - {project_id}):
            wrong.append(f"{who} shows what is not the caller's")
    assert asked or not ids
    assert not wrong, "\n".join(wrong)
    assert view(cloud, service, ids) == before
    if service not in ("identity", "placement"):
        assert before, "the owner sees nothing: the test would prove nothing"
