"""What DevStack leaves behind and clients expect: flavors, networks public and private, a router.

Made through the public APIs as the admin at the first start, after all services answer; found again, not
made twice, at later ones. (Users, roles and catalog are identity's bootstrap; the volume type `__DEFAULT__`
is the volume service's.)
"""

from typing import Any

from celaje.cloud import Cloud
from celaje.common.rest import RestClient, ServiceCredentials

# name, id, MiB of memory, GiB of disk, vCPUs
FLAVORS = (
    ("m1.nano", "42", 192, 1, 1),
    ("m1.micro", "84", 256, 1, 1),
    ("m1.tiny", "1", 512, 1, 1),
    ("m1.small", "2", 2048, 20, 1),
    ("m1.medium", "3", 4096, 40, 2),
    ("m1.large", "4", 8192, 80, 4),
)

PUBLIC = {"cidr": "172.24.4.0/24", "gateway": "172.24.4.1", "start": "172.24.4.10", "end": "172.24.4.250"}
PRIVATE = {"cidr": "10.0.0.0/26", "gateway": "10.0.0.1"}


class _Client(RestClient):
    def __init__(self, service_type: str, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.service_type = service_type


class Seeds:
    def __init__(self, cloud: Cloud):
        self._cloud = cloud
        self._credentials = {
            project: ServiceCredentials(
                lambda: cloud.transport_to("identity"),
                username="admin",
                password=cloud.secrets.password("admin"),
                project_name=project,
            )
            for project in ("admin", "demo")
        }

    def sow(self) -> None:
        """Make what is missing."""
        if "compute" in self._cloud.running:
            self._flavors()
        if "network" in self._cloud.running:
            self._networks()

    def _client(self, service: str, project: str = "admin") -> _Client:
        return _Client(service, self._cloud.transport_to(service), self._credentials[project], own=True)

    def _flavors(self) -> None:
        compute = self._client("compute")
        known = compute.request("GET", "/v2.1/flavors", query={"is_public": "None"}).body["flavors"]
        names = {flavor["name"] for flavor in known}
        for name, flavor_id, ram, disk, vcpus in FLAVORS:
            if name not in names:
                flavor = {"name": name, "id": flavor_id, "ram": ram, "disk": disk, "vcpus": vcpus}
                compute.request("POST", "/v2.1/flavors", body={"flavor": flavor})

    def _networks(self) -> None:
        admin, demo = self._client("network"), self._client("network", "demo")
        if not self._find(admin, "networks", "public"):
            public = self._make(
                admin,
                "network",
                {"name": "public", "router:external": True, "is_default": True},
            )
            pool = {"start": PUBLIC["start"], "end": PUBLIC["end"]}
            self._make(
                admin,
                "subnet",
                {
                    "name": "public-subnet",
                    "network_id": public["id"],
                    "ip_version": 4,
                    "cidr": PUBLIC["cidr"],
                    "gateway_ip": PUBLIC["gateway"],
                    "allocation_pools": [pool],
                    "enable_dhcp": False,
                },
            )
        if not self._find(admin, "networks", "private"):
            private = self._make(demo, "network", {"name": "private", "shared": True})
            self._make(
                demo,
                "subnet",
                {
                    "name": "private-subnet",
                    "network_id": private["id"],
                    "ip_version": 4,
                    "cidr": PRIVATE["cidr"],
                    "gateway_ip": PRIVATE["gateway"],
                },
            )
        if not self._find(admin, "routers", "router1"):
            public_id = self._find(admin, "networks", "public")["id"]
            subnet_id = self._find(admin, "subnets", "private-subnet")["id"]
            gateway = {"network_id": public_id}
            router = self._make(demo, "router", {"name": "router1", "external_gateway_info": gateway})
            demo.request(
                "PUT", f"/v2.0/routers/{router['id']}/add_router_interface", body={"subnet_id": subnet_id}
            )

    @staticmethod
    def _find(client: _Client, kind: str, name: str) -> Any:
        found = client.request("GET", f"/v2.0/{kind}", query={"name": name}).body[kind]
        return found[0] if found else None

    @staticmethod
    def _make(client: _Client, kind: str, values: dict[str, Any]) -> Any:
        return client.request("POST", f"/v2.0/{kind}s", body={kind: values}).body[kind]
