"""Filters: which hosts may take the server. One small class each, under Nova's names.

Most judge a whole group of alike hosts at once (`group_passes`); those that speak of hosts by name give
the set of hosts that they refuse or demand. `why` says it with numbers, for the decision's record.
"""

from typing import Any, ClassVar

from celaje.common.errors import ConfigurationError
from celaje.compute.scheduler.hosts import Group

Spec = dict[str, Any]


class Filter:
    registry: ClassVar[dict[str, type["Filter"]]] = {}

    def __init__(self, conf: Any):
        self.conf = conf

    def __init_subclass__(cls) -> None:
        Filter.registry[cls.__name__] = cls

    def concerns(self, spec: Spec) -> bool:
        """Whether `group_passes` can say no at all: most requests do not name a zone or a trait."""
        return True

    def group_passes(self, group: Group, spec: Spec) -> bool:
        return True

    def refused_hosts(self, spec: Spec) -> set[str]:
        """Hosts by name that are out."""
        return set()

    def demanded_hosts(self, spec: Spec) -> set[str] | None:
        """Hosts by name that alone may be taken; None: any."""
        return None

    def why(self, group: Group | None, spec: Spec) -> str:
        return "refused"


def make_filters(names: list[str], conf: Any) -> list[Filter]:
    unknown = [name for name in names if name not in Filter.registry]
    if unknown:
        raise ConfigurationError(
            f"[filter_scheduler] enabled_filters: there is no filter {', '.join(unknown)}; "
            f"there are {', '.join(sorted(Filter.registry))}."
        )
    return [Filter.registry[name](conf) for name in names]


class AvailabilityZoneFilter(Filter):
    """The host's zone is the asked one."""

    def concerns(self, spec: Spec) -> bool:
        return spec.get("availability_zone") is not None

    def group_passes(self, group: Group, spec: Spec) -> bool:
        return spec["availability_zone"] in group.facts["zones"]

    def why(self, group: Group | None, spec: Spec) -> str:
        zones = ", ".join(sorted(group.facts["zones"])) if group else ""
        return f"zone {zones}, asked {spec.get('availability_zone')}"


class ComputeFilter(Filter):
    """The service is enabled, reports, and placement knows its provider."""

    def group_passes(self, group: Group, spec: Spec) -> bool:
        return group.facts["published"] and not group.facts["disabled"]

    def why(self, group: Group | None, spec: Spec) -> str:
        if group and group.facts["disabled"]:
            return "the service is disabled or forced down"
        return "placement has not been told of it yet"


class ResourcesFilter(Filter):
    """Enough VCPUs, memory and disk are free, by the reports and with the allocation ratios. In Nova this
    is asked of placement before the filters; here placement has the last word, when the claim is made."""

    def group_passes(self, group: Group, spec: Spec) -> bool:
        free = group.facts["free"]
        vcpus, memory_mb, disk_gb = spec["resources"]
        return free[0] >= vcpus and free[1] >= memory_mb and free[2] >= disk_gb

    def why(self, group: Group | None, spec: Spec) -> str:
        names = ("VCPU", "MEMORY_MB", "DISK_GB")
        if group is None:
            return "full"
        return ", ".join(
            f"{name} {free:.12g} free of {total:.12g}, {asked:.12g} asked"
            for name, free, total, asked in zip(
                names, group.facts["free"], group.facts["total"], spec["resources"], strict=True
            )
            if free < asked
        )


class ComputeCapabilitiesFilter(Filter):
    """Extra specs `trait:NAME` (required, forbidden) and `capabilities:hypervisor_type`."""

    def concerns(self, spec: Spec) -> bool:
        return any(key.startswith(("trait:", "capabilities:")) for key in spec["extra_specs"])

    def group_passes(self, group: Group, spec: Spec) -> bool:
        return self._misfit(group, spec) is None

    def _misfit(self, group: Group, spec: Spec) -> str | None:
        traits = group.facts["traits"]
        for key, value in spec["extra_specs"].items():
            if key.startswith("trait:"):
                name = key.removeprefix("trait:")
                if (value == "required") != (name in traits) and value in ("required", "forbidden"):
                    return f"{name} is {value}"
            elif key == "capabilities:hypervisor_type":
                wanted = value.removeprefix("s== ").strip().lower()
                if wanted != group.facts["hypervisor_type"].lower():
                    return f"hypervisor_type is {group.facts['hypervisor_type']}, {value} asked"
        return None

    def why(self, group: Group | None, spec: Spec) -> str:
        return (self._misfit(group, spec) if group else None) or "a capability is missing"


