"""Checking a rule against what a request is about, before telling whether that exists.

A caller whom the rule refuses learns nothing: for somebody who may see only their own, a resource that is
not there reads as forbidden, as in Keystone.
"""

from collections.abc import Mapping
from typing import Any

from celaje.common.errors import CelajeError
from celaje.common.wsgi import Request

Row = dict[str, Any]


def checked(
    request: Request, row: Row | None, kind: str, missing: CelajeError, rule: str | None = None
) -> Row:
    """`row` if the rule lets the caller have it; `missing` is raised where there is none.
    The rule's target is `target.<kind>.*`."""
    request.authorize(target({kind: row}), rule=rule)
    if row is None:
        raise missing
    return row


def target(
    rows: Mapping[str, Row | None] | None = None, *, user_id: str | None = None, domain_id: str | None = None
) -> Row:
    """What rules read: flat keys such as `target.project.domain_id`; rows that are None give none.
    `user_id` is the owner in rules of the old form, `domain_id` the domain that a list is bound to."""
    found: Row = {}
    if user_id is not None:
        found["user_id"] = user_id
    if domain_id is not None:
        found["target.domain_id"] = domain_id
    for kind, row in (rows or {}).items():
        if row is not None:
            for name in ("id", "domain_id", "name", "user_id"):
                if name in row:
                    # "" is how the tables say that no domain is above; rules know None.
                    found[f"target.{kind}.{name}"] = row[name] if row[name] != "" else None
    return found


def callers_domain(request: Request) -> str:
    """The domain of what a request makes without naming one: that of its token."""
    context = request.context
    if context.domain_id:
        return context.domain_id
    if context.project_domain_id:
        return context.project_domain_id
    return request.service.conf.identity.default_domain_id
