"""Queries of policies that are kept for other services, and of what they are associated with."""

from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update

from celaje.common.db import Transaction
from celaje.identity.db.statements import many, one
from celaje.identity.db.tables import ENDPOINTS, POLICIES, POLICY_ASSOCIATIONS, REGIONS
from celaje.identity.errors import PolicyAssociationNotFound, PolicyNotFound

Row = dict[str, Any]

_A = POLICY_ASSOCIATIONS.c
_BY_ID = select(POLICIES).where(POLICIES.c.id == bindparam("id"))
_EXACT = select(POLICY_ASSOCIATIONS).where(
    _A.endpoint_id == bindparam("endpoint_id"),
    _A.service_id == bindparam("service_id"),
    _A.region_id == bindparam("region_id"),
)
_OF_POLICY = select(POLICY_ASSOCIATIONS).where(_A.policy_id == bindparam("policy_id"))
_BELOW = select(REGIONS.c.id).where(REGIONS.c.parent_region_id.in_(bindparam("above", expanding=True)))
_PARENT = select(REGIONS.c.parent_region_id).where(REGIONS.c.id == bindparam("id"))


def get(tx: Transaction, policy_id: str) -> Row:
    row = one(tx, _BY_ID, id=policy_id)
    if row is None:
        raise PolicyNotFound(id=policy_id)
    return row


def create(tx: Transaction, row: Row) -> None:
    tx.execute(insert(POLICIES).values(**row))


def change(tx: Transaction, policy_id: str, values: Row) -> None:
    tx.execute(update(POLICIES).where(POLICIES.c.id == policy_id).values(**values))


def remove(tx: Transaction, policy_id: str) -> None:
    tx.execute(delete(POLICIES).where(POLICIES.c.id == policy_id))


def place(endpoint_id: str = "", service_id: str = "", region_id: str = "") -> Row:
    """What a policy is associated with: an endpoint, a service, or a service in a region."""
    return {"endpoint_id": endpoint_id, "service_id": service_id, "region_id": region_id}


def _at(where: Row) -> list[Any]:
    return [_A[name] == value for name, value in where.items()]


def associate(tx: Transaction, policy_id: str, where: Row) -> None:
    """A place has one policy; the newest takes it."""
    tx.execute(delete(POLICY_ASSOCIATIONS).where(*_at(where)))
    tx.execute(insert(POLICY_ASSOCIATIONS).values(policy_id=policy_id, **where))


def check_associated(tx: Transaction, policy_id: str, where: Row) -> None:
    row = one(tx, _EXACT, **where)
    if row is None or row["policy_id"] != policy_id:
        raise PolicyAssociationNotFound()


def dissociate(tx: Transaction, policy_id: str, where: Row) -> None:
    tx.execute(delete(POLICY_ASSOCIATIONS).where(*_at(where)))


def forget_places(tx: Transaction, **gone: str) -> None:
    """The endpoint, service or region is deleted."""
    tx.execute(delete(POLICY_ASSOCIATIONS).where(*_at(gone)))


def endpoints_of(tx: Transaction, policy_id: str) -> list[Row]:
    found: dict[str, Row] = {}
    for row in many(tx, _OF_POLICY, policy_id=policy_id):
        if row["endpoint_id"]:
            wanted = [ENDPOINTS.c.id == row["endpoint_id"]]
        else:
            wanted = [ENDPOINTS.c.service_id == row["service_id"]]
            if row["region_id"]:
                wanted.append(ENDPOINTS.c.region_id.in_(_with_those_below(tx, row["region_id"])))
        found.update({each["id"]: each for each in many(tx, select(ENDPOINTS).where(*wanted))})
    return list(found.values())


def _with_those_below(tx: Transaction, region_id: str) -> list[str]:
    found = {region_id}
    level = [region_id]
    while level:
        level = [row[0] for row in tx.execute(_BELOW, {"above": level}) if row[0] not in found]
        found.update(level)
    return sorted(found)


def of_endpoint(tx: Transaction, endpoint: Row) -> Row | None:
    """The nearest: of the endpoint itself, of its service in its region or one above, of its service."""
    places = [place(endpoint_id=endpoint["id"])]
    region_id, seen = endpoint["region_id"], set()
    while region_id and region_id not in seen:
        seen.add(region_id)
        places.append(place(service_id=endpoint["service_id"], region_id=region_id))
        region_id = tx.execute(_PARENT, {"id": region_id}).scalar()
    places.append(place(service_id=endpoint["service_id"]))
    for where in places:
        row = one(tx, _EXACT, **where)
        if row is not None:
            return get(tx, row["policy_id"])
    return None
