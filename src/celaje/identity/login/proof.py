"""What a login method found: who it is, and what bounds the token that follows from it."""

from dataclasses import dataclass, field
from typing import Any

from celaje.common.tokens import Token

Row = dict[str, Any]


@dataclass(slots=True)
class Proof:
    """`user` is a row of `db/logins.py`. `token` is the one that was shown, `credential` the application
    credential, `access` OAuth1's access token; they bound scope and expiry, as `trust_id` and `project_id`
    do for EC2 credentials. `groups` are those that an identity provider vouches for. `thumbprint` is that of
    a client's certificate."""

    user: Row
    methods: tuple[str, ...]
    token: Token | None = None
    credential: Row | None = None
    access: Row | None = None
    trust_id: str | None = None
    project_id: str | None = None
    expires_at: float | None = None
    audit_chain: tuple[str, ...] = field(default=())
    groups: tuple[str, ...] = field(default=())
    identity_provider_id: str | None = None
    protocol_id: str | None = None
    thumbprint: str | None = None
