"""Quotas: the resources that are counted, and the check that every new volume and snapshot passes.

Called by API handlers inside their unit. Usage is counted from rows, so it cannot drift from them.
"""

from collections.abc import Iterable
from typing import Any

from celaje.common.db import Transaction
from celaje.volume import errors
from celaje.volume.db import groups, quotas, types

# Resource -> the option that holds its default.
RESOURCES = {
    "volumes": "quota_volumes",
    "per_volume_gigabytes": "per_volume_size_limit",
    "snapshots": "quota_snapshots",
    "gigabytes": "quota_gigabytes",
    "backups": "quota_backups",
    "backup_gigabytes": "quota_backup_gigabytes",
    "groups": "quota_groups",
}
PER_TYPE = ("volumes", "gigabytes", "snapshots")


class Quotas:
    def __init__(self, conf: Any):
        self._defaults = {name: getattr(conf, option) for name, option in RESOURCES.items()}
        self._snapshots_cost = not conf.no_snapshot_gb_quota

    def defaults(self, tx: Transaction) -> dict[str, int]:
        """The limits of a project that has none of its own, those of every volume type included."""
        own, classes = quotas.limits(tx, None)
        return {**self._defaults, **self._unlimited_types(tx), **classes, **own}

    def limits(self, tx: Transaction, project_id: str) -> dict[str, int]:
        own, classes = quotas.limits(tx, project_id)
        return {**self._defaults, **self._unlimited_types(tx), **classes, **own}

    def usage(self, tx: Transaction, project_id: str, type_names: dict[str, str]) -> dict[str, int]:
        """In use, by resource; `type_names` are names by type id."""
        volumes, snapshots = quotas.usage(tx, project_id)
        used = dict.fromkeys(RESOURCES, 0)
        used.update({f"{what}_{name}": 0 for name in type_names.values() for what in PER_TYPE})
        used["groups"] = groups.count(tx, project_id)
        for counts, what in ((volumes, "volumes"), (snapshots, "snapshots")):
            for type_id, (number, gib) in counts.items():
                cost = gib if what == "volumes" or self._snapshots_cost else 0
                for suffix in ("", f"_{type_names[type_id]}" if type_id in type_names else None):
                    if suffix is not None:
                        used[what + suffix] += number
                        used["gigabytes" + suffix] += cost
        used["backups"], used["backup_gigabytes"] = quotas.backups(tx, project_id)
        return used

    def check_backup(self, tx: Transaction, project_id: str, size: int) -> None:
        """Room for one more backup of a volume of `size`; an incremental one counts as much."""
        quotas.lock(tx, project_id)
        limits = self._limits(tx, project_id)
        number, gib = quotas.backups(tx, project_id)
        if 0 <= limits["backup_gigabytes"] < gib + size:
            raise errors.VolumeBackupSizeExceedsAvailableQuota(
                requested=size, quota=limits["backup_gigabytes"], consumed=gib
            )
        if 0 <= limits["backups"] < number + 1:
            raise errors.BackupLimitExceeded(allowed=limits["backups"])

    def check_volume(
        self,
        tx: Transaction,
        project_id: str,
        volume_type: dict[str, Any],
        size: int,
        *,
        grow: int | None = None,
    ) -> None:
        """Room for one more volume of `size`, or, with `grow`, for that many GiB more on one there is."""
        quotas.lock(tx, project_id)
        limits = self._limits(tx, project_id)
        largest = limits["per_volume_gigabytes"]
        if 0 <= largest < size:
            raise errors.VolumeSizeExceedsLimit(size=size, limit=largest)
        volumes, snapshots = quotas.usage(tx, project_id)
        name = volume_type["name"]
        own = _of_type(tx, project_id, limits, volume_type, volumes)
        self._check_gigabytes(limits, (volumes, snapshots), volume_type, own, size if grow is None else grow)
        if grow is None:
            for resource, counts in (
                ("volumes", volumes.values()),
                (f"volumes_{name}", own),
            ):
                allowed = limits.get(resource, -1)
                if 0 <= allowed < _numbers(counts) + 1:
                    used = _numbers(counts)
                    raise errors.VolumeLimitExceeded(allowed=allowed, name=resource, used=used, requested=1)

    def check_group(self, tx: Transaction, project_id: str) -> None:
        """Room for one more group."""
        quotas.lock(tx, project_id)
        allowed, used = self._limits(tx, project_id)["groups"], groups.count(tx, project_id)
        if 0 <= allowed < used + 1:
            raise errors.GroupLimitExceeded(allowed=allowed, name="groups", used=used, requested=1)

    def check_type(self, tx: Transaction, project_id: str, volume_type: dict[str, Any], size: int) -> None:
        """Room for one of the project's volumes, of `size` GiB, among those of another type."""
        quotas.lock(tx, project_id)
        limits = self._limits(tx, project_id)
        volumes, snapshots = quotas.usage(tx, project_id)
        name = volume_type["name"]
        own = _of_type(tx, project_id, limits, volume_type, volumes)
        allowed = limits.get(f"volumes_{name}", -1)
        used = _numbers(own)
        if 0 <= allowed < used + 1:
            raise errors.VolumeLimitExceeded(allowed=allowed, name=f"volumes_{name}", used=used, requested=1)
        allowed = limits.get(f"gigabytes_{name}", -1)
        used = _sizes(own)
        used += _sizes(_of(snapshots, volume_type["id"])) if self._snapshots_cost else 0
        if 0 <= allowed < used + size:
            raise errors.VolumeSizeExceedsAvailableQuota(
                name=f"gigabytes_{name}", requested=size, quota=allowed, consumed=used
            )

    def check_snapshot(
        self, tx: Transaction, project_id: str, volume_type: dict[str, Any], size: int
    ) -> None:
        quotas.lock(tx, project_id)
        limits = self._limits(tx, project_id)
        volumes, snapshots = quotas.usage(tx, project_id)
        name, type_id = volume_type["name"], volume_type["id"]
        if self._snapshots_cost:
            own = _of_type(tx, project_id, limits, volume_type, volumes)
            self._check_gigabytes(limits, (volumes, snapshots), volume_type, own, size)
        for resource, counts in (
            ("snapshots", snapshots.values()),
            (f"snapshots_{name}", _of(snapshots, type_id)),
        ):
            allowed = limits.get(resource, -1)
            if 0 <= allowed < _numbers(counts) + 1:
                used = _numbers(counts)
                raise errors.SnapshotLimitExceeded(allowed=allowed, name=resource, used=used, requested=1)

    def check(
        self,
        tx: Transaction,
        project_id: str,
        volume_type: dict[str, Any],
        *,
        volumes: list[int],
        snapshots: list[int],
        beside: list[int] | None = None,
    ) -> None:
        """Room for several volumes and snapshots of one type at once, given as their sizes in GiB. `beside`:
        volumes of other types that come with them, and have no rows yet."""
        quotas.lock(tx, project_id)
        limits = self._limits(tx, project_id)
        largest = limits["per_volume_gigabytes"]
        for size in volumes:
            if 0 <= largest < size:
                raise errors.VolumeSizeExceedsLimit(size=size, limit=largest)
        held, shot = quotas.usage(tx, project_id)
        name, type_id = volume_type["name"], volume_type["id"]
        own = _of_type(tx, project_id, limits, volume_type, held)
        coming = [(1, size) for size in beside or ()]
        added = sum(volumes) + (sum(snapshots) if self._snapshots_cost else 0)
        self._check_gigabytes(limits, (held, shot), volume_type, own, added, coming=coming)
        for what, all_of_them, of_type, number, refused in (
            ("volumes", [*held.values(), *coming], own, len(volumes), errors.VolumeLimitExceeded),
            ("snapshots", shot.values(), _of(shot, type_id), len(snapshots), errors.SnapshotLimitExceeded),
        ):
            for resource, those in ((what, all_of_them), (f"{what}_{name}", of_type)):
                allowed = limits.get(resource, -1)
                used = _numbers(those)
                if number and 0 <= allowed < used + number:
                    raise refused(allowed=allowed, name=resource, used=used, requested=number)

    def _check_gigabytes(
        self,
        limits: dict[str, int],
        counted: tuple[quotas.Counts, quotas.Counts],
        volume_type: dict[str, Any],
        own: list[tuple[int, int]],
        size: int,
        *,
        coming: Iterable[tuple[int, int]] = (),
    ) -> None:
        """`own`: the volumes of the type; `coming`: volumes of others that count as well."""
        volumes, snapshots = counted
        name, type_id = volume_type["name"], volume_type["id"]
        for resource, parts in (
            ("gigabytes", ([*volumes.values(), *coming], snapshots.values())),
            (f"gigabytes_{name}", (own, _of(snapshots, type_id))),
        ):
            allowed = limits.get(resource, -1)
            used = _sizes(parts[0]) + (_sizes(parts[1]) if self._snapshots_cost else 0)
            if 0 <= allowed < used + size:
                raise errors.VolumeSizeExceedsAvailableQuota(
                    name=resource, requested=size, quota=allowed, consumed=used
                )

    def _limits(self, tx: Transaction, project_id: str) -> dict[str, int]:
        own, classes = quotas.limits(tx, project_id)
        return {**self._defaults, **classes, **own}

    @staticmethod
    def _unlimited_types(tx: Transaction) -> dict[str, int]:
        return {f"{what}_{name}": -1 for name in types.names(tx).values() for what in PER_TYPE}


def _of_type(
    tx: Transaction,
    project_id: str,
    limits: dict[str, int],
    volume_type: dict[str, Any],
    volumes: quotas.Counts,
) -> list[tuple[int, int]]:
    """The volumes of a type; with those that a retype leads to it, where the type has a limit at all."""
    found = _of(volumes, volume_type["id"])
    if any(limits.get(f"{what}_{volume_type['name']}", -1) >= 0 for what in ("volumes", "gigabytes")):
        found.append(quotas.arriving(tx, project_id, volume_type["id"]))
    return found


def _of(counts: quotas.Counts, type_id: str) -> list[tuple[int, int]]:
    return [counts[type_id]] if type_id in counts else []


def _numbers(counts: Iterable[tuple[int, int]]) -> int:
    return sum(number for number, _ in counts)


def _sizes(counts: Iterable[tuple[int, int]]) -> int:
    return sum(gib for _, gib in counts)
