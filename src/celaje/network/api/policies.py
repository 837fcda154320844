"""Policy rules of the network service: Neutron's names and its Secure RBAC defaults.

Neutron writes checks on attributes as `field:networks:shared=True`; here they are `True:%(shared)s`.
"""

from celaje.common.policy import Rule

ADMIN = "rule:context_is_admin"
SERVICE = "rule:service_api"
ADMIN_OR_SERVICE = f"{ADMIN} or {SERVICE}"
MEMBER = "(role:member and project_id:%(project_id)s)"
READER = "(role:reader and project_id:%(project_id)s)"
MANAGER = "(role:manager and project_id:%(project_id)s)"
ADMIN_OR_MEMBER = f"{ADMIN} or {MEMBER}"
ADMIN_OR_READER = f"{ADMIN} or {READER}"
ADMIN_OR_MANAGER = f"{ADMIN} or {MANAGER}"
NET_OWNER_MANAGER = "(role:manager and rule:network_owner)"
NET_OWNER_MEMBER = "(role:member and rule:network_owner)"
NET_OWNER_READER = "(role:reader and rule:network_owner)"
ADMIN_OR_NET_OWNER = f"{ADMIN} or {NET_OWNER_MEMBER}"
SG_OWNER_MEMBER = "(role:member and rule:sg_owner)"
SG_OWNER_READER = "(role:reader and rule:sg_owner)"
PORT_WRITE = f"{ADMIN_OR_SERVICE} or {NET_OWNER_MEMBER}"

_EXPRESSIONS = [
    ("context_is_admin", "role:admin", "Who administers the cloud."),
    ("service_api", "role:service", "The other services of the cloud."),
    ("admin_only", ADMIN, "Admins."),
    ("owner", "project_id:%(project_id)s", "The project that owns the resource."),
    ("admin_or_owner", f"{ADMIN} or rule:owner", "Admins and the owner."),
    ("network_owner", "project_id:%(network:project_id)s", "The project that owns the parent network."),
    ("sg_owner", "project_id:%(security_group:project_id)s", "The project that owns the rule's group."),
    ("shared", "True:%(shared)s", "The resource, or its network, is shared with all projects."),
    ("external", "True:%(router:external)s", "The network is an external one."),
    ("external_network", "True:%(router:external)s", "The subnet's network is an external one."),
    ("shared_subnetpools", "True:%(shared)s", "The subnet pool is shared with all projects."),
    ("network_device", "rule:network_device_dhcp or rule:network_device_router", "Ports of the service."),
    ("network_device_dhcp", "'network:dhcp':%(device_owner)s", "Ports of DHCP servers."),
    (
        "network_device_router",
        "'network:router_interface':%(device_owner)s or 'network:router_gateway':%(device_owner)s "
        "or 'network:floatingip':%(device_owner)s",
        "Ports of routers and floating IPs.",
    ),
    ("default", "rule:admin_or_owner", "What no other rule speaks of."),
]


def _crud(name: str, create: str, get: str, update: str | None, delete: str) -> list[Rule]:
    checks = {"create": create, "get": get, "update": update, "delete": delete}
    words = {"create": "Create", "get": "Show", "update": "Change", "delete": "Delete"}
    return [
        Rule(f"{verb}_{name}", check, f"{words[verb]} a {name.replace('_', ' ')}.")
        for verb, check in checks.items()
        if check is not None
    ]


def _attributes(operation: str, check: str, *names: str) -> list[Rule]:
    return [Rule(f"{operation}:{name}", check, f"The attribute {name} in {operation}.") for name in names]


_PROVIDER = ("provider:network_type", "provider:physical_network", "provider:segmentation_id")
_FIXED = ("fixed_ips", "fixed_ips:ip_address", "fixed_ips:subnet_id")
_PAIRS = ("allowed_address_pairs", "allowed_address_pairs:ip_address", "allowed_address_pairs:mac_address")
_GATEWAY = ("external_gateway_info", "external_gateway_info:network_id")
_GATEWAY_ADMIN = ("external_gateway_info:enable_snat", "external_gateway_info:external_fixed_ips")

