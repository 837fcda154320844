"""Limits of the image service: bytes per owner, and how much may hang on one image.

Usage is counted from the rows in the transaction that adds to it, so it cannot drift.
"""

from typing import Any

from celaje.common.db import Transaction, serialise
from celaje.image.db import images
from celaje.image.errors import LimitExceeded, StorageQuotaFull

_UNITS = {"B": 0, "KB": 10, "MB": 20, "GB": 30, "TB": 40}


def storage_quota(conf: Any) -> int | None:
    """user_storage_quota in bytes; None without a limit."""
    text = conf.user_storage_quota.strip().upper()
    digits = text.rstrip("BKMGT ")
    quota = int(digits) << _UNITS[text[len(digits) :].strip() or "B"]
    return quota or None


def room(tx: Transaction, conf: Any, owner: str | None) -> int:
    """Most bytes that one more image of this owner may have."""
    quota = storage_quota(conf)
    if quota is None:
        return conf.image_size_cap
    remaining = quota - images.usage(tx, owner)
    if remaining <= 0:
        raise StorageQuotaFull(remaining=0)
    return min(conf.image_size_cap, remaining)


def check_storage(tx: Transaction, conf: Any, owner: str | None, size: int) -> None:
    """Before `size` more bytes count: other uploads of the owner may have ended meanwhile."""
    quota = storage_quota(conf)
    if quota is not None:
        serialise(tx, f"quota {owner}")
    if quota is not None and images.usage(tx, owner) + size > quota:
        raise StorageQuotaFull(remaining=max(0, quota - images.usage(tx, owner)))


def check_count(what: str, attempted: int, maximum: int) -> None:
    """`what` is "tags", "properties" or "members"; a negative maximum is no limit."""
    if 0 <= maximum < attempted:
        raise LimitExceeded(what=what, attempted=attempted, maximum=maximum)
