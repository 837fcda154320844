"""Subnet pools: prefixes out of which subnets are carved.

Source: Networking API v2.0, extension subnet_allocation.
"""

import ipaddress
from typing import Any

from sqlalchemy import insert, or_, select

from celaje.common.db import Transaction, fetch_value
from celaje.common.wsgi import Request
from celaje.network import addresses, errors
from celaje.network.api import converters as to
from celaje.network.api.attributes import (
    BOOLEAN_KIND,
    DESCRIPTION,
    INTEGER_KIND,
    NAME,
    REQUIRED,
    Attribute,
    Body,
    Resource,
)
from celaje.network.api.collection import Collection, Row, View
from celaje.network.db.security_groups import standard
from celaje.network.db.tables import SUBNET_POOLS, SUBNETS

_LENGTH = Attribute(to.or_none(to.integer(0, 128)), kind=INTEGER_KIND)


class SubnetPools(Collection):
    resource = Resource(
        "subnetpool",
        "subnetpools",
        {
            "name": NAME,
            "description": DESCRIPTION,
            "prefixes": Attribute(to.list_of(to.cidr), default=REQUIRED, kind=("array",)),
            "default_prefixlen": _LENGTH,
            "min_prefixlen": _LENGTH,
            "max_prefixlen": _LENGTH,
            "default_quota": Attribute(to.or_none(to.integer(0)), default=None, kind=INTEGER_KIND),
            "shared": Attribute(to.boolean, default=False, put=False, rule=True, kind=BOOLEAN_KIND),
            "is_default": Attribute(to.boolean, default=False, rule=True, kind=BOOLEAN_KIND),
            "address_scope_id": Attribute(to.nothing),
        },
    )
    table = SUBNET_POOLS
    not_found = errors.SubnetPoolNotFound
    quota = "subnetpool"
    columns = {
        name: SUBNET_POOLS.c[name]
        for name in (
            "id",
            "project_id",
            "name",
            "description",
            "ip_version",
            "default_prefixlen",
            "min_prefixlen",
            "max_prefixlen",
            "shared",
            "is_default",
            "revision_number",
            "created_at",
            "updated_at",
        )
    }

    def visible(self, project_id: str | None) -> Any:
        return or_(SUBNET_POOLS.c.project_id == project_id, SUBNET_POOLS.c.shared.is_(True))

    def view(self, row: Row, relations: dict[str, Any]) -> View:
        return {
            "id": row["id"],
            "name": row["name"],
            "ip_version": row["ip_version"],
            "prefixes": row["prefixes"],
            "default_prefixlen": row["default_prefixlen"],
            "min_prefixlen": row["min_prefixlen"],
            "max_prefixlen": row["max_prefixlen"],
            "default_quota": row["default_quota"],
            "shared": row["shared"],
            "is_default": row["is_default"],
            "address_scope_id": None,
        }

    def create(self, request: Request, tx: Transaction, body: Body, rules: list[str]) -> Row:
        for name in ("create_subnetpool", *rules):
            request.authorize(body, rule=name)
        self.check_quota(request, tx, body["project_id"])
        version = _version(body["prefixes"])
        if body["is_default"]:
            self._only_default(tx, version, None)
        row = {
            **standard(body["project_id"], body["description"]),
            "name": body["name"],
            "ip_version": version,
            "prefixes": addresses.merged_prefixes(body["prefixes"]),
            **_lengths(body, version),
            "default_quota": body["default_quota"],
            "shared": body["shared"],
            "is_default": body["is_default"],
        }
        tx.execute(insert(SUBNET_POOLS).values(**row))
        return row

    def update(self, request: Request, tx: Transaction, row: Row, body: Body) -> None:
        body.pop("address_scope_id", None)
        if "prefixes" in body:
            if _version(body["prefixes"]) != row["ip_version"]:
                raise errors.HTTPBadRequest("Cannot mix IPv4 and IPv6 prefixes in a subnet pool.")
            wanted = [ipaddress.ip_network(prefix) for prefix in body["prefixes"]]
            for prefix in map(ipaddress.ip_network, row["prefixes"]):
                if not any(prefix.subnet_of(outer) for outer in wanted):  # type: ignore[arg-type]
                    raise errors.HTTPBadRequest(
                        "Illegal update to prefixes: Existing prefixes must be a subset of the new prefixes."
                    )
            body["prefixes"] = addresses.merged_prefixes(body["prefixes"])
        body.update(_lengths({**row, **{k: v for k, v in body.items() if v is not None}}, row["ip_version"]))
        if body.get("is_default"):
            self._only_default(tx, row["ip_version"], row["id"])
        self.save(tx, row, body)

    def delete(self, request: Request, tx: Transaction, row: Row) -> None:
        if fetch_value(tx, select(SUBNETS.c.id).where(SUBNETS.c.subnetpool_id == row["id"]).limit(1)):
            raise errors.SubnetPoolInUse(id=row["id"], reason="Subnet pool has existing allocations")
        self.delete_row(tx, row)

    def _only_default(self, tx: Transaction, version: int, pool_id: str | None) -> None:
        other = fetch_value(
            tx,
            select(SUBNET_POOLS.c.id).where(
                SUBNET_POOLS.c.is_default.is_(True), SUBNET_POOLS.c.ip_version == version
            ),
        )
        if other not in (None, pool_id):
            raise errors.InvalidInput(reason=f"A default subnetpool for IPv{version} exists already: {other}")


def _version(prefixes: list[str]) -> int:
    if not prefixes:
        raise errors.HTTPBadRequest("Empty subnet pool prefix list.")
    versions = {ipaddress.ip_network(prefix).version for prefix in prefixes}
    if len(versions) > 1:
        raise errors.HTTPBadRequest("Cannot mix IPv4 and IPv6 prefixes in a subnet pool.")
    return versions.pop()


def _lengths(body: Body, version: int) -> dict[str, int]:
    longest = 32 if version == 4 else 128
    smallest = body.get("min_prefixlen")
    smallest = smallest if smallest is not None else (8 if version == 4 else 64)
    largest = body.get("max_prefixlen")
    largest = largest if largest is not None else longest
    default = body.get("default_prefixlen")
    default = default if default is not None else smallest
    if largest > longest or not smallest <= default <= largest:
        raise errors.HTTPBadRequest(
            f"Illegal prefix bounds: min_prefixlen={smallest}, default_prefixlen={default}, "
            f"max_prefixlen={largest}."
        )
    return {"min_prefixlen": smallest, "max_prefixlen": largest, "default_prefixlen": default}


SUBNET_POOLS_API = SubnetPools()
