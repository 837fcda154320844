"""Queries of federation: identity providers, protocols, mappings, and the users that came through them."""

import datetime
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update

from celaje.common import clock
from celaje.common.db import DuplicateRow, Transaction
from celaje.identity.db.statements import many, one, tuples, values
from celaje.identity.db.tables import (
    EXPIRING_MEMBERSHIPS,
    FEDERATED_USERS,
    IDENTITY_PROVIDERS,
    MAPPINGS,
    PROTOCOLS,
    REMOTE_IDS,
)
from celaje.identity.errors import IdentityProviderNotFound, MappingNotFound, ProtocolNotFound, Taken

Row = dict[str, Any]

_F = FEDERATED_USERS.c
_E = EXPIRING_MEMBERSHIPS.c
_PROVIDER = select(IDENTITY_PROVIDERS).where(IDENTITY_PROVIDERS.c.id == bindparam("id"))
_REMOTES = (
    select(REMOTE_IDS.c.remote_id)
    .where(REMOTE_IDS.c.identity_provider_id == bindparam("id"))
    .order_by(REMOTE_IDS.c.remote_id)
)
_BY_REMOTE = select(REMOTE_IDS.c.identity_provider_id).where(REMOTE_IDS.c.remote_id == bindparam("remote_id"))
_MAPPING = select(MAPPINGS).where(MAPPINGS.c.id == bindparam("id"))
_PROTOCOL = select(PROTOCOLS).where(
    PROTOCOLS.c.identity_provider_id == bindparam("provider_id"), PROTOCOLS.c.id == bindparam("id")
)
_PROTOCOLS_OF = (
    select(PROTOCOLS)
    .where(PROTOCOLS.c.identity_provider_id == bindparam("provider_id"))
    .order_by(PROTOCOLS.c.id)
)
_USER = select(FEDERATED_USERS).where(
    _F.identity_provider_id == bindparam("provider_id"),
    _F.protocol_id == bindparam("protocol_id"),
    _F.unique_id == bindparam("unique_id"),
)
_USERS_OF = select(_F.user_id).where(_F.identity_provider_id == bindparam("provider_id"))
_OF_USER = (
    select(FEDERATED_USERS)
    .where(_F.user_id == bindparam("user_id"))
    .order_by(_F.identity_provider_id, _F.protocol_id, _F.unique_id)
)
_REMOTE_ATTRIBUTES = (
    select(PROTOCOLS.c.remote_id_attribute)
    .distinct()
    .where(PROTOCOLS.c.id == bindparam("id"), PROTOCOLS.c.remote_id_attribute.is_not(None))
)
_GROUPS = select(_E.group_id, _E.expires_at).where(
    _E.user_id == bindparam("user_id"), _E.expires_at > bindparam("now")
)


def provider(tx: Transaction, provider_id: str) -> Row:
    row = one(tx, _PROVIDER, id=provider_id)
    if row is None:
        raise IdentityProviderNotFound(id=provider_id)
    return {**row, "remote_ids": values(tx, _REMOTES, id=provider_id)}


def provider_of_remote(tx: Transaction, remote_id: str) -> str | None:
    return tx.execute(_BY_REMOTE, {"remote_id": remote_id}).scalar()


def create_provider(tx: Transaction, row: Row, remote_ids: list[str]) -> None:
    try:
        tx.execute(insert(IDENTITY_PROVIDERS).values(**row))
    except DuplicateRow as error:
        raise Taken(kind="identity_provider", what=f"Duplicate ID, {row['id']}.") from error
    _set_remote_ids(tx, row["id"], remote_ids)


def _set_remote_ids(tx: Transaction, provider_id: str, remote_ids: list[str]) -> None:
    tx.execute(delete(REMOTE_IDS).where(REMOTE_IDS.c.identity_provider_id == provider_id))
    for remote_id in remote_ids:
        try:
            tx.execute(insert(REMOTE_IDS).values(remote_id=remote_id, identity_provider_id=provider_id))
        except DuplicateRow as error:
            raise Taken(kind="identity_provider", what=f"Duplicate remote ID: {remote_id}") from error


def change_provider(tx: Transaction, provider_id: str, changes: Row, remote_ids: list[str] | None) -> None:
    if changes:
        tx.execute(update(IDENTITY_PROVIDERS).where(IDENTITY_PROVIDERS.c.id == provider_id).values(**changes))
    if remote_ids is not None:
        _set_remote_ids(tx, provider_id, remote_ids)


def remove_provider(tx: Transaction, provider_id: str) -> None:
    tx.execute(delete(IDENTITY_PROVIDERS).where(IDENTITY_PROVIDERS.c.id == provider_id))


