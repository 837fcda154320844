"""What the scheduler remembers of every pool, and the arithmetic of its capacity.

Made from workers' reports (`capabilities` in the form of Cinder's get_volume_stats); read by filters and
weighers.
"""

from dataclasses import dataclass, field
from typing import Any

UNKNOWN = ("infinite", "unknown", None)


@dataclass
class Pool:
    """`name` is host@backend#pool. `promised` counts the GiB, `placed` the volumes, that this scheduler has
    put there since the last report."""

    name: str
    availability_zone: str
    capabilities: dict[str, Any]
    seen: float
    promised: int = 0
    placed: int = 0
    host: str = field(init=False)

    def __post_init__(self) -> None:
        self.host = self.name.partition("#")[0]

    @property
    def total(self) -> float | None:
        """GiB; None: no bound is known."""
        value = self.capabilities.get("total_capacity_gb")
        return None if value in UNKNOWN else float(value)

    @property
    def free(self) -> float | None:
        value = self.capabilities.get("free_capacity_gb")
        return None if value in UNKNOWN else float(value)

    @property
    def thin(self) -> bool:
        return bool(self.capabilities.get("thin_provisioning_support"))

    @property
    def reserved(self) -> float:
        """GiB that stay free."""
        return (self.total or 0.0) * float(self.capabilities.get("reserved_percentage") or 0) / 100

    @property
    def provisioned(self) -> float:
        """GiB promised to volumes, those placed since the report included."""
        capabilities = self.capabilities
        known = capabilities.get("provisioned_capacity_gb", capabilities.get("allocated_capacity_gb", 0))
        return float(known or 0) + self.promised

    @property
    def allocated(self) -> float:
        return float(self.capabilities.get("allocated_capacity_gb") or 0) + self.promised

    @property
    def ratio(self) -> float:
        """How many times its capacity a thin pool may promise. `auto` is what it has promised by now over
        what that really uses, 20 as long as nothing is used."""
        if not self.thin:
            return 1.0
        value = self.capabilities.get("max_over_subscription_ratio", 20.0)
        if value != "auto":
            return float(value)
        used = (self.total or 0.0) - (self.free or 0.0)
        return max(1.0, self.provisioned / used) if used > 0 and self.provisioned > 0 else 20.0

    def virtual_free(self, *, thick: bool = False) -> float | None:
        """GiB that can still be promised; `thick`: the volume's type wants all of its size at once."""
        if self.total is None or self.free is None:
            return None
        if self.thin and not thick:
            return (self.total - self.reserved) * self.ratio - self.provisioned
        return self.free - self.promised - self.reserved

    def capacity(self) -> dict[str, Any]:
        """What the ledger keeps of the pool."""
        return {
            "total_capacity_gb": self.total,
            "reserved_percentage": int(self.capabilities.get("reserved_percentage") or 0),
            "max_over_subscription_ratio": self.ratio,
            "thin_provisioning_support": self.thin,
            "availability_zone": self.availability_zone,
        }


def from_report(host: str, availability_zone: str, report: dict[str, Any], seen: float) -> list[Pool]:
    """The pools of one back end. What a pool does not say of itself, its back end says."""
    shared = {key: value for key, value in report.items() if key != "pools"}
    pools = report.get("pools") or [{"pool_name": report.get("volume_backend_name") or "pool"}]
    return [
        Pool(f"{host}#{pool['pool_name']}", availability_zone, {**shared, **pool}, seen) for pool in pools
    ]
