"""Every state of a server: what lasts (vm_state), what passes (task_state), who owns it and how it ends.

Handlers begin a task with `begin`, flows end it with `settle`; both are one UPDATE that says from where, so
two requests can never both win. The status of the API is derived as Nova derives it.
"""

from collections.abc import Collection
from functools import cache
from typing import Any

from sqlalchemy import bindparam, update

from celaje.common import clock
from celaje.common.db import Prepared, Transaction
from celaje.common.states import Passing, State
from celaje.compute.db.tables import SERVERS

LASTING = {
    state.name: state
    for state in (
        State("building", "asked for, not running yet"),
        State("active", "running, or meant to be"),
        State("stopped"),
        State("paused", "in memory, not running"),
        State("suspended", "its memory is on disk"),
        State("rescued", "booted from a rescue image"),
        State("resized", "of a new size that waits for confirmation"),
        State("shelved"),
        State("shelved_offloaded", "on no host"),
        State("soft-delete"),
        State("error"),
        State("deleted"),
    )
}

_ACTION = "server_action_deadline"


def _action(name: str, owner: str | tuple[str, ...], *, about: str = "", way_out: Any = None) -> Passing:
    return Passing(name, about, owner, _ACTION, way_out or ("active", "stopped", "error"))


_CREATE = {"owner": "server.create", "deadline": "server_create_deadline", "way_out": "error"}

PASSING = {
    state.name: state
    for state in (
        Passing("scheduling", "a host is looked for and claimed", **_CREATE),
        Passing("networking", "ports are made and bound", **_CREATE),
        Passing("block_device_mapping", "volumes are made and attached", **_CREATE),
        Passing("spawning", "the hypervisor builds it", **_CREATE),
        Passing("deleting", "", "server.delete", "server_delete_deadline", ("deleted", "error")),
        _action("powering-on", "server.start"),
        _action("powering-off", "server.stop"),
        _action("rebooting", "server.reboot"),
        _action("rebooting_hard", "server.reboot"),
        _action("pausing", "server.pause"),
        _action("unpausing", "server.unpause", way_out=("paused", "error")),
        _action("suspending", "server.suspend"),
        _action("resuming", "server.resume", way_out=("suspended", "error")),
    )
}

# vm_state -> (status without a task, status by task)
_REBUILD = dict.fromkeys(("rebuilding", "rebuild_block_device_mapping", "rebuild_spawning"), "REBUILD")
_RESIZE = dict.fromkeys(("resize_prep", "resize_migrating", "resize_migrated", "resize_finish"), "RESIZE")
_STATUS: dict[str, tuple[str, dict[str, str]]] = {
    "active": (
        "ACTIVE",
        {
            "rebooting": "REBOOT",
            "reboot_pending": "REBOOT",
            "reboot_started": "REBOOT",
            "rebooting_hard": "HARD_REBOOT",
            "reboot_pending_hard": "HARD_REBOOT",
            "reboot_started_hard": "HARD_REBOOT",
            "updating_password": "PASSWORD",
            "migrating": "MIGRATING",
            **_REBUILD,
            **_RESIZE,
        },
    ),
    "building": ("BUILD", {}),
    "stopped": ("SHUTOFF", {"migrating": "MIGRATING", **_REBUILD, **_RESIZE}),
    "resized": ("VERIFY_RESIZE", {"resize_reverting": "REVERT_RESIZE"}),
    "paused": ("PAUSED", {"migrating": "MIGRATING"}),
    "suspended": ("SUSPENDED", {}),
    "rescued": ("RESCUE", {}),
    "error": ("ERROR", {**_REBUILD}),
    "deleted": ("DELETED", {}),
    "soft-delete": ("SOFT_DELETED", {}),
    "shelved": ("SHELVED", {}),
    "shelved_offloaded": ("SHELVED_OFFLOADED", {}),
}


def status(vm_state: str, task_state: str | None) -> str:
    """The API's status."""
    found = _STATUS.get(vm_state)
    if found is None:
        return "UNKNOWN"
    return found[1].get(task_state, found[0]) if task_state else found[0]


def states_of(asked: Collection[str]) -> tuple[set[str], set[str]]:
    """vm_states and task_states in which a server may have one of the statuses; for list filters."""
    wanted = {one.upper() for one in asked}
    vm_states, task_states = set(), set()
    for vm_state, (plain, by_task) in _STATUS.items():
        if plain in wanted:
            vm_states.add(vm_state)
        for task_state, name in by_task.items():
            if name in wanted:
                vm_states.add(vm_state)
                task_states.add(task_state)
    return vm_states, task_states


def begin(
    tx: Transaction,
    server_id: str,
    task_state: str,
    flow_id: str,
    *,
    vm_states: Collection[str],
    tasks: Collection[str | None] = (None,),
) -> bool:
    """Put the server under the flow, if its states allow; False: they do not."""
    if task_state not in PASSING:
        raise ValueError(f"{task_state} is no task of a server")
    statement = _beginning(tuple(sorted(vm_states)), tuple(sorted(tasks, key=str)))
    now = clock.now()
    begun = statement.run(tx, row=server_id, task_state=task_state, flow_id=flow_id, updated_at=now) == 1
    if begun:
        tx.moved("server", server_id, task_state)
    return begun


@cache
def _beginning(vm_states: tuple[str, ...], tasks: tuple[str | None, ...]) -> Prepared:
    return Prepared(
        update(SERVERS).where(
            SERVERS.c.id == bindparam("row"),
            SERVERS.c.deleted.is_(False),
            SERVERS.c.vm_state.in_(vm_states),
            _in_tasks(tasks),
        )
    )


_HELD = Prepared(
    update(SERVERS).where(SERVERS.c.id == bindparam("row"), SERVERS.c.flow_id == bindparam("holder"))
)


def _in_tasks(tasks: Collection[str | None]) -> Any:
    named = sorted(task for task in tasks if task)
    column = SERVERS.c.task_state
    if None not in tasks:
        return column.in_(named)
    return column.is_(None) | column.in_(named) if named else column.is_(None)


def settle(tx: Transaction, server_id: str, flow_id: str, **values: Any) -> bool:
    """The flow lets go of the server: no task, and `values` (vm_state, power_state, fault ...). False when
    another flow, a deletion, holds it meanwhile; then nothing is written."""
    values |= {"task_state": None, "flow_id": None, "updated_at": clock.now()}
    settled = _HELD.run(tx, row=server_id, holder=flow_id, **values) == 1
    if settled:
        tx.moved("server", server_id, values.get("vm_state", "as before"))
    return settled


def progress(tx: Transaction, server_id: str, flow_id: str, task_state: str, **values: Any) -> bool:
    """The next task of the same flow; False when the flow holds the server no more."""
    if task_state not in PASSING:
        raise ValueError(f"{task_state} is no task of a server")
    values |= {"task_state": task_state, "updated_at": clock.now()}
    held = _HELD.run(tx, row=server_id, holder=flow_id, **values) == 1
    if held:
        tx.moved("server", server_id, task_state)
    return held
