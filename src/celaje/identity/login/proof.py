"""What a login method found: who it is, and what bounds the token that follows from it."""

from dataclasses import dataclass, field
from typing import Any

from celaje.common.tokens import Token

Row = dict[str, Any]


@dataclass(slots=True)
class Proof:
    """`user` is a row of `db/logins.py`. `token` is the one that was shown, `credential` the application
    credential; both bound scope and expiry."""

    user: Row
    methods: tuple[str, ...]
    token: Token | None = None
    credential: Row | None = None
    expires_at: float | None = None
    audit_chain: tuple[str, ...] = field(default=())
