"""A cluster's configuration as an operator would write it: a file for all, one a service, one a process."""

from pathlib import Path
from typing import Any

from tests.cluster.layout import APIS, Node
from tests.cluster.servers import DATABASES, Servers

# MiB of each simulated host.
HOST_MEMORY = 16384
USERS = {
    "placement": "placement",
    "image": "glance",
    "network": "neutron",
    "volume": "cinder",
    "compute": "nova",
}


class Configuration(Servers):
    def __init__(self, *laid_out: Any, **more: Any):
        super().__init__(*laid_out, **more)
        self.passwords = {user: f"{user}-secret" for user in USERS.values()}
        self.shared: dict[str, dict[str, Any]] = {}

    def write_configuration(self) -> None:
        etc = self._folder("etc")
        database = DATABASES[self.kind].url(self.database, "celaje_{service}")
        shared: dict[str, dict[str, Any]] = {
            "DEFAULT": {
                "transport_url": self.transport_url,
                "rpc_response_timeout": 20,
                "call_monitor_interval": 1,
                "call_monitor_timeout": 5,
            },
            "database": {"connection": database, "max_retries": -1, "retry_interval": 1, "max_overflow": 15},
            "oslo_messaging_rabbit": {"rabbit_retry_backoff": 1, "rabbit_interval_max": 2},
            "oslo_messaging_zmq": {"zmq_target_update": 1, "zmq_target_expire": 5},
            "keystone_authtoken": {"auth_url": self.url("identity")},
            "fernet_tokens": {"key_repository": self.folder / "keys" / "fernet"},
            "service": {"report_interval": 1, "service_down_time": 6},
            "flows": {"lease": 6, "poll_interval": 1},
        }
        _merge(shared, self.shared)
        _write(etc / "celaje.conf", shared)
        for api in APIS:
            own: dict[str, dict[str, Any]] = {
                "flows": {"vault_key_file": self.folder / "keys" / f"{api}.key"},
            }
            if api in USERS:
                own["keystone_authtoken"] = {
                    "username": USERS[api],
                    "password": self.passwords[USERS[api]],
                }
            _merge(own, getattr(self, f"_{api}")())
            _write(etc / f"{api}.conf", own)
        for node in self.nodes.values():
            self.configure(node)

    def configure(self, node: Node) -> None:
        mine: dict[str, dict[str, Any]] = {
            "DEFAULT": {"host": node.host, "state_path": self._folder(f"state-{node.host}")},
        }
        if node.is_api:
            mine["api"] = {"bind_port": node.port}
        else:
            mine["network_fake"] = {"state_path": self._folder(f"state-{node.host}") / "network.json"}
        if node.name in self.gates:
            mine["DEFAULT"]["transport_url"] = self.broker_url(self.gates[node.name].port)
        _merge(mine, node.settings)
        _write(self._folder("etc") / f"{node.name}.conf", mine)

    def _identity(self) -> dict[str, dict[str, Any]]:
        return {"credential": {"key_file": self.folder / "keys" / "credentials.key"}}

    def _placement(self) -> dict[str, dict[str, Any]]:
        return {}

    def _image(self) -> dict[str, dict[str, Any]]:
        return {
            "DEFAULT": {"node_staging_uri": f"file://{self._folder('staging')}"},
            "glance_store": {"filesystem_store_datadir": self._folder("images")},
        }

    def _network(self) -> dict[str, dict[str, Any]]:
        return {"DEFAULT": {"network_driver": "fake"}}

    def _volume(self) -> dict[str, dict[str, Any]]:
        return {
            "DEFAULT": {"enabled_backends": "shared"},
            "coordination": {"backend_url": f"file://{self._folder('locks')}"},
            "shared": {
                "volume_driver": "fake",
                "backend_host": "storage",
                "fake_state_path": self.folder / "backend.json",
            },
        }

    def _compute(self) -> dict[str, dict[str, Any]]:
        return {"DEFAULT": {"compute_driver": "fake", "fake_host_memory_mb": HOST_MEMORY}}

    def files(self, name: str) -> list[str]:
        etc = self.folder / "etc"
        return [
            word
            for file in ("celaje.conf", "{service}.conf", f"{name}.conf")
            for word in ("--config-file", f"{etc}/{file}")
        ]


def _merge(into: dict[str, dict[str, Any]], more: dict[str, dict[str, Any]]) -> None:
    for section, values in more.items():
        into.setdefault(section, {}).update(values)


def _write(file: Path, sections: dict[str, dict[str, Any]]) -> None:
    lines = []
    for section, values in sections.items():
        lines.append(f"[{section}]")
        lines += [f"{key} = {value}" for key, value in values.items()]
        lines.append("")
    file.write_text("\n".join(lines))
