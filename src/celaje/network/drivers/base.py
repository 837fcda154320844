"""What a network worker asks of the thing that moves packets. Called by network's worker only.

Every operation is idempotent, keyed by the port's, network's or router's id, and ends in the same state
when it is done again after a crash. A network is on a host as long as a port or router needs it there: the
driver makes it with the first and removes it with the last. A driver never sees a database.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, NotRequired, TypedDict


class SubnetData(TypedDict):
    id: str
    cidr: str
    ip_version: int
    gateway_ip: str | None
    enable_dhcp: bool
    dns_nameservers: list[str]
    host_routes: list[dict[str, str]]


class NetworkData(TypedDict):
    id: str
    mtu: int
    network_type: str
    physical_network: str | None
    segmentation_id: int | None
    subnets: list[SubnetData]


class PortData(TypedDict):
    """`generation` counts the bindings of the port; `fixed_ips` are [{"ip_address", "subnet_id"}]."""

    id: str
    generation: int
    mac_address: str
    admin_state_up: bool
    device_id: str
    device_owner: str
    vnic_type: str
    port_security_enabled: bool
    fixed_ips: list[dict[str, str]]
    allowed_address_pairs: list[dict[str, str]]
    network: NetworkData
    security_group_rules: NotRequired[list[dict[str, Any]]]


class Wiring(TypedDict):
    """What the hypervisor needs to plug the port: `vif_type` as in the port's binding:vif_type."""

    vif_type: str
    vif_details: dict[str, Any]


RouterData = Mapping[str, Any]
"""{"id", "revision", "admin_state_up", "enable_snat", "gateway": None or {"port_id", "mac_address",
"network", "fixed_ips"}, "interfaces": [{"port_id", "mac_address", "network", "fixed_ips"}],
"routes": [{"destination", "nexthop"}],
"floating_ips": [{"id", "floating_ip_address", "fixed_ip_address", "port_id"}]}"""


class NetworkDriver(ABC):
    """One host's networking."""

    name: ClassVar[str]
    #: What a port of this host is bound as, known before it is wired.
    vif_type: ClassVar[str]
    #: Whether it can route between networks and give floating IPs.
    routes: ClassVar[bool] = False
    #: Whether guests of one network reach each other.
    east_west: ClassVar[bool] = False
    vnic_types: ClassVar[tuple[str, ...]] = ("normal",)

    def __init__(self, host: str):
        self.host = host

    @abstractmethod
    def explain(self) -> str:
        """One sentence for the start banner: what it does, and what it does without."""

    @abstractmethod
    def init_host(self) -> None:
        """Take up what an earlier life of this driver left wired. Raises ConfigurationError."""

    @abstractmethod
    def plug_port(self, port: PortData) -> Wiring:
        """Wire the port; again with a greater generation: wire it anew as described."""

    @abstractmethod
    def unplug_port(self, port_id: str, generation: int) -> None:
        """Undo what was wired for `generation` or an older one; nothing happens when there is none."""

    @abstractmethod
    def update_network(self, network: NetworkData) -> None:
        """A network of which ports are wired here has changed; nothing happens when there are none."""

    @abstractmethod
    def list_ports(self) -> dict[str, int]:
        """Port id to generation of all that is wired here, for the orphan check."""

    def list_routers(self) -> set[str]:
        return set()

    def sync_router(self, router: RouterData) -> None:
        """Make the router what it is described to be; an older revision than the known changes nothing."""
        raise NotImplementedError

    def delete_router(self, router_id: str, revision: int) -> None:
        """Remove the router; nothing happens when there is none."""
        raise NotImplementedError
