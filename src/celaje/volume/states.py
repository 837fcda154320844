"""Every state of a volume, a snapshot and an attachment: who owns the passing ones, and how they end.

Flows own what the service does itself. `Expiring` states are driven from outside (the compute service
reserves, attaches, begins to detach): no flow runs meanwhile, so the row holds `expires_at` instead. When it
passes, the conductor's sweep submits `attachment.reclaim` or `volume.reclaim`, which asks the compute service
whether the server exists and knows the volume: if it does, the row gets another term, else the reservation is
taken back.
"""

from dataclasses import dataclass

from celaje.common.states import Passing, State, StateTable


@dataclass(frozen=True, slots=True)
class Expiring(State):
    """Held by `expires_at` in the row; `owner` is the flow that looks into it after option `deadline`."""

    owner: str = ""
    deadline: str = ""
    way_out: str | tuple[str, ...] = ()


CREATE, DELETE, EXTEND = "volume.create", "volume.delete", "volume.extend"
RECLAIM, TERM = "volume.reclaim", "reservation_timeout"

VOLUME_STATES = [
    Passing("creating", "waits for a back end", CREATE, "volume_create_deadline", "error"),
    Passing("downloading", "is written from an image", CREATE, "volume_create_deadline", "error"),
    State("available"),
    Expiring("reserved", "promised to a server", RECLAIM, TERM, ("available", "in-use")),
    Expiring("attaching", "connected, not confirmed", RECLAIM, TERM, ("available", "in-use")),
    State("in-use"),
    Expiring("detaching", "a server lets go of it", RECLAIM, TERM, ("available", "in-use")),
    Passing("extending", "", EXTEND, "volume_extend_deadline", "error_extending"),
    State("error_extending", "size at the back end is unknown"),
    Passing("deleting", "", DELETE, "volume_delete_deadline", "error_deleting"),
    State("error_deleting", "may be deleted again"),
    State("error"),
    State("maintenance", "set by an operator"),
    State("awaiting-transfer", "offered to another project"),
]

# From where a deletion may start; with force from everywhere that no flow holds.
DELETABLE = ("available", "error", "error_extending", "error_deleting")
STEADY = ("available", "reserved", "attaching", "in-use", "detaching")

VOLUMES = StateTable(
    "volume",
    VOLUME_STATES,
    [
        ("creating", "downloading"),
        *((source, "available") for source in ("creating", "downloading")),
        *((source, "error") for source in ("creating", "downloading")),
        *((source, goal) for source in STEADY for goal in STEADY if source != goal),
        *((state, state) for state in ("in-use", "reserved", "attaching", "detaching")),
        ("available", "extending"),
        ("in-use", "extending"),
        ("extending", "available"),
        ("extending", "in-use"),
        ("extending", "error_extending"),
        *((source.name, "deleting") for source in VOLUME_STATES if source.name != "deleting"),
        ("deleting", "error_deleting"),
        ("deleting", "available"),
        ("available", "awaiting-transfer"),
        ("awaiting-transfer", "available"),
    ],
)

SNAPSHOTS = StateTable(
    "snapshot",
    [
        Passing("creating", "", "snapshot.create", "snapshot_create_deadline", "error"),
        State("available"),
        Passing(
            "deleting",
            "by itself, or with its volume",
            ("snapshot.delete", DELETE),
            "snapshot_delete_deadline",
            "error_deleting",
        ),
        State("error_deleting"),
        State("error"),
    ],
    [
        ("creating", "available"),
        ("creating", "error"),
        ("available", "deleting"),
        ("error", "deleting"),
        ("error_deleting", "deleting"),
        ("deleting", "error_deleting"),
        ("deleting", "available"),
    ],
)

ATTACHMENTS = StateTable(
    "attachment",
    [
        Expiring("reserved", "no connector yet", "attachment.reclaim", TERM, "gone"),
        Expiring("attaching", "connected, not confirmed", "attachment.reclaim", TERM, "gone"),
        State("attached"),
        Passing("detaching", "", "attachment.disconnect", "volume_disconnect_deadline", "error_detaching"),
        State("error_detaching", "may be deleted again"),
    ],
    [
        ("reserved", "attaching"),
        ("attaching", "attaching"),
        ("attached", "attaching"),
        ("reserved", "attached"),
        ("attaching", "attached"),
        ("attached", "attached"),
        ("reserved", "detaching"),
        ("attaching", "detaching"),
        ("attached", "detaching"),
        ("error_detaching", "detaching"),
        ("detaching", "error_detaching"),
    ],
    column="attach_status",
)
