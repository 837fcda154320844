"""Security groups. Every project has a `default` one, made when it is first needed.

Source: Networking API v2.0, extension security-group.
"""

from typing import Any

from sqlalchemy import delete, or_, select

from celaje.common.db import Transaction, fetch_value
from celaje.common.wsgi import Request
from celaje.network import errors, quota
from celaje.network.api import converters as to
from celaje.network.api.attributes import BOOLEAN_KIND, DESCRIPTION, Attribute, Body, Resource
from celaje.network.api.collection import Collection, Row, View, retrying
from celaje.network.api.security_group_rules import rule_view
from celaje.network.db import security_groups
from celaje.network.db.tables import PORT_SECURITY_GROUPS, SECURITY_GROUP_RULES, SECURITY_GROUPS


class SecurityGroups(Collection):
    resource = Resource(
        "security_group",
        "security_groups",
        {
            "name": Attribute(to.null_as("", to.string()), default=""),
            "description": DESCRIPTION,
            "stateful": Attribute(to.boolean, default=True, kind=BOOLEAN_KIND),
        },
    )
    table = SECURITY_GROUPS
    not_found = errors.SecurityGroupNotFound
    quota = "security_group"
    columns = {
        name: SECURITY_GROUPS.c[name]
        for name in (
            "id",
            "project_id",
            "name",
            "description",
            "stateful",
            "revision_number",
            "created_at",
            "updated_at",
        )
    }

    def listing(self, request: Request) -> View:
        self._ensure_default(request)
        return super().listing(request)

    def relations(self, tx: Transaction, rows: Any) -> dict[str, Any]:
        return {"rules": security_groups.rules_of(tx, [row["id"] for row in rows])}

    def view(self, row: Row, relations: dict[str, Any]) -> View:
        return {
            "id": row["id"],
            "name": row["name"],
            "stateful": row["stateful"],
            "shared": False,
            "security_group_rules": [rule_view(rule) for rule in relations["rules"][row["id"]]],
        }

    def create(self, request: Request, tx: Transaction, body: Body, rules: list[str]) -> Row:
        request.authorize(body)
        security_groups.ensure_default(tx, body["project_id"])
        if body["name"] == "default":
            raise errors.SecurityGroupDefaultAlreadyExists()
        self.check_quota(request, tx, body["project_id"])
        quota.check(tx, request.service.conf, "security_group_rule", body["project_id"], 2)
        return security_groups.add_group(
            tx, body["project_id"], body["name"], body["description"], stateful=body["stateful"]
        )

    def update(self, request: Request, tx: Transaction, row: Row, body: Body) -> None:
        if row["default_of"] and "name" in body and body["name"] != row["name"]:
            raise errors.SecurityGroupCannotUpdateDefault()
        if body.get("stateful", row["stateful"]) != row["stateful"] and self._in_use(tx, row["id"]):
            raise errors.SecurityGroupInUse(id=row["id"], reason="is in use: stateful cannot change")
        self.save(tx, row, body)

    def delete(self, request: Request, tx: Transaction, row: Row) -> None:
        if row["default_of"] and not request.allows("context_is_admin"):
            raise errors.SecurityGroupCannotRemoveDefault()
        if self._in_use(tx, row["id"]):
            raise errors.SecurityGroupInUse(id=row["id"], reason="in use")
        tx.execute(
            delete(SECURITY_GROUP_RULES).where(
                or_(
                    SECURITY_GROUP_RULES.c.security_group_id == row["id"],
                    SECURITY_GROUP_RULES.c.remote_group_id == row["id"],
                )
            )
        )
        self.delete_row(tx, row)

    def _in_use(self, tx: Transaction, group_id: str) -> bool:
        used = select(PORT_SECURITY_GROUPS.c.port_id).where(
            PORT_SECURITY_GROUPS.c.security_group_id == group_id
        )
        return fetch_value(tx, used.limit(1)) is not None

    def _ensure_default(self, request: Request) -> None:
        """A list shows the default group even before anything used it, as in Neutron."""
        project_id = request.context.project_id
        service = request.service
        if project_id and service.database.read(security_groups.default_id, project_id) is None:
            retrying(service, lambda tx: security_groups.ensure_default(tx, project_id))


SECURITY_GROUPS_API = SecurityGroups()
