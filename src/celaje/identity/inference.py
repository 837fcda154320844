"""Which roles there are and which imply which: from the roles someone was given to those in the token."""

from collections.abc import Iterable

from sqlalchemy import select

from celaje.common.db import Transaction, fetch_all
from celaje.identity.db.tables import IMPLIED_ROLES, ROLES

_ROLES = select(ROLES.c.id, ROLES.c.name, ROLES.c.domain_id)
_RULES = select(IMPLIED_ROLES.c.prior_role_id, IMPLIED_ROLES.c.implied_role_id)


class Inference:
    def __init__(self, roles: dict[str, tuple[str, str]], implied: dict[str, set[str]]):
        self.roles = roles  # id -> (name, domain id)
        self.implied = implied
        self._expanded: dict[frozenset[str], tuple[tuple[str, str], ...]] = {}

    @classmethod
    def load(cls, tx: Transaction) -> "Inference":
        roles = {row["id"]: (row["name"], row["domain_id"]) for row in fetch_all(tx, _ROLES)}
        implied: dict[str, set[str]] = {}
        for row in fetch_all(tx, _RULES):
            implied.setdefault(row["prior_role_id"], set()).add(row["implied_role_id"])
        return cls(roles, implied)

    def closure(self, role_ids: Iterable[str]) -> set[str]:
        """The roles themselves and everything that they imply."""
        found: set[str] = set()
        pending = list(role_ids)
        while pending:
            role_id = pending.pop()
            if role_id not in found:
                found.add(role_id)
                pending.extend(self.implied.get(role_id, ()))
        return found

    def in_token(self, role_ids: Iterable[str]) -> tuple[tuple[str, str], ...]:
        """(id, name) pairs for a token. A domain's own role is there for what it implies only."""
        key = frozenset(role_ids)
        pairs = self._expanded.get(key)
        if pairs is None:
            known = [
                (role_id, *self.roles[role_id]) for role_id in self.closure(key) if role_id in self.roles
            ]
            pairs = tuple(sorted(((i, name) for i, name, domain in known if not domain), key=lambda p: p[1]))
            if len(self._expanded) < 1000:
                self._expanded[key] = pairs
        return pairs