class ImagePropertiesFilter(Filter):
    """The image's format, architecture and hypervisor type are the host's."""

    def concerns(self, spec: Spec) -> bool:
        return bool(spec.get("image"))

    def group_passes(self, group: Group, spec: Spec) -> bool:
        return self._misfit(group, spec) is None

    def _misfit(self, group: Group, spec: Spec) -> str | None:
        image = spec.get("image") or {}
        properties = image.get("properties") or {}
        facts = group.facts
        disk_format = image.get("disk_format")
        if disk_format and facts["image_formats"] and disk_format not in facts["image_formats"]:
            return f"image format {disk_format} is not one of {', '.join(sorted(facts['image_formats']))}"
        wanted = properties.get("hw_architecture")
        if wanted and facts["architecture"] and wanted != facts["architecture"]:
            return f"architecture is {facts['architecture']}, {wanted} asked"
        hypervisor = properties.get("img_hv_type")
        if hypervisor and hypervisor.lower() != facts["hypervisor_type"].lower():
            return f"hypervisor_type is {facts['hypervisor_type']}, {hypervisor} asked"
        return None

    def why(self, group: Group | None, spec: Spec) -> str:
        return (self._misfit(group, spec) if group else None) or "the image does not fit"


class AggregateInstanceExtraSpecsFilter(Filter):
    """Extra specs `aggregate_instance_extra_specs:KEY` are in the metadata of the host's aggregates."""

    _prefix = "aggregate_instance_extra_specs:"

    def concerns(self, spec: Spec) -> bool:
        return any(key.startswith(self._prefix) for key in spec["extra_specs"])

    def group_passes(self, group: Group, spec: Spec) -> bool:
        metadata = group.facts["aggregate_metadata"]
        return all(
            value in metadata.get(key.removeprefix(self._prefix), ())
            for key, value in spec["extra_specs"].items()
            if key.startswith(self._prefix)
        )

    def why(self, group: Group | None, spec: Spec) -> str:
        return "the host's aggregates lack the asked metadata"


class NumInstancesFilter(Filter):
    """At most [filter_scheduler] max_instances_per_host servers."""

    def group_passes(self, group: Group, spec: Spec) -> bool:
        return group.facts["servers"] < self.conf.filter_scheduler.max_instances_per_host

    def why(self, group: Group | None, spec: Spec) -> str:
        return f"{group.facts['servers'] if group else '?'} servers are there"


class ServerGroupAntiAffinityFilter(Filter):
    """Not where (more than `max_server_per_host` - 1) members of the anti-affinity group are."""

    def concerns(self, spec: Spec) -> bool:
        return False  # it speaks of hosts by name only

    def refused_hosts(self, spec: Spec) -> set[str]:
        group = spec.get("group") or {}
        if group.get("policy") != "anti-affinity":
            return set()
        most = int((group.get("rules") or {}).get("max_server_per_host", 1))
        return {host for host, members in group["hosts"].items() if members >= most}

    def why(self, group: Group | None, spec: Spec) -> str:
        return "members of the anti-affinity group are there"


class ServerGroupAffinityFilter(Filter):
    """Only where the members of the affinity group are."""

    def concerns(self, spec: Spec) -> bool:
        return False  # it speaks of hosts by name only

    def demanded_hosts(self, spec: Spec) -> set[str] | None:
        group = spec.get("group") or {}
        if group.get("policy") != "affinity" or not group["hosts"]:
            return None
        return set(group["hosts"])

    def why(self, group: Group | None, spec: Spec) -> str:
        return "the affinity group is elsewhere"


class SameHostFilter(Filter):
    """Hint same_host: where these servers are."""

    def concerns(self, spec: Spec) -> bool:
        return False  # it speaks of hosts by name only

    def demanded_hosts(self, spec: Spec) -> set[str] | None:
        hosts = spec.get("same_hosts")
        return None if hosts is None else set(hosts)

    def why(self, group: Group | None, spec: Spec) -> str:
        return "none of the servers of the hint same_host is there"


class DifferentHostFilter(Filter):
    """Hint different_host: where these servers are not."""

    def concerns(self, spec: Spec) -> bool:
        return False  # it speaks of hosts by name only

    def refused_hosts(self, spec: Spec) -> set[str]:
        return set(spec.get("different_hosts") or ())

    def why(self, group: Group | None, spec: Spec) -> str:
        return "a server of the hint different_host is there"
