"""POST /servers/{id}/action: power, lock, reset-state, console output, force delete."""

from typing import Any

from celaje.common.db import Transaction
from celaje.common.errors import Conflict, NotFound, NotImplementedHere
from celaje.common.wsgi import Request, Response
from celaje.compute import states
from celaje.compute.api.server_lookup import busy, load, refuse_locked
from celaje.compute.api.servers import submit_deletion
from celaje.compute.db import servers

Body = dict[str, Any]


def _power(
    request: Request,
    server_id: str,
    flow: str,
    task: str,
    vm_states: tuple[str, ...],
    *,
    tasks: tuple[str | None, ...] = (None,),
    force: bool = False,
    action: str = "",
) -> Response:
    row = load(request, server_id)
    refuse_locked(request, row)
    service = request.service
    name = action or flow.rpartition(".")[2]

    def unit(tx: Transaction) -> None:
        now = servers.get(tx, server_id) or row
        if not now["worker"]:
            raise Conflict(f"Instance {server_id} is not ready")
        flow_id = service.flows.submit(
            tx,
            flow,
            resource=("server", server_id),
            arguments={
                "server": servers.for_driver(now, servers.metadata(tx, server_id)),
                "worker": now["worker"],
                "force": force,
            },
            project_id=row["project_id"],
        )
        if not states.begin(tx, server_id, task, flow_id, vm_states=vm_states, tasks=tasks):
            raise busy(now, name, vm_states)

    service.database.write(unit)
    return Response(None, 202)


def start(request: Request, server_id: str) -> Response:
    return _power(request, server_id, "server.start", "powering-on", ("stopped",))


def stop(request: Request, server_id: str) -> Response:
    return _power(request, server_id, "server.stop", "powering-off", ("active", "error"))


def reboot(request: Request, server_id: str) -> Response:
    if request.body["reboot"]["type"].upper() == "SOFT":
        return _power(request, server_id, "server.reboot", "rebooting", ("active",))
    return _power(
        request,
        server_id,
        "server.reboot",
        "rebooting_hard",
        ("active", "stopped", "paused", "suspended", "error"),
        tasks=(None, "rebooting", "powering-off", "pausing", "suspending"),
        force=True,
    )


def pause(request: Request, server_id: str) -> Response:
    return _power(request, server_id, "server.pause", "pausing", ("active",))


def unpause(request: Request, server_id: str) -> Response:
    return _power(request, server_id, "server.unpause", "unpausing", ("paused",))


def suspend(request: Request, server_id: str) -> Response:
    return _power(request, server_id, "server.suspend", "suspending", ("active",))


def resume(request: Request, server_id: str) -> Response:
    return _power(request, server_id, "server.resume", "resuming", ("suspended",))


def lock(request: Request, server_id: str) -> Response:
    row = load(request, server_id)
    given = request.body["lock"]
    reason = given.get("locked_reason") if isinstance(given, dict) and request.at_least(2, 73) else None
    by = "owner" if row["project_id"] == request.context.project_id else "admin"
    _change(request, row, "server.lock", locked=True, locked_by=by, locked_reason=reason)
    return Response(None, 202)


def unlock(request: Request, server_id: str) -> Response:
    row = load(request, server_id)
    if row["locked_by"] == "admin" and row["project_id"] != request.context.project_id:
        target = {"project_id": row["project_id"], "user_id": row["user_id"]}
        request.authorize(target, "os_compute_api:os-lock-server:unlock:unlock_override")
    _change(request, row, "server.unlock", locked=False, locked_by=None, locked_reason=None)
    return Response(None, 202)


def reset_state(request: Request, server_id: str) -> Response:
    """An administrator says what is so. A flow that holds the server loses it."""
    row = load(request, server_id)
    wanted = request.body["os-resetState"]["state"]
    _change(request, row, "server.reset_state", vm_state=wanted, task_state=None, flow_id=None)
    return Response(None, 202)


def _change(request: Request, row: Body, name: str, **values: Any) -> None:
    """Done at once, and among the server's actions like what takes longer."""

    def unit(tx: Transaction) -> None:
        servers.change(tx, row["id"], **values)
        request.service.flows.note(tx, name, resource=("server", row["id"]), project_id=row["project_id"])

    request.service.database.write(unit)


def console_output(request: Request, server_id: str) -> Body:
    row = load(request, server_id)
    given = request.body["os-getConsoleOutput"] or {}
    length = given.get("length")
    lines = None if length is None or int(length) == -1 else int(length)
    if not row["worker"]:
        raise Conflict(f"Instance {server_id} is not ready")
    if row["vm_state"] == "building":
        raise busy(row, "get_console_output", ("active",))
    try:
        output = request.service.worker.to(row["worker"]).console_output(
            server=servers.for_driver(row), length=lines
        )
    except NotFound as error:
        raise NotFound(f"Instance {server_id} could not be found.") from error
    return {"output": output}


def force_delete(request: Request, server_id: str) -> Response:
    row = load(request, server_id)
    refuse_locked(request, row)
    request.service.database.write(submit_deletion, request.service, row)
    return Response(None, 202)


def change_password(request: Request, server_id: str) -> Response:
    row = load(request, server_id)
    refuse_locked(request, row)
    if row["vm_state"] != "active" or row["task_state"]:
        raise busy(row, "changePassword", ("active",))
    raise NotImplementedHere("Unable to set password on instance: the driver cannot do that.")
