"""The first content of an identity service: domain, projects, users, roles and catalog, as DevStack has them.

Called at every start of an all-in-one cloud, and by the operator's first step of a larger one; makes what is
missing, changes nobody's password, and brings the endpoints' URLs up to date.
"""

from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy import insert, select, update

from celaje.common import clock
from celaje.common.db import Transaction, fetch_all
from celaje.identity.db.statements import tuples
from celaje.identity.db.tables import (
    ASSIGNMENTS,
    ENDPOINTS,
    IMPLIED_ROLES,
    NO_DOMAIN,
    PROJECTS,
    REGIONS,
    ROLES,
    SERVICES,
    USERS,
)
from celaje.identity.ids import new_id

DOMAIN = "default"
REGION = "RegionOne"
SYSTEM = "system"

PROJECT_NAMES = {
    "admin": "Bootstrap project for initializing the cloud.",
    "demo": "",
    "alt_demo": "",
    "service": "",
}
ROLE_NAMES = ("admin", "manager", "member", "reader", "service")
IMPLICATIONS = (("admin", "manager"), ("manager", "member"), ("member", "reader"))

# user -> project -> roles
HUMANS = {
    "admin": {"admin": ("admin",), "demo": ("admin",), "alt_demo": ("admin",)},
    "demo": {"demo": ("member",)},
    "alt_demo": {"alt_demo": ("member",)},
}
SERVICE_ROLES = {"service": ("admin", "service")}

# type, name, path below the public URL
CATALOG = (
    ("identity", "keystone", "/identity"),
    ("image", "glance", "/image"),
    ("block-storage", "cinder", "/volume/v3"),
    ("volumev3", "cinderv3", "/volume/v3"),
    ("compute", "nova", "/compute/v2.1"),
    ("placement", "placement", "/placement"),
    ("network", "neutron", "/network"),
)
INTERFACES = ("public", "internal", "admin")


def bootstrap(
    service: Any,
    admin_password: str,
    public_url: str,
    passwords: Mapping[str, str],
    generated: Collection[str] = (),
    *,
    examples: bool = True,
    endpoints: Mapping[str, str] | None = None,
) -> None:
    """`passwords` has one for each service user, and for demo and alt_demo where they are not to have the
    admin's, as DevStack does it; `generated` are the users whose password was made at random (and has at
    least 128 bits). `public_url` has no slash at its end. `examples`: with demo and alt_demo. `endpoints`:
    {service type: URL} where they are not below `public_url`."""
    people = HUMANS if examples else {"admin": {"admin": ("admin",)}}
    wanted = dict.fromkeys(people, admin_password) | dict(passwords)
    known = service.database.read(_user_ids)
    hashes = _hashes(service, {name: wanted[name] for name in wanted if name not in known}, generated)

    def unit(tx: Transaction) -> None:
        _domain(tx)
        needed = {project for projects in people.values() for project in projects} | set(SERVICE_ROLES)
        projects = {name: _project(tx, name, PROJECT_NAMES[name]) for name in PROJECT_NAMES if name in needed}
        roles = _roles(tx)
        users = _users(tx, hashes)
        grants = [
            (users[name], "project", projects[project], roles[role])
            for name in wanted
            # What an operator took from a user stays taken; but the cloud keeps its admin and its services.
            if name in hashes or name == "admin" or name not in people
            for project, names in people.get(name, SERVICE_ROLES).items()
            for role in names
        ]
        grants.append((users["admin"], "system", SYSTEM, roles["admin"]))
        grants.append((users["admin"], "domain", DOMAIN, roles["admin"]))
        _assign(tx, grants)
        _catalog(tx, public_url, endpoints or {})
        service.catalog.changed_by(tx)
        service.inference.changed_by(tx)

    service.database.write(unit)


def _hashes(service: Any, passwords: Mapping[str, str], generated: Collection[str]) -> dict[str, str]:
    """Hashing is slow on purpose: outside of the transaction, on all cores, and only for new users."""
    found = {name: service.passwords.digest(passwords[name]) for name in passwords if name in generated}
    chosen = [name for name in passwords if name not in generated]
    if chosen:
        with ThreadPoolExecutor(max_workers=4) as pool:
            hashes = pool.map(service.passwords.hash, (passwords[name] for name in chosen))
            found.update(zip(chosen, hashes, strict=True))
    return found


def _user_ids(tx: Transaction) -> dict[str, str]:
    return dict(tuples(tx, select(USERS.c.name, USERS.c.id).where(USERS.c.domain_id == DOMAIN)))


def _domain(tx: Transaction) -> None:
    if tx.execute(select(PROJECTS.c.id).where(PROJECTS.c.id == DOMAIN)).first() is None:
        _new_project(tx, DOMAIN, "Default", "The default domain", domain_id=NO_DOMAIN, parent_id=None)


