"""Segments of networks: which types there are, which ids projects get. Read by the networks' API.

The ranges come from the options of Neutron's type drivers.
"""

from dataclasses import dataclass
from typing import Any

from celaje.common.errors import ConfigurationError
from celaje.network.errors import InvalidInput

TUNNELS = ("vxlan", "geneve", "gre")

# Bytes that a tunnel takes from the physical MTU, as Neutron reckons for IPv4 underlays.
OVERHEAD = {"vxlan": 50, "geneve": 58, "gre": 42}

_LARGEST = {"vxlan": 2**24 - 1, "geneve": 2**24 - 1, "gre": 2**32 - 1, "vlan": 4094}


@dataclass(frozen=True, slots=True)
class Range:
    physical_network: str | None
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Segment:
    network_type: str
    physical_network: str | None
    segmentation_id: int | None

    @property
    def key(self) -> str | None:
        """What is unique among networks; local ones have nothing to collide with."""
        if self.network_type == "local":
            return None
        return f"{self.network_type}:{self.physical_network or ''}:{self.segmentation_id or ''}"


class SegmentPlan:
    def __init__(self, conf: Any):
        self.types: list[str] = conf.ml2.type_drivers
        self.project_types: list[str] = conf.ml2.tenant_network_types
        self.physical_mtu: int = conf.global_physnet_mtu
        self.flat: list[str] = conf.ml2_type_flat.flat_networks
        self.vlans = [_vlan(entry) for entry in conf.ml2_type_vlan.network_vlan_ranges]
        self.ranges: dict[str, list[Range]] = {
            "vxlan": _tunnels(conf.ml2_type_vxlan.vni_ranges),
            "geneve": _tunnels(conf.ml2_type_geneve.vni_ranges),
            "gre": _tunnels(conf.ml2_type_gre.tunnel_id_ranges),
            "vlan": [entry for entry in self.vlans if entry.last],
        }

    def mtu(self, network_type: str) -> int:
        return self.physical_mtu - OVERHEAD.get(network_type, 0)

    def named(self, kind: str, physical: str | None, number: int | None) -> Segment:
        """The segment of an admin's request, checked; a tunnel or VLAN without a number is given one
        later (`segmentation_id` None). Raises InvalidInput."""
        if kind not in self.types:
            raise InvalidInput(reason=f"network_type value '{kind}' is not supported")
        if kind in TUNNELS or kind == "local":
            if physical is not None:
                raise InvalidInput(reason=f"provider:physical_network specified for {kind} network")
            if kind == "local" and number is not None:
                raise InvalidInput(reason="provider:segmentation_id specified for local network")
        elif physical is None:
            raise InvalidInput(reason=f"physical_network required for {kind} provider network")
        elif kind == "flat":
            if number is not None:
                raise InvalidInput(reason="segmentation_id specified for flat provider network")
            if "*" not in self.flat and physical not in self.flat:
                raise InvalidInput(reason=f"physical_network '{physical}' unknown for flat provider network")
        elif physical not in {entry.physical_network for entry in self.vlans}:
            raise InvalidInput(reason=f"physical_network '{physical}' unknown for VLAN provider network")
        if number is not None and not 1 <= number <= _LARGEST.get(kind, 0):
            raise InvalidInput(reason=f"segmentation_id out of range (1 through {_LARGEST[kind]})")
        return Segment(kind, physical, number)

    def ranges_of(self, kind: str, physical: str | None = None) -> list[Range]:
        """Where a number may be chosen."""
        return [r for r in self.ranges.get(kind, []) if physical is None or r.physical_network == physical]


def _tunnels(text: str) -> list[Range]:
    found = []
    for part in text.split(","):
        first, colon, last = part.strip().partition(":")
        if not (colon and first.isdigit() and last.isdigit() and int(first) <= int(last)):
            raise ConfigurationError(f"{part!r} is no range of tunnel ids of the form first:last.")
        found.append(Range(None, int(first), int(last)))
    return found


def _vlan(entry: str) -> Range:
    parts = entry.strip().split(":")
    if len(parts) == 1 and parts[0]:
        return Range(parts[0], 0, 0)
    if len(parts) == 3 and parts[1].isdigit() and parts[2].isdigit():
        return Range(parts[0], int(parts[1]), int(parts[2]))
    raise ConfigurationError(f"[ml2_type_vlan] network_vlan_ranges: {entry!r} is not name[:first:last].")
