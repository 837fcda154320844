"""Finding and accepting the user that a login names; all refusals read alike outside."""

import datetime
from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.identity.db import logins
from celaje.identity.errors import AccountLocked, Invalid, LoginFailed, PasswordExpired

Row = dict[str, Any]


def find(tx: Transaction, named: Row) -> Row | None:
    """The user of `{"id": ..}` or `{"name": .., "domain": {..}}`."""
    if not named.get("name"):
        if named.get("id"):
            return logins.user(tx, named["id"])
        raise Invalid("Invalid input for field identity/password/user: id or name must be present.")
    domain = named.get("domain")
    if domain is None:
        raise Invalid("Expecting to find domain in user.")
    if not {"id", "name"} & domain.keys():
        raise Invalid("Invalid input for field identity/password/user/domain: id or name must be present.")
    return logins.user_by_name(tx, named["name"], domain_id=domain.get("id"), domain_name=domain.get("name"))


def check_usable(user: Row) -> None:
    """Raises LoginFailed for a disabled user or domain."""
    if not user["enabled"]:
        raise LoginFailed(cause=f"user {user['id']} is disabled")
    if not user["domain_enabled"]:
        raise LoginFailed(cause=f"domain {user['domain_id']} is disabled")


def check_password_age(user: Row) -> None:
    expires = user["password_expires_at"]
    exempt = user["options"].get("ignore_password_expiry")
    if expires is not None and not exempt and expires <= clock.now():
        raise PasswordExpired(user_id=user["id"])


def check_not_locked(user: Row, compliance: Any) -> None:
    """Raises AccountLocked after too many failed logins within the time of the lock. `compliance` are the
    options of [security_compliance]."""
    attempts = compliance.lockout_failure_attempts
    if not attempts or user["options"].get("ignore_lockout_failure_attempts"):
        return
    failed_at = user["failed_login_at"]
    if user["failed_logins"] < attempts or failed_at is None:
        return
    if clock.now() < failed_at + datetime.timedelta(seconds=compliance.lockout_duration):
        raise AccountLocked(user_id=user["id"])


def check_active(user: Row, days: int | None) -> None:
    """Raises LoginFailed for a user who has not logged in for `days`."""
    if not days or user["options"].get("ignore_user_inactivity"):
        return
    last = user["last_active_at"] or user["created_at"]
    if last is not None and clock.now() - last > datetime.timedelta(days=days):
        raise LoginFailed(cause=f"user {user['id']} has been inactive for too long")


def note_activity(tx: Transaction, user: Row) -> None:
    """Days are counted: once a day is enough."""
    now = clock.now()
    last = user["last_active_at"]
    if last is None or last.date() != now.date():
        logins.touch(tx, user["id"], now)
