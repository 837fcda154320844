"""Rows that must always exist. Called by the service before anything runs."""

from celaje.common import clock
from celaje.common.db import DuplicateRow, Transaction
from celaje.volume.db import group_types, types

DEFAULT_TYPE = "__DEFAULT__"


def default_type(tx: Transaction, configured: str) -> None:
    """The type of volumes that ask for none. An operator may name another in `default_volume_type`, which
    is then expected to exist; `__DEFAULT__` is there in any case, as in Cinder."""
    if types.by_name(tx, DEFAULT_TYPE) is not None:
        return
    row = {
        "id": clock.new_uuid(),
        "name": DEFAULT_TYPE,
        "description": "Default Volume Type",
        "is_public": True,
        "extra_specs": {},
        "created_at": clock.now(),
    }
    try:
        with tx.attempt():
            types.insert_type(tx, row)
    except DuplicateRow:  # another API node was first
        return


def consistency_group_type(tx: Transaction) -> None:
    """The group type of the old consistency groups, which are groups of this type."""
    if group_types.by_name(tx, group_types.RESERVED_NAME) is not None:
        return
    row = {
        "id": clock.new_uuid(),
        "name": group_types.RESERVED_NAME,
        "description": "Default group type for migrating cgsnapshot",
        "is_public": True,
        "group_specs": {"consistent_group_snapshot_enabled": "<is> True"},
        "created_at": clock.now(),
    }
    try:
        with tx.attempt():
            group_types.insert(tx, row)
    except DuplicateRow:
        return
