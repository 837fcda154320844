"""Rules that ask for several methods, and receipts: what a login that showed only some of them gets.

A receipt is sealed with the keys of the tokens; its payload has another form, so neither passes for the
other. Source: Identity API v3, "Multi-Factor Authentication", and the user options
`multi_factor_auth_enabled` and `multi_factor_auth_rules`.
"""

from typing import Any

import msgspec
from cryptography.fernet import InvalidToken

from celaje.common import clock
from celaje.common.errors import Unauthorized
from celaje.common.tokens import KeyRepository, seconds
from celaje.identity.errors import LoginFailed
from celaje.identity.login.proof import Proof

Row = dict[str, Any]

_LONGEST = 4096


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """Times are seconds since 1970."""

    receipt_user_id: str
    methods: tuple[str, ...]
    issued_at: float
    expires_at: float


class InsufficientMethods(Unauthorized):
    """The methods shown so far are right and not enough; the receipt stands for them."""

    text = "Additional authentications steps required."

    def __init__(self, proof: Proof, receipt: Receipt, sealed: str, missing: list[list[str]]):
        super().__init__(cause=f"user {proof.user['id']} has to show more than {', '.join(proof.methods)}")
        self.user = proof.user
        self.receipt = receipt
        self.sealed = sealed
        self.missing = missing


def add_receipt(keys: KeyRepository, proof: Proof, text: str | None) -> None:
    """Count the methods of an earlier login of the same user. Raises LoginFailed for a receipt that does not
    hold."""
    if not text:
        return
    receipt = _open(keys, text)
    if receipt is None or receipt.expires_at <= seconds(clock.now()):
        raise LoginFailed(cause="the receipt is not one of ours, or has expired")
    if receipt.receipt_user_id != proof.user["id"]:
        raise LoginFailed(cause="the receipt is another user's")
    proof.methods = tuple(dict.fromkeys((*receipt.methods, *proof.methods)))


def _open(keys: KeyRepository, text: str) -> Receipt | None:
    if len(text) > _LONGEST or not text.isascii():
        return None
    padded = (text + "=" * (-len(text) % 4)).encode()
    try:
        return msgspec.msgpack.decode(keys.fernet.decrypt(padded), type=Receipt)
    except (InvalidToken, msgspec.DecodeError, ValueError):
        return None


def check(keys: KeyRepository, proof: Proof, known: frozenset[str], lifetime: int) -> None:
    """Raises InsufficientMethods unless one of the user's rules is fulfilled. `known` are the methods that
    this cloud has: a rule cannot ask for others."""
    options = proof.user["options"]
    if "token" in proof.methods or not options.get("multi_factor_auth_enabled", True):
        return
    rules = [
        [method for method in rule if method in known]
        for rule in options.get("multi_factor_auth_rules") or ()
    ]
    rules = [rule for rule in rules if rule]
    # Rules of which nothing can be fulfilled would lock the user out for good.
    if not rules or any(set(rule) <= set(proof.methods) for rule in rules):
        return
    now = seconds(clock.now())
    receipt = Receipt(
        receipt_user_id=proof.user["id"], methods=proof.methods, issued_at=now, expires_at=now + lifetime
    )
    sealed = keys.fernet.encrypt(msgspec.msgpack.encode(receipt)).decode().rstrip("=")
    raise InsufficientMethods(proof, receipt, sealed, rules)
