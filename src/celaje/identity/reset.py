"""A new password for a user whose old one nobody knows: what `celaje identity reset-password` does.

The command finds the user and hands over a service that has its database and no life.
"""

from typing import Any

from celaje.common.db import Transaction
from celaje.common.errors import NotFound
from celaje.identity import compliance
from celaje.identity.api.users import password_columns
from celaje.identity.db import logins, users

Row = dict[str, Any]


def find_user(tx: Transaction, named: str, domain: str) -> Row:
    """By id, or by name in the domain of that id or name. Raises NotFound."""
    found = (
        logins.user_by_name(tx, named, domain_id=domain)
        or logins.user_by_name(tx, named, domain_name=domain)
        or users.find(tx, named)
    )
    if found is None:
        raise NotFound(f"There is no user {named} in the domain {domain}, and no id {named}.")
    return users.get(tx, found["id"])


def reset_password(service: Any, user: Row, password: str) -> None:
    """All tokens of the user are revoked, a lock after failed logins is lifted. Raises Invalid for a password
    that the operator's rules refuse."""
    columns = password_columns(service, password, user["options"])

    def unit(tx: Transaction) -> None:
        row = users.get(tx, user["id"])
        compliance.remember(tx, row, service.conf)
        users.change(tx, row, {**columns, "failed_login_at": None})
        service.revoking.revoke(tx, {"user_id": user["id"]})

    service.database.write(unit)
