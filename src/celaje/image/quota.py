"""Limits of the image service: bytes per owner, and how much may hang on one image.

Usage is counted from the rows in the transaction that adds to it, so it cannot drift.
"""

from typing import Any

from celaje.common.db import Transaction, serialise
from celaje.image.db import images
from celaje.image.errors import LimitExceeded, ProjectOverLimit, StorageQuotaFull
from celaje.image.limits import UNLIMITED

_MIB = 1 << 20
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


def enforce(tx: Transaction, limits: dict[str, int], owner: str | None, **more: int) -> None:
    """Compare the owner's use with identity's limits of the named resources; the numbers are what comes to it
    now. As Glance does it, what is on its way counts when it has come: a project may go over once."""
    asked = {name: added for name, added in more.items() if limits[name] != UNLIMITED}
    if not asked:
        return
    serialise(tx, f"quota {owner}")
    used = usage(tx, owner)
    for name, added in asked.items():
        if used[name] + added > limits[name]:
            raise ProjectOverLimit(
                project=owner, resource=name, limit=limits[name], current=used[name], added=added
            )


def usage(tx: Transaction, owner: str | None) -> dict[str, int]:
    """By resource of unified limits, counted from the rows."""
    found = images.counted(tx, owner)
    return {
        "image_size_total": found["stored"] // _MIB,
        "image_stage_total": found["staged"] // _MIB,
        "image_count_total": found["images"],
        "image_count_uploading": found["uploading"],
    }


def check_count(what: str, attempted: int, maximum: int) -> None:
    """`what` is "tags", "properties" or "members"; a negative maximum is no limit."""
    if 0 <= maximum < attempted:
        raise LimitExceeded(what=what, attempted=attempted, maximum=maximum)
