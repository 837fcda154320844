"""Every message inside the compute service: to whom, call or cast, its timeout.

Server, port and block device dictionaries are those of `drivers/base.py`.
"""

from typing import Any

from celaje.common.messaging import Messages, call, cast, fanout
from celaje.common.service import ConductorMessages
from celaje.compute.drivers.base import Server, VolumeCopy


class ComputeConductorMessages(ConductorMessages):
    topic = "compute-conductor"

    @cast(may_be_lost=True)
    def report_hosts(
        self, worker: str, boot: str, hosts: dict[str, dict[str, Any]], rpc_version: str = "1.0"
    ) -> None:
        """A worker lives and serves these hosts: {host: {"nodes": {node: resources}, "connector": ...}}; it
        understands its messages up to `rpc_version`."""

    @cast(may_be_lost=True)
    def report_guests(self, worker: str, guests: dict[str, int], complete: bool) -> None:
        """Power states by server, of those that changed, or (`complete`) of all guests there are."""

    @call()
    def host_facts(self) -> dict[str, Any]:
        """What schedulers need of hosts beside the workers' reports: {"aggregates": [{"name", "hosts",
        "metadata"}], "disabled": hosts disabled or forced down, "providers": {"host/node": uuid}}."""
        raise NotImplementedError


class ComputeSchedulerMessages(Messages):
    topic = "compute-scheduler"

    @call()
    def select_destinations(self, spec: dict[str, Any]) -> dict[str, Any]:
        """Candidates for one server, best first: {"hosts": [{"host", "node", "worker", "provider"}],
        "filters": [{"name", "before", "after", "removed"}] of those that removed somebody, "considered": how
        many hosts there were, "enabled": names of all filters}. Raises NoValidHost."""
        raise NotImplementedError

    @fanout(may_be_lost=True)
    def update_hosts(self, worker: str, hosts: dict[str, dict[str, Any]]) -> None:
        """What a worker's hosts have and use now."""

    @fanout(may_be_lost=True)
    def refresh_host_facts(self) -> None:
        """Aggregates, disabled services or providers changed: ask a conductor for them."""

    @fanout(may_be_lost=True)
    def return_resources(self, host: str, node: str, flavor: dict[str, Any]) -> None:
        """A server has left the host; the worker's next report will say so too."""


class ComputeWorkerMessages(Messages):
    topic = "compute"

    @fanout(may_be_lost=True)
    def report_now(self) -> None:
        """A scheduler or conductor has started: tell it what there is."""

    @call(timeout="long_rpc_timeout")
    def spawn(
        self,
        server: Server,
        image: dict[str, Any] | None,
        network_info: list[dict[str, Any]],
        block_device_info: list[dict[str, Any]],
        config_drive: bool,
    ) -> dict[str, Any]:
        """Build and start the guest; {"power_state", "root_device_name"}."""
        raise NotImplementedError

    @call(timeout="long_rpc_timeout")
    def destroy(self, server: Server) -> None:
        """Leave nothing of the guest; nothing to do when there is none."""

    @cast(may_be_lost=True)
    def destroy_orphan(self, server_id: str, node: str | None) -> None:
        """The conductor has no row of this guest (any more)."""

    @call(timeout="long_rpc_timeout")
    def change_power(self, server: Server, operation: str, timeout: float) -> int:
        """`operation`: power_on, power_off, reboot, reboot_hard, pause, unpause, suspend, resume. Answers
        the power state after it."""
        raise NotImplementedError

    @call()
    def console_output(self, server: Server, length: int | None) -> str:
        """The last lines of the serial console."""
        raise NotImplementedError

    @call()
    def power_state(self, server: Server) -> int:
        """The guest's power state now."""
        raise NotImplementedError

    @call()
    def attach_volume(self, server: Server, block_device: dict[str, Any]) -> str:
        """Plug a volume; the device's name as the guest sees it."""
        raise NotImplementedError

    @call()
    def detach_volume(self, server: Server, block_device: dict[str, Any]) -> None:
        """Unplug a volume; nothing to do when it is not plugged."""

    @call()
    def extend_volume(self, server: Server, block_device: dict[str, Any], new_size: int) -> None:
        """Show the guest a plugged volume's new size, in GiB."""

    @call(timeout="long_rpc_timeout")
    def copy_volume(self, server: Server, block_device: dict[str, Any], copy: VolumeCopy) -> None:
        """Copy a plugged volume as it is at one moment, while the guest goes on."""

    @call()
    def begin_swap(
        self, server: Server, block_device: dict[str, Any], new: dict[str, Any], volume_id: str
    ) -> None:
        """Begin to bring a plugged volume's data to the connected volume `new`, which the server will know by
        `volume_id`."""

    @call()
    def finish_swap(self, server: Server, block_device: dict[str, Any], new: dict[str, Any]) -> None:
        """The guest uses the new volume when this returns. Raises SwapStillPassing while data is copied."""

    @call()
    def undo_swap(
        self, server: Server, block_device: dict[str, Any], new: dict[str, Any], volume_id: str
    ) -> None:
        """The guest uses the old volume, known by `volume_id`, whatever was done. Raises SwapStillPassing."""

    @call()
    def attach_interface(self, server: Server, port: dict[str, Any]) -> None:
        """Plug a port."""

    @call()
    def detach_interface(self, server: Server, port: dict[str, Any]) -> None:
        """Unplug a port; nothing to do when it is not plugged."""
