"""Every rule and every persona, against what Keystone's defaults say (`keystone_personas.txt`); and that what
an operator writes into a file is what counts."""

import re
from pathlib import Path

import pytest

from celaje.common.context import RequestContext
from celaje.common.policy import Policy
from celaje.identity.api.policies import RULES
from celaje.identity.api.routes import ROUTES

_IMPLIED = {
    "admin": ("admin", "manager", "member", "reader"),
    "manager": ("manager", "member", "reader"),
    "member": ("member", "reader"),
    "reader": ("reader",),
    "service": ("service",),
    "none": (),
}
_PERSONAS = [
    *((scope, role) for scope in ("system", "domain", "project") for role in _IMPLIED),
    ("unscoped", "none"),
]
_PLACE = re.compile(r"%\(([^)]+)\)s")


def _table():
    found = {}
    for line in (Path(__file__).parent / "keystone_personas.txt").read_text().splitlines():
        if not line.startswith("#"):
            name, *cells = line.split()
            found[f"identity:{name}"] = "".join(cells)
    return found


TABLE = _table()


def context(scope, role):
    return RequestContext(
        user_id="me",
        user_domain_id="mine",
        project_id="my-project" if scope == "project" else None,
        project_domain_id="mine" if scope == "project" else None,
        domain_id="mine" if scope == "domain" else None,
        system_scope="all" if scope == "system" else None,
        roles=_IMPLIED[role],
    )


def target(names, *, own, global_role=False):
    """Everything that rules may read, either the caller's or another's. A domain manager hands on only
    some roles; here it is one of those."""
    found = dict.fromkeys(names, "another")
    for name in names:
        if own and name.endswith(("user_id", "user.id")):
            found[name] = "me"
        elif own and name.endswith(("domain_id", "domain.id")):
            found[name] = "mine"
        elif own and name.endswith(("project_id", "project.id")):
            found[name] = "my-project"
    if global_role:
        found["target.role.domain_id"] = None
    return {**found, "target.role.name": "member"}


def test_every_rule_and_every_route_has_a_row():
    rules = {rule.name for rule in RULES if rule.name.startswith("identity:")}
    assert rules == set(TABLE)
    assert {route.rule for route in ROUTES if route.rule} <= set(TABLE)
    assert {len(cells) for cells in TABLE.values()} == {len(_PERSONAS)}


def test_each_persona_may_what_keystone_lets_it():
    policy = Policy(RULES)
    names = {name for rule in RULES for name in _PLACE.findall(rule.check)}
    assert "target.user.domain_id" in names
    mine, global_role = target(names, own=True), target(names, own=True, global_role=True)
    anothers = target(names, own=False)
    wrong = []
    for rule, cells in TABLE.items():
        for (scope, role), cell in zip(_PERSONAS, cells, strict=True):
            who = context(scope, role)
            seen = [policy.allows(rule, each, who) for each in (mine, global_role, anothers)]
            if seen != [cell != ".", cell != ".", cell == "+"]:
                wrong.append(f"{rule}, {scope} {role}: Keystone {cell}, here own/global/another's {seen}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("rule", sorted(TABLE))
def test_a_file_overrides_every_rule(tmp_path, rule):
    path = tmp_path / "policy.yaml"
    path.write_text(f'"{rule}": "role:auditor"\n')
    policy = Policy(RULES, path=path, enforce_scope=False)
    auditor = RequestContext(user_id="me", project_id="p", roles=("auditor",))
    admin = RequestContext(user_id="me", project_id="p", roles=_IMPLIED["admin"])
    assert policy.allows(rule, {}, auditor)
    assert not policy.allows(rule, {}, admin)


def test_an_override_holds_at_the_api(identity):
    """Written while the service runs."""
    demo = identity.as_user("demo", scope="demo")
    assert demo.get("/v3/users").status == 403
    assert demo.get("/v3/regions").status == 200
    policy = identity.service.api.policy
    conf = identity.service.conf
    path = Path(conf.beside_files(conf.oslo_policy.policy_file))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('"identity:list_users": "role:member"\n"identity:list_regions": "!"\n')
    policy.refresh()
    assert demo.get("/v3/users").status == 200
    assert demo.get("/v3/regions").status == 403
