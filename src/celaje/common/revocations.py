"""Revocation events: what every API node must know to refuse a token that still looks valid.

Identity writes an event for each change that Keystone would notice when it validates; nodes get them by
fanout at once, and read the list periodically to close the gap of a lost message. Form and matching follow
the OS-REVOKE extension of the Identity API.
"""

import datetime
import hashlib
import threading
from collections.abc import Iterable
from typing import Any

import msgspec

from celaje.common import clock
from celaje.common.tokens import Token, TokenInvalid, moment, seconds


class RevocationEvent(msgspec.Struct, omit_defaults=True, frozen=True, kw_only=True):
    """Every field that is set must match; tokens issued before or at `issued_before` (seconds) are out."""

    id: str
    issued_before: float
    user_id: str | None = None
    project_id: str | None = None
    domain_id: str | None = None
    role_id: str | None = None
    audit_id: str | None = None
    audit_chain_id: str | None = None
    trust_id: str | None = None
    application_credential_id: str | None = None
    access_token_id: str | None = None
    expires_at: float | None = None

    def matches(self, token: Token) -> bool:
        if token.issued_at > self.issued_before:
            return False
        return all(
            (
                self.user_id is None or token.user_id == self.user_id or self.user_id in token.trust_user_ids,
                self.project_id is None or token.project_id == self.project_id,
                self.domain_id is None
                or self.domain_id in (token.domain_id, token.user_domain_id, token.project_domain_id),
                self.role_id is None or any(role_id == self.role_id for role_id, _ in token.roles),
                self.audit_id is None or token.audit_ids[:1] == (self.audit_id,),
                self.audit_chain_id is None or token.audit_ids[-1:] == (self.audit_chain_id,),
                self.trust_id is None or token.trust_id == self.trust_id,
                self.application_credential_id is None
                or token.application_credential_id == self.application_credential_id,
                self.access_token_id is None or token.access_token_id == self.access_token_id,
                self.expires_at is None or abs(token.expires_at - self.expires_at) < 1e-3,
            )
        )

    def to_api(self) -> dict[str, Any]:
        """The form of OS-REVOKE: times as ISO 8601, no id (it follows from the rest)."""
        data: dict[str, Any] = {"issued_before": _stamp(self.issued_before)}
        for field, name in _API_NAMES.items():
            value = getattr(self, field)
            if value is not None:
                data[name] = _stamp(value) if field == "expires_at" else value
        return data

    @classmethod
    def from_api(cls, data: dict[str, Any]) -> "RevocationEvent":
        fields = {field: data[name] for field, name in _API_NAMES.items() if data.get(name) is not None}
        if "expires_at" in fields:
            fields["expires_at"] = _seconds(fields["expires_at"])
        return new_event(_seconds(data["issued_before"]), **fields)


# Fields and how OS-REVOKE calls them.
_API_NAMES = {
    "user_id": "user_id",
    "project_id": "project_id",
    "domain_id": "domain_id",
    "role_id": "role_id",
    "audit_id": "audit_id",
    "audit_chain_id": "audit_chain_id",
    "trust_id": "OS-TRUST:trust_id",
    "application_credential_id": "application_credential_id",
    "access_token_id": "OS-OAUTH1:access_token_id",
    "expires_at": "expires_at",
}


def new_event(issued_before: float, **fields: Any) -> RevocationEvent:
    """An event whose id follows from its content, so that it is the same one whichever way it comes."""
    content = msgspec.json.encode([_stamp(issued_before), sorted(fields.items())])
    return RevocationEvent(id=hashlib.sha256(content).hexdigest()[:32], issued_before=issued_before, **fields)


def _stamp(value: float) -> str | None:
    return clock.iso(moment(value), microseconds=True, zulu=True)


def _seconds(text: str) -> float:
    return seconds(datetime.datetime.fromisoformat(text.removesuffix("Z")))


class Revocations:
    """The events that one node knows. `check` is on the path of every request: events are kept by what
    they name, so only those that could match are looked at."""

    def __init__(self, events: Iterable[RevocationEvent] = ()):
        self._lock = threading.Lock()
        self._ids: set[str] = set()
        self._by_name: dict[str, tuple[RevocationEvent, ...]] = {}
        self._others: tuple[RevocationEvent, ...] = ()
        for event in events:
            self.add(event)

    def add(self, event: RevocationEvent) -> None:
        with self._lock:
            if event.id in self._ids:
                return
            self._ids.add(event.id)
            name = event.user_id or event.project_id or event.audit_id or event.audit_chain_id
            if name:
                self._by_name[name] = (*self._by_name.get(name, ()), event)
            else:
                self._others = (*self._others, event)

    def check(self, token: Token) -> None:
        """Raises TokenInvalid for a token that an event matches."""
        if not self._ids:
            return
        names = (token.user_id, token.scope_id, *token.audit_ids, *token.trust_user_ids)
        for name in names:
            for event in self._by_name.get(name, ()) if name else ():
                if event.matches(token):
                    raise TokenInvalid()
        for event in self._others:
            if event.matches(token):
                raise TokenInvalid()

    def forget_before(self, oldest_issue: float) -> None:
        """Drop events about tokens that have all expired."""
        with self._lock:
            keep = [e for es in self._by_name.values() for e in es if e.issued_before >= oldest_issue]
            keep += [e for e in self._others if e.issued_before >= oldest_issue]
            self._ids, self._by_name, self._others = set(), {}, ()
        for event in keep:
            self.add(event)

    def __len__(self) -> int:
        return len(self._ids)
