"""A back end's report in Cinder's get_volume_stats form. Called by drivers; read by the scheduler."""

import os
from dataclasses import dataclass
from typing import Any

from celaje.volume.drivers.base import GIB, VolumeDriver


@dataclass(frozen=True)
class Capacity:
    """GiB. `allocated`: sizes of the volumes made here; `provisioned`: what thin volumes may grow to,
    those of other users of the same disk included if the driver knows of them. `volumes`: their number."""

    total: float
    free: float
    allocated: float
    provisioned: float
    volumes: int = 0


def of_folder(path: str | os.PathLike[str]) -> tuple[float, float]:
    """(total, free) of the file system in GiB; free is what an ordinary user may still write."""
    numbers = os.statvfs(path)
    return numbers.f_blocks * numbers.f_frsize / GIB, numbers.f_bavail * numbers.f_frsize / GIB


def over_subscription_ratio(value: str) -> float | str:
    """The option's value as it is reported: a number, or `auto` for the scheduler to compute."""
    return value if value == "auto" else float(value)


def report(driver: VolumeDriver, capacity: Capacity, **features: Any) -> dict[str, Any]:
    """One pool named as the back end, its numbers repeated at the top for readers of either form."""
    numbers = {
        "total_capacity_gb": round(capacity.total, 2),
        "free_capacity_gb": round(capacity.free, 2),
        "allocated_capacity_gb": capacity.allocated,
        "provisioned_capacity_gb": capacity.provisioned,
        "reserved_percentage": driver.configuration.reserved_percentage,
        "max_over_subscription_ratio": over_subscription_ratio(
            driver.configuration.max_over_subscription_ratio
        ),
        "thin_provisioning_support": True,
        "thick_provisioning_support": False,
        "multiattach": False,
        "QoS_support": False,
        "online_extend_support": driver.extends_attached_through_host,
        "backend_state": "up",
        # Of volumes that nobody has open; see VolumeDriver.copies_groups_attached.
        "consistent_group_snapshot_enabled": True,
        "total_volumes": capacity.volumes,
        "filter_function": driver.configuration.filter_function,
        "goodness_function": driver.configuration.goodness_function,
        **features,
    }
    return {
        "volume_backend_name": driver.backend_name,
        "vendor_name": driver.vendor,
        "driver_version": driver.version,
        "storage_protocol": driver.protocol,
        **numbers,
        "pools": [{"pool_name": driver.backend_name, **numbers}],
    }