POLICIES: list[Rule] = [
    *[Rule(name, check, words, scope_types=()) for name, check, words in _EXPRESSIONS],
    *_crud(
        "network",
        ADMIN_OR_MEMBER,
        f"{ADMIN_OR_READER} or {SERVICE} or rule:shared or rule:external",
        ADMIN_OR_MEMBER,
        ADMIN_OR_MEMBER,
    ),
    *_attributes("create_network", ADMIN, "shared", "router:external", "is_default", *_PROVIDER),
    *_attributes("create_network", ADMIN_OR_MEMBER, "port_security_enabled"),
    *_attributes("update_network", ADMIN, "shared", "router:external", "is_default", *_PROVIDER),
    *_attributes("update_network", ADMIN_OR_MEMBER, "port_security_enabled"),
    *_attributes("get_network", ADMIN, *_PROVIDER),
    *_crud(
        "subnet",
        ADMIN_OR_NET_OWNER,
        f"{READER} or rule:shared or rule:external_network or {ADMIN} or {NET_OWNER_READER} or {SERVICE}",
        f"{MEMBER} or {ADMIN_OR_NET_OWNER}",
        f"{MEMBER} or {ADMIN_OR_NET_OWNER}",
    ),
    *_attributes("create_subnet", ADMIN, "segment_id", "service_types"),
    *_attributes("update_subnet", ADMIN, "segment_id", "service_types"),
    *_crud(
        "port",
        f"{PORT_WRITE} or rule:shared",
        f"{ADMIN_OR_SERVICE} or {NET_OWNER_READER} or {READER}",
        f"{ADMIN_OR_SERVICE} or {MEMBER}",
        f"{ADMIN_OR_SERVICE} or {NET_OWNER_MEMBER} or {MEMBER}",
    ),
    *_attributes("create_port", f"{ADMIN_OR_MEMBER} or {SERVICE}", "device_id", "binding:vnic_type"),
    *_attributes("create_port", f"not rule:network_device or {PORT_WRITE}", "device_owner"),
    *_attributes("create_port", PORT_WRITE, "mac_address", "fixed_ips:ip_address", "port_security_enabled"),
    *_attributes("create_port", f"{PORT_WRITE} or rule:shared", "fixed_ips", "fixed_ips:subnet_id"),
    *_attributes("create_port", ADMIN_OR_SERVICE, "binding:host_id"),
    *_attributes("create_port", SERVICE, "binding:profile"),
    *_attributes("create_port", f"{ADMIN_OR_NET_OWNER} or {SERVICE}", *_PAIRS),
    *_attributes("update_port", f"{ADMIN_OR_MEMBER} or {SERVICE}", "device_id", "binding:vnic_type"),
    *_attributes("update_port", f"not rule:network_device or {PORT_WRITE}", "device_owner"),
    *_attributes("update_port", f"{ADMIN_OR_SERVICE} or {NET_OWNER_MANAGER}", "mac_address"),
    *_attributes("update_port", PORT_WRITE, "fixed_ips", "fixed_ips:ip_address", "port_security_enabled"),
    *_attributes("update_port", f"{PORT_WRITE} or rule:shared", "fixed_ips:subnet_id"),
    *_attributes("update_port", ADMIN_OR_SERVICE, "binding:host_id"),
    *_attributes("update_port", SERVICE, "binding:profile"),
    *_attributes("update_port", f"{ADMIN_OR_NET_OWNER} or {SERVICE}", *_PAIRS),
    *_attributes(
        "get_port",
        ADMIN_OR_SERVICE,
        "binding:vif_type",
        "binding:vif_details",
        "binding:host_id",
        "binding:profile",
    ),
    *_crud("router", ADMIN_OR_MEMBER, ADMIN_OR_READER, ADMIN_OR_MEMBER, ADMIN_OR_MEMBER),
    *_attributes("create_router", ADMIN_OR_MEMBER, *_GATEWAY),
    *_attributes("create_router", ADMIN, "distributed", "ha", *_GATEWAY_ADMIN),
    *_attributes("update_router", ADMIN_OR_MEMBER, *_GATEWAY),
    *_attributes("update_router", ADMIN, "distributed", "ha", *_GATEWAY_ADMIN),
    *_attributes("get_router", ADMIN, "distributed", "ha"),
    Rule("add_router_interface", ADMIN_OR_MEMBER, "Put a router on a subnet."),
    Rule("remove_router_interface", ADMIN_OR_MEMBER, "Take a router off a subnet."),
    Rule("add_extraroutes", ADMIN_OR_MEMBER, "Add routes to a router, at once and without losing others."),
    Rule("remove_extraroutes", ADMIN_OR_MEMBER, "Remove routes from a router."),
    *_crud("floatingip", ADMIN_OR_MEMBER, ADMIN_OR_READER, ADMIN_OR_MEMBER, ADMIN_OR_MEMBER),
    *_attributes("create_floatingip", ADMIN_OR_MANAGER, "floating_ip_address"),
    *_crud("security_group", ADMIN_OR_MEMBER, ADMIN_OR_READER, ADMIN_OR_MEMBER, ADMIN_OR_MEMBER),
    *_crud(
        "security_group_rule",
        f"{ADMIN} or {SG_OWNER_MEMBER}",
        f"{ADMIN} or {SG_OWNER_READER}",
        None,
        f"{ADMIN} or {SG_OWNER_MEMBER}",
    ),
    *_crud(
        "subnetpool",
        ADMIN_OR_MEMBER,
        f"{ADMIN_OR_READER} or rule:shared_subnetpools",
        ADMIN_OR_MEMBER,
        ADMIN_OR_MEMBER,
    ),
    *_attributes("create_subnetpool", ADMIN, "shared", "is_default"),
    *_attributes("update_subnetpool", ADMIN, "is_default"),
    Rule("get_quota", ADMIN_OR_MANAGER, "Show a project's quotas."),
    Rule("update_quota", ADMIN, "Change a project's quotas."),
    Rule("delete_quota", ADMIN, "Give a project the default quotas again."),
    Rule("get_agent", ADMIN, "Show the network workers."),
    Rule("update_agent", ADMIN, "Disable or describe a network worker."),
    Rule("delete_agent", ADMIN, "Forget a network worker."),
    Rule("get_availability_zone", "role:reader", "List the availability zones."),
    Rule("get_network_ip_availability", ADMIN_OR_SERVICE, "Count the addresses of networks."),
]
