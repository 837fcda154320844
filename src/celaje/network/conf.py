"""The network service's options, under Neutron's names where Neutron has them."""

from oslo_config import cfg

_QUOTA = (
    ("network", 100, "networks"),
    ("subnet", 100, "subnets"),
    ("port", 500, "ports"),
    ("router", 10, "routers"),
    ("floatingip", 50, "floating IPs"),
    ("security_group", 10, "security groups"),
    ("security_group_rule", 100, "security group rules"),
)

OPTIONS = {
    None: [
        cfg.StrOpt(
            "network_driver",
            default="fake",
            choices=["fake", "user"],
            help="What the network worker of this host drives. fake: simulated. user: QEMU's user-mode "
            "networking, without rights and set-up, and without traffic between guests.",
        ),
        cfg.StrOpt("base_mac", default="fa:16:3e:00:00:00", help="The first three octets of made-up MACs."),
        cfg.IntOpt("max_dns_nameservers", default=5, min=0, help="Name servers of one subnet, at most."),
        cfg.IntOpt("max_subnet_host_routes", default=20, min=0, help="Host routes of one subnet, at most."),
        cfg.IntOpt("max_routes", default=30, min=0, help="Extra routes of one router, at most."),
        cfg.IntOpt("max_allowed_address_pair", default=10, min=0, help="Address pairs of one port, at most."),
        cfg.IntOpt("max_fixed_ips_per_port", default=9, min=1, help="Fixed IPs of one port, at most."),
        cfg.IntOpt("global_physnet_mtu", default=1500, min=68, help="MTU of the physical networks."),
        cfg.StrOpt("default_availability_zone", default="nova", help="Zone of network workers."),
        cfg.BoolOpt(
            "notify_nova_on_port_status_changes",
            default=True,
            help="Tell compute when a port of a server is wired (external event network-vif-plugged).",
        ),
    ],
    "ml2": [
        cfg.ListOpt(
            "tenant_network_types", default=["vxlan"], help="Types tried in turn for a project's network."
        ),
        cfg.ListOpt(
            "type_drivers",
            default=["local", "flat", "vlan", "vxlan", "geneve", "gre"],
            help="Types that admins may ask for.",
        ),
    ],
    "ml2_type_vxlan": [
        cfg.StrOpt("vni_ranges", default="1:65536", help="first:last VNI for projects' networks.")
    ],
    "ml2_type_geneve": [
        cfg.StrOpt("vni_ranges", default="1:65536", help="first:last VNI for projects' networks.")
    ],
    "ml2_type_gre": [
        cfg.StrOpt("tunnel_id_ranges", default="1:65536", help="first:last tunnel id for projects' networks.")
    ],
    "ml2_type_vlan": [
        cfg.ListOpt(
            "network_vlan_ranges",
            default=["public"],
            help="physical_network[:first:last], the range being for projects' networks.",
        )
    ],
    "ml2_type_flat": [
        cfg.ListOpt("flat_networks", default=["*"], help="Physical networks that may be flat; * for all.")
    ],
    "quotas": [
        *[
            cfg.IntOpt(f"quota_{name}", default=limit, min=-1, help=f"A project's {words}; -1: no limit.")
            for name, limit, words in _QUOTA
        ],
        cfg.IntOpt("quota_subnetpool", default=-1, min=-1, help="A project's subnet pools; -1: no limit."),
    ],
    "network_fake": [
        cfg.StrOpt(
            "state_path",
            help="File that keeps the simulated network over restarts of the worker; unset: in memory only.",
        ),
        cfg.StrOpt(
            "rules", default="[]", help="Latency and failures, a JSON list (see common/simulated.Rule)."
        ),
    ],
    "flows": [
        cfg.IntOpt("port_bind_deadline", default=300, min=1, help="Seconds to wire a port."),
        cfg.IntOpt("port_unbind_deadline", default=86400, min=1, help="Seconds to take a port off its host."),
        cfg.IntOpt("router_sync_deadline", default=3600, min=1, help="Seconds to realise a router's change."),
        cfg.IntOpt(
            "network_sync_deadline", default=3600, min=1, help="Seconds to tell a host of a subnet's change."
        ),
    ],
}
