"""Traits: the standard ones by name, custom ones as rows, and which provider has which. Called by handlers
and by the query of allocation candidates."""

from collections.abc import Collection, Iterable

from sqlalchemy import bindparam, delete, select

from celaje.common import clock
from celaje.common.db import DuplicateRow, Transaction
from celaje.placement.db.tables import PROVIDER_TRAITS, TRAITS
from celaje.placement.errors import UnknownTraits
from celaje.placement.standard_traits import STANDARD_TRAITS

_CUSTOM = select(TRAITS.c.name)
_BY_NAME = select(TRAITS.c.name).where(TRAITS.c.name == bindparam("name"))
_ASSOCIATED = select(PROVIDER_TRAITS.c.trait).distinct()
_OF_PROVIDER = (
    select(PROVIDER_TRAITS.c.trait)
    .where(PROVIDER_TRAITS.c.provider_id == bindparam("provider_id"))
    .order_by(PROVIDER_TRAITS.c.trait)
)
_SOME_PROVIDER = (
    select(PROVIDER_TRAITS.c.provider_id).where(PROVIDER_TRAITS.c.trait == bindparam("name")).limit(1)
)


def is_standard(name: str) -> bool:
    return name in STANDARD_TRAITS


def exists(tx: Transaction, name: str) -> bool:
    return name in STANDARD_TRAITS or tx.execute(_BY_NAME, {"name": name}).first() is not None


def list_names(tx: Transaction, associated: bool | None = None) -> list[str]:
    """All names, or only those that some provider has (True) or none has (False)."""
    names = STANDARD_TRAITS | {row[0] for row in tx.execute(_CUSTOM)}
    if associated is not None:
        used = {row[0] for row in tx.execute(_ASSOCIATED)}
        names = names & used if associated else names - used
    return sorted(names)


def check(tx: Transaction, names: Iterable[str]) -> None:
    """Raises UnknownTraits with every name that is none."""
    custom = [name for name in set(names) if name not in STANDARD_TRAITS]
    if custom:
        known = {row[0] for row in tx.execute(_CUSTOM.where(TRAITS.c.name.in_(custom)))}
        if missing := sorted(set(custom) - known):
            raise UnknownTraits(names=", ".join(missing))


def create(tx: Transaction, name: str) -> bool:
    """False: it was there."""
    if exists(tx, name):
        return False
    try:
        with tx.attempt():
            tx.execute(TRAITS.insert(), {"name": name, "created_at": clock.now()})
    except DuplicateRow:
        return False
    return True


def in_use(tx: Transaction, name: str) -> bool:
    return tx.execute(_SOME_PROVIDER, {"name": name}).first() is not None


def remove(tx: Transaction, name: str) -> bool:
    return tx.execute(delete(TRAITS).where(TRAITS.c.name == name)).rowcount == 1


def of_provider(tx: Transaction, provider_id: int) -> list[str]:
    return [row[0] for row in tx.execute(_OF_PROVIDER, {"provider_id": provider_id})]


def replace(tx: Transaction, provider_id: int, names: Collection[str]) -> None:
    tx.execute(delete(PROVIDER_TRAITS).where(PROVIDER_TRAITS.c.provider_id == provider_id))
    if names:
        rows = [{"provider_id": provider_id, "trait": name} for name in sorted(set(names))]
        tx.execute(PROVIDER_TRAITS.insert(), rows)
