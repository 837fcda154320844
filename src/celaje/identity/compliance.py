"""The operator's rules about passwords ([security_compliance]): form, age, history.

Called by whoever sets a password, before and inside the unit that does.
"""

import datetime
import re
from typing import Any

from sqlalchemy import bindparam, delete, insert, select

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.identity.db.statements import tuples
from celaje.identity.db.tables import PASSWORD_HISTORY
from celaje.identity.errors import Invalid
from celaje.identity.ids import new_id

Row = dict[str, Any]

_H = PASSWORD_HISTORY.c
_OF_USER = (
    select(_H.id, _H.password_hash)
    .where(_H.user_id == bindparam("user_id"))
    .order_by(_H.created_at.desc(), _H.id)
)


def check_form(password: str, conf: Any) -> None:
    """Raises Invalid for a password that is too long, or not what the operator's pattern asks for."""
    if len(password) > conf.identity.max_password_length:
        raise Invalid(
            f"The password length must be less than or equal to {conf.identity.max_password_length}."
        )
    rules = conf.security_compliance
    if rules.password_regex and not re.match(rules.password_regex, password):
        about = rules.password_regex_description or ""
        raise Invalid(f"The password does not match the requirements: {about}.")


def expiry(conf: Any, options: Row, *, by_others: bool) -> datetime.datetime | None:
    """When a password that is set now has to be changed. `by_others`: somebody else has set it."""
    rules = conf.security_compliance
    if (
        by_others
        and rules.change_password_upon_first_use
        and not options.get("ignore_change_password_upon_first_use")
    ):
        return clock.now()
    days = rules.password_expires_days
    if not days or options.get("ignore_password_expiry"):
        return None
    return clock.now() + datetime.timedelta(days=days)


def check_age(user: Row, conf: Any) -> None:
    """Raises Invalid when the user changed their password too short a time ago."""
    days = conf.security_compliance.minimum_password_age
    if not days or not user["password_self_service"] or user["password_set_at"] is None:
        return
    earliest = user["password_set_at"] + datetime.timedelta(days=days)
    if clock.now() < earliest:
        raise Invalid(
            f"Cannot change password before minimum age {days} days is met. It is allowed in "
            f"{(earliest - clock.now()).days} days."
        )


def earlier_hashes(tx: Transaction, user_id: str) -> list[str]:
    """Newest first, without the present one."""
    return [row[1] for row in tuples(tx, _OF_USER, user_id=user_id)]


def check_history(service: Any, password: str, hashes: list[str]) -> None:
    """`hashes` newest first, with the present one. Raises Invalid for a password that was in use lately."""
    count = service.conf.security_compliance.unique_last_password_count
    if any(service.passwords.verify(password, stored) for stored in hashes[:count]):
        raise Invalid(
            "The new password cannot be identical to a previous password. The total number which includes "
            f"the new password must be unique is {count}."
        )


def remember(tx: Transaction, user: Row, conf: Any) -> None:
    """Keep the hash that is about to go; as many as the rules look at."""
    keep = conf.security_compliance.unique_last_password_count - 1
    if keep > 0 and user["password_hash"]:
        tx.execute(
            insert(PASSWORD_HISTORY).values(
                id=new_id(),
                user_id=user["id"],
                password_hash=user["password_hash"],
                created_at=clock.now(),
            )
        )
    surplus = [row[0] for row in tuples(tx, _OF_USER, user_id=user["id"])[max(keep, 0) :]]
    if surplus:
        tx.execute(delete(PASSWORD_HISTORY).where(_H.id.in_(surplus)))
