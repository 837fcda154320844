"""One-time passwords by time (RFC 6238): six digits of a seed that the user keeps as a credential."""

import base64
import binascii
import hmac
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from sqlalchemy import bindparam, select

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.tokens import seconds
from celaje.identity.db.statements import values
from celaje.identity.db.tables import CREDENTIALS

_LENGTH = 6
_PERIOD = 30
_SEEDS = select(CREDENTIALS.c.blob).where(
    CREDENTIALS.c.user_id == bindparam("user_id"), CREDENTIALS.c.type == "totp"
)


def seeds_of(tx: Transaction, user_id: str) -> list[str]:
    """Sealed, as they are stored."""
    return values(tx, _SEEDS, user_id=user_id)


def passcodes(seed: str, earlier: int) -> list[str]:
    """The passcode of now and of `earlier` periods before. Raises ValueError for what is no seed."""
    padded = seed.strip() + "=" * (-len(seed.strip()) % 8)
    try:
        key = base64.b32decode(padded, casefold=True)
    except binascii.Error as error:
        raise ValueError("not base32") from error
    totp = TOTP(key, _LENGTH, hashes.SHA1(), _PERIOD, enforce_key_length=False)
    now = seconds(clock.now())
    return [totp.generate(int(now - _PERIOD * back)).decode() for back in range(earlier + 1)]


def matches(service: Any, sealed_seeds: list[str], passcode: str) -> bool:
    found = False
    for sealed in sealed_seeds:
        seed = service.vault.unseal(sealed.encode())
        try:
            codes = passcodes(seed, service.conf.totp.included_previous_windows) if seed else []
        except ValueError:
            continue
        for code in codes:
            found |= hmac.compare_digest(code.encode(), passcode.encode())
    return found