def _project(tx: Transaction, name: str, description: str) -> str:
    known = select(PROJECTS.c.id).where(PROJECTS.c.domain_id == DOMAIN, PROJECTS.c.name == name)
    found = tx.execute(known).scalar()
    return found or _new_project(tx, new_id(), name, description, domain_id=DOMAIN, parent_id=DOMAIN)


def _new_project(
    tx: Transaction, project_id: str, name: str, description: str, *, domain_id: str, parent_id: str | None
) -> str:
    tx.execute(
        insert(PROJECTS).values(
            id=project_id,
            name=name,
            domain_id=domain_id,
            parent_id=parent_id,
            is_domain=parent_id is None,
            enabled=True,
            description=description,
            options={},
            extra={},
        )
    )
    return project_id


def _roles(tx: Transaction) -> dict[str, str]:
    roles = dict(tuples(tx, select(ROLES.c.name, ROLES.c.id).where(ROLES.c.domain_id == NO_DOMAIN)))
    for name in ROLE_NAMES:
        if name not in roles:
            roles[name] = new_id()
            # A role that everything stands on is not deleted by a slip (Keystone's option `immutable`).
            options = {"immutable": True}
            tx.execute(
                insert(ROLES).values(
                    id=roles[name], name=name, domain_id=NO_DOMAIN, options=options, extra={}
                )
            )
            for prior, implied in IMPLICATIONS:
                if implied == name:
                    tx.execute(
                        insert(IMPLIED_ROLES).values(
                            prior_role_id=roles[prior], implied_role_id=roles[implied]
                        )
                    )
    return roles


def _users(tx: Transaction, hashes: Mapping[str, str]) -> dict[str, str]:
    users = _user_ids(tx)
    now = clock.now()
    rows = []
    for name, hashed in hashes.items():
        if name not in users:
            users[name] = new_id()
            rows.append(
                {
                    "id": users[name],
                    "name": name,
                    "domain_id": DOMAIN,
                    "enabled": True,
                    "password_hash": hashed,
                    "password_set_at": now,
                    "failed_logins": 0,
                    "created_at": now,
                    "options": {},
                    "extra": {},
                }
            )
    if rows:
        tx.execute(insert(USERS), rows)
    return users


def _assign(tx: Transaction, grants: list[tuple[str, str, str, str]]) -> None:
    """(user, target, id of the target, role), those that are not there yet."""
    table = ASSIGNMENTS.c
    known = select(table.actor_id, table.target, table.target_id, table.role_id).where(
        table.actor == "user",
        table.actor_id.in_({user_id for user_id, *_ in grants}),
        table.inherited.is_(False),
    )
    there = {tuple(row) for row in tx.execute(known)}
    rows = [
        {
            "actor": "user",
            "actor_id": user_id,
            "target": target,
            "target_id": target_id,
            "role_id": role_id,
            "inherited": False,
        }
        for user_id, target, target_id, role_id in grants
        if (user_id, target, target_id, role_id) not in there
    ]
    if rows:
        tx.execute(insert(ASSIGNMENTS), rows)


def _catalog(tx: Transaction, public_url: str, urls: Mapping[str, str]) -> None:
    if tx.execute(select(REGIONS.c.id).where(REGIONS.c.id == REGION)).first() is None:
        tx.execute(insert(REGIONS).values(id=REGION, description="", extra={}))
    services = {(row["type"], row["name"]): row for row in fetch_all(tx, select(SERVICES))}
    endpoints: dict[tuple[str, str, str | None], dict[str, Any]] = {
        (row["service_id"], row["interface"], row["region_id"]): row
        for row in fetch_all(tx, select(ENDPOINTS))
    }
    new_services: list[dict[str, Any]] = []
    new_endpoints: list[dict[str, Any]] = []
    for kind, name, path in CATALOG:
        row = services.get((kind, name))
        service_id = row["id"] if row else new_id()
        if row is None:
            new_services.append({"id": service_id, "type": kind, "name": name, "enabled": True, "extra": {}})
        for interface in INTERFACES:
            known = endpoints.get((service_id, interface, REGION))
            url = urls.get(kind) or public_url + path
            if known is None:
                new_endpoints.append(_endpoint(service_id, interface, url))
            elif known["url"] != url:
                tx.execute(update(ENDPOINTS).where(ENDPOINTS.c.id == known["id"]).values(url=url))
    if new_services:
        tx.execute(insert(SERVICES), new_services)
    if new_endpoints:
        tx.execute(insert(ENDPOINTS), new_endpoints)


def _endpoint(service_id: str, interface: str, url: str) -> dict[str, Any]:
    return {
        "id": new_id(),
        "service_id": service_id,
        "interface": interface,
        "region_id": REGION,
        "url": url,
        "enabled": True,
        "extra": {},
    }