def users_of(tx: Transaction, provider_id: str) -> list[str]:
    return values(tx, _USERS_OF, provider_id=provider_id)


def find_mapping(tx: Transaction, mapping_id: str) -> Row | None:
    return one(tx, _MAPPING, id=mapping_id)


def mapping(tx: Transaction, mapping_id: str) -> Row:
    row = find_mapping(tx, mapping_id)
    if row is None:
        raise MappingNotFound(id=mapping_id)
    return row


def create_mapping(tx: Transaction, row: Row) -> None:
    try:
        tx.execute(insert(MAPPINGS).values(**row))
    except DuplicateRow as error:
        raise Taken(kind="mapping", what=f"Duplicate ID, {row['id']}.") from error


def change_mapping(tx: Transaction, mapping_id: str, changes: Row) -> None:
    tx.execute(update(MAPPINGS).where(MAPPINGS.c.id == mapping_id).values(**changes))


def remove_mapping(tx: Transaction, mapping_id: str) -> None:
    tx.execute(delete(MAPPINGS).where(MAPPINGS.c.id == mapping_id))


def protocol(tx: Transaction, provider_id: str, protocol_id: str) -> Row:
    row = one(tx, _PROTOCOL, provider_id=provider_id, id=protocol_id)
    if row is None:
        raise ProtocolNotFound(id=protocol_id, identity_provider_id=provider_id)
    return row


def protocols_of(tx: Transaction, provider_id: str) -> list[Row]:
    return many(tx, _PROTOCOLS_OF, provider_id=provider_id)


def remote_attributes(tx: Transaction, protocol_id: str) -> list[str]:
    """Variables that the providers' protocols of that name say their provider is told by."""
    return values(tx, _REMOTE_ATTRIBUTES, id=protocol_id)


def create_protocol(tx: Transaction, row: Row) -> None:
    try:
        tx.execute(insert(PROTOCOLS).values(**row))
    except DuplicateRow as error:
        raise Taken(kind="federation_protocol", what=f"Duplicate ID, {row['id']}.") from error


def _that_protocol(provider_id: str, protocol_id: str) -> list[Any]:
    return [PROTOCOLS.c.identity_provider_id == provider_id, PROTOCOLS.c.id == protocol_id]


def change_protocol(tx: Transaction, provider_id: str, protocol_id: str, changes: Row) -> None:
    tx.execute(update(PROTOCOLS).where(*_that_protocol(provider_id, protocol_id)).values(**changes))


def remove_protocol(tx: Transaction, provider_id: str, protocol_id: str) -> None:
    tx.execute(delete(PROTOCOLS).where(*_that_protocol(provider_id, protocol_id)))


def user(tx: Transaction, provider_id: str, protocol_id: str, unique_id: str) -> Row | None:
    return one(tx, _USER, provider_id=provider_id, protocol_id=protocol_id, unique_id=unique_id)


def of_user(tx: Transaction, user_id: str) -> list[Row]:
    return many(tx, _OF_USER, user_id=user_id)


def add_user(tx: Transaction, row: Row) -> None:
    tx.execute(insert(FEDERATED_USERS).values(**row))


def remove_users(tx: Transaction, user_id: str) -> None:
    tx.execute(delete(FEDERATED_USERS).where(_F.user_id == user_id))


def rename_user(tx: Transaction, row: Row, display_name: str) -> None:
    key = ("identity_provider_id", "protocol_id", "unique_id")
    tx.execute(
        update(FEDERATED_USERS)
        .where(*(_F[name] == row[name] for name in key))
        .values(display_name=display_name)
    )


def groups_of(tx: Transaction, user_id: str) -> tuple[str, ...]:
    """Those of the last federated login that still hold."""
    return tuple(expiring_groups(tx, user_id))


def expiring_groups(tx: Transaction, user_id: str) -> dict[str, datetime.datetime]:
    """The same, with when they end."""
    found: dict[str, datetime.datetime] = {}
    for group_id, until in tuples(tx, _GROUPS, user_id=user_id, now=clock.now()):
        # Two providers may vouch for one group.
        found[group_id] = max(until, found.get(group_id, until))
    return found


def keep_groups(
    tx: Transaction, user_id: str, provider_id: str, group_ids: list[str], until: datetime.datetime
) -> None:
    tx.execute(
        delete(EXPIRING_MEMBERSHIPS).where(_E.user_id == user_id, _E.identity_provider_id == provider_id)
    )
    rows = [
        {"user_id": user_id, "group_id": each, "identity_provider_id": provider_id, "expires_at": until}
        for each in group_ids
    ]
    if rows:
        tx.execute(insert(EXPIRING_MEMBERSHIPS), rows)
