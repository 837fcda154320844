"""The test cluster, whole: started, looked at with the real clients, and ended."""

import json
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.layout import APIS, COMPUTE_HOSTS
from tests.cluster.processes import BIN, Processes


class Cluster(Processes):
    """Started once for many tests, or by one that breaks it."""

    def begin(self) -> "Cluster":
        self.start_servers()
        self.write_configuration()
        self.prepare()
        self.start_balancer()
        for node in self.nodes.values():
            self.start(node)
        for node in self.nodes.values():
            self.await_up(node)
        for api in APIS:
            self.until(lambda api=api: self._well(self.ports[api]), 30, f"{api} behind the balancer")
        self.await_workers()
        return self

    def end(self) -> None:
        self.kill_all()
        self.stop_servers()

    # Its simulated back end.

    def slow_backend(self, operation: str | None, latency: float = 0.0, times: int | None = None) -> None:
        """The simulated back end's `operation` takes so long from now on, or so often; None: all are quick
        again."""
        from celaje.volume.drivers.fake_state import FakeBackendState

        state = FakeBackendState(self.folder / "backend.json")
        state.clear_rules()
        if operation:
            state.add_rules([{"operation": operation, "latency": latency, "times": times}])

    def rules_left(self) -> bool:
        """Whether a rule of `slow_backend` has not been used up yet."""
        from celaje.volume.drivers.fake_state import FakeBackendState

        return any(rule.times != 0 for rule in FakeBackendState(self.folder / "backend.json").rules)

    # What is seen of it.

    def await_workers(self) -> None:
        """Until the services' own lists show every worker as up."""
        sdk = self.sdk()

        def missing() -> set[str]:
            up = {f"{row.binary}@{row.host}" for row in sdk.compute.services() if row.state == "up"}
            up |= {f"{row.binary}@{row.host}" for row in sdk.block_storage.services() if row.state == "up"}
            up |= {f"{row.binary}@{row.host}" for row in sdk.network.agents() if row.is_alive}
            return {*self.expected()} - up

        try:
            self.until(lambda: not missing(), 60, "all workers")
        except AssertionError:
            raise AssertionError(f"not up: {missing()}") from None

    def expected(self) -> Iterable[str]:
        for host in COMPUTE_HOSTS:
            yield f"nova-compute@{host}"
        yield "cinder-volume@storage@shared"

    def sdk(self, project: str = "admin", user: str = "admin", password: str = "") -> Any:
        import openstack

        return openstack.connect(
            auth_url=f"{self.url('identity')}/v3",
            username=user,
            password=password or self.password,
            project_name=project,
            user_domain_id="default",
            project_domain_id="default",
            region_name="RegionOne",
            identity_api_version="3",
            app_name="tests",
        )

    def clouds_yaml(self) -> Path:
        file = self.folder / "clouds.yaml"
        auth = {
            "auth_url": f"{self.url('identity')}/v3",
            "username": "admin",
            "password": self.password,
            "project_name": "admin",
            "user_domain_id": "default",
            "project_domain_id": "default",
        }
        file.write_text(yaml.safe_dump({"clouds": {"test": {"auth": auth, "region_name": "RegionOne"}}}))
        return file

    def openstack(self, *words: str, seconds: float = 120.0) -> Any:
        """The real command."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith("OS_")}
        environment |= {
            "OS_AUTH_URL": f"{self.url('identity')}/v3",
            "OS_USERNAME": "admin",
            "OS_PASSWORD": self.password,
            "OS_PROJECT_NAME": "admin",
            "OS_USER_DOMAIN_ID": "default",
            "OS_PROJECT_DOMAIN_ID": "default",
            "OS_IDENTITY_API_VERSION": "3",
        }
        done = subprocess.run(
            [str(BIN / "openstack"), *words], env=environment, capture_output=True, text=True,
            timeout=seconds, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"openstack {' '.join(words)}: {done.stdout}{done.stderr}"
        return json.loads(done.stdout) if words[-1] == "json" else done.stdout
