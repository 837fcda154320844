"""Build a server: pick a host, claim it at placement, ports, volumes, guest.

Submitted by the API with all that the build needs, in the transaction that inserts the row.
"""

from typing import Any

from celaje.common import clock, errors
from celaje.common.clients.network import described, mac_address
from celaje.common.db import Transaction
from celaje.common.errors import CelajeError
from celaje.common.flow import Run, flow
from celaje.compute import states
from celaje.compute.conductor.devices import connect_volume, make_volume
from celaje.compute.conductor.outcome import fault_of, progress, settle
from celaje.compute.db import nodes, servers
from celaje.compute.errors import ClaimRefused, GroupPolicyViolated

Body = dict[str, Any]


def _build_failed(tx: Transaction, flow: Body, error: CelajeError) -> None:
    server_id = flow["arguments"]["server"]["uuid"]
    # What a failed build leaves has no host: nothing is left there.
    states.settle(
        tx,
        server_id,
        flow["id"],
        vm_state="error",
        power_state=0,
        fault=fault_of(tx, flow, error),
        host=None,
        node=None,
        worker=None,
    )
    for interface in servers.interfaces(tx, server_id):
        servers.remove_interface(tx, server_id, interface["port_id"])
    servers.forget_made_volumes(tx, server_id)


@flow("server.create", deadline="server_create_deadline", way_out=_build_failed)
def create_server(
    run: Run,
    *,
    server: Body,
    spec: Body,
    image: Body | None,
    networks: list[Body],
    devices: list[Body],
    config_drive: bool,
) -> None:
    conductor = run.conductor
    placement = conductor.clients.placement.as_service()
    if spec.get("group"):
        spec = {**spec, "group": run.write(_group_now, spec["group"], server["uuid"])}
    run.undo(placement.release, server["uuid"])
    chosen = run.ask(conductor.scheduler.select_destinations, spec=spec)
    ports: list[Body] = []
    volumes: list[Body] = []
    refusals: list[str] = []
    for candidate in chosen["hosts"]:
        if not _claim(run, server, spec, candidate, refusals):
            continue
        ports = _ports(run, server, networks, ports, candidate)
        if devices and not volumes:
            run.note(_now, server["uuid"], "block_device_mapping", run)
            volumes = [make_volume(run, server, device) for device in devices]
        plugs = [connect_volume(run, server, device, candidate) for device in volumes]
        run.note(_spawning, server["uuid"], ports, plugs, run)
        here = {**server, "node": candidate["node"]}
        worker = conductor.worker.to(candidate["worker"])
        run.undo(worker.destroy, server=here)
        try:
            built = run.step(
                worker.spawn,
                server=here,
                image=image,
                network_info=[port["info"] for port in ports],
                block_device_info=[plug for plug in plugs if plug.get("connection_info")],
                config_drive=config_drive,
            )
        except errors.DriverError as error:
            # Another host may do better; what was begun here is cleared away first.
            refusals.append(f"{candidate['host']}: {error.message}")
            run.step(worker.destroy, server=here)
            for plug in plugs:
                if plug.get("attachment_id"):
                    run.step(conductor.clients.volume.delete_attachment, plug["attachment_id"])
            run.step(placement.release, server["uuid"])
            continue
        for plug in plugs:
            if plug.get("attachment_id"):
                run.step(conductor.clients.volume.complete_attachment, plug["attachment_id"])
        run.done(_built, server["uuid"], built, plugs, run)
        return
    raise ClaimRefused(server=server["uuid"], refusals="; ".join(refusals))


def _claim(run: Run, server: Body, spec: Body, candidate: Body, refusals: list[str]) -> bool:
    """Claim the candidate at placement and write the host down; False: the next one."""
    placement = run.conductor.clients.placement.as_service()
    names = ("VCPU", "MEMORY_MB", "DISK_GB")
    amounts = {name: int(amount) for name, amount in zip(names, spec["resources"], strict=True) if amount}
    try:
        run.step(
            placement.claim,
            server["uuid"],
            candidate["provider"],
            amounts,
            run.request.project_id or server["project_id"],
            run.request.user_id,
        )
    except errors.Conflict as refused:
        refusals.append(f"{candidate['host']}: {refused.message}")
        return False
    if not spec.get("group"):
        run.note(_place, server["uuid"], candidate, None, run)
        return True
    try:
        run.write(_place, server["uuid"], candidate, spec["group"], run)
    except GroupPolicyViolated as refused:
        refusals.append(refused.message)
        run.step(placement.release, server["uuid"])
        return False
    return True


def _ports(run: Run, server: Body, networks: list[Body], ports: list[Body], candidate: Body) -> list[Body]:
    """Make the ports, or take the user's, bound to the host; made ones move to a second candidate."""
    network = run.conductor.clients.network.as_service()
    owner = {"binding:host_id": candidate["host"], "device_owner": f"compute:{server['availability_zone']}"}
    if ports:
        moved = [run.step(network.update_port, port["info"]["port_id"], owner) for port in ports]
        return [
            {**port, "info": described(now, asked["network"])}
            for port, now, asked in zip(ports, moved, networks, strict=True)
        ]
    brought = [asked["port_id"] for asked in networks if asked.get("port_id")]
    if len(brought) < len(networks):
        run.undo(network.delete_ports_of, server["uuid"], brought)
    made: list[Body] = []
    for asked in networks:
        if asked.get("port_id"):
            run.undo(network.unbind_port, asked["port_id"])
            changes = {"device_id": server["uuid"], **owner}
            port = run.step(network.update_port, asked["port_id"], changes)
        else:
            port = run.step(network.create_port, new_port(run, server, asked, owner))
        made.append(
            {
                "info": described(port, asked["network"]),
                "owned": not asked.get("port_id"),
                "tag": asked.get("tag"),
            }
        )
    return made


def new_port(run: Run, server: Body, asked: Body, owner: Body) -> Body:
    """The body of a port made for a server: at this point of its flow always the same one."""
    port: Body = {
        "mac_address": mac_address(run.conductor.conf.base_mac, run.new_uuid()),
        "network_id": asked["network"]["id"],
        "project_id": server["project_id"],
        "device_id": server["uuid"],
        "admin_state_up": True,
        **owner,
    }
    if asked.get("fixed_ip"):
        port["fixed_ips"] = [{"ip_address": asked["fixed_ip"]}]
    if asked.get("security_groups"):
        port["security_groups"] = asked["security_groups"]
    return port


def _group_now(tx: Transaction, group: Body, server_id: str) -> Body:
    return {**group, "hosts": servers.group_hosts(tx, group["id"], server_id)}


def _place(tx: Transaction, server_id: str, candidate: Body, group: Body | None, run: Run) -> None:
    """The server is at this host from here on. Two members of a group may have been scheduled at once:
    the later one of them is refused here."""
    host = candidate["host"]
    if group:
        hosts = servers.group_hosts(tx, group["id"], server_id)
        most = int((group.get("rules") or {}).get("max_server_per_host", 1))
        crowded = group["policy"] == "anti-affinity" and hosts.get(host, 0) >= most
        apart = group["policy"] == "affinity" and bool(hosts) and host not in hosts
        if crowded or apart:
            raise GroupPolicyViolated(group=group["id"], host=host, policy=group["policy"])
    zone = nodes.zone_of(tx, host, run.conductor.conf.default_availability_zone)
    progress(
        tx,
        server_id,
        run.id,
        "networking",
        host=host,
        node=candidate["node"],
        worker=candidate["worker"],
        availability_zone=zone,
    )


def _now(tx: Transaction, server_id: str, task_state: str, run: Run) -> None:
    progress(tx, server_id, run.id, task_state)


def _spawning(tx: Transaction, server_id: str, ports: list[Body], plugs: list[Body], run: Run) -> None:
    progress(tx, server_id, run.id, "spawning")
    servers.put_interfaces(tx, server_id, ports)
    for plug in plugs:
        if plug.get("volume_id"):
            servers.change_device(
                tx,
                plug["id"],
                volume_id=plug["volume_id"],
                volume_size=plug.get("volume_size"),
                attachment_id=plug["attachment_id"],
                connection_info=plug["connection_info"],
                device_name=plug["device_name"],
            )


def _built(tx: Transaction, server_id: str, built: Body, plugs: list[Body], run: Run) -> None:
    settle(
        tx,
        server_id,
        run.id,
        vm_state="active",
        power_state=built["power_state"],
        root_device_name=built["root_device_name"],
        launched_at=clock.now(),
        progress=0,
    )
    for plug in plugs:
        servers.change_device(tx, plug["id"], state="attached", flow_id=None)
