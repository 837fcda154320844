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
BACKUP, RESTORE = "backup.create", "backup.restore"
RECLAIM, TERM = "volume.reclaim", "reservation_timeout"
UPLOAD, RETYPE, MIGRATE = "volume.upload_image", "volume.retype", "volume.migrate"
REVERT, REIMAGE, MANAGE = "volume.revert", "volume.reimage", "volume.manage"

VOLUME_STATES = [
    Passing(
        "creating",
        "waits for a back end",
        # The hidden one to which an attached volume moves is its migration's.
        (CREATE, "group.create_from_source", MIGRATE, RETYPE),
        "volume_create_deadline",
        ("error", "error_deleting", "gone"),
    ),
    Passing("downloading", "is written from an image", (CREATE, REIMAGE), "volume_create_deadline", "error"),
    State("available"),
    Expiring("reserved", "promised to a server", RECLAIM, TERM, ("available", "in-use")),
    Expiring("attaching", "connected, not confirmed", RECLAIM, TERM, ("available", "in-use")),
    State("in-use"),
    Expiring("detaching", "a server lets go of it", RECLAIM, TERM, ("available", "in-use")),
    Passing("extending", "", EXTEND, "volume_extend_deadline", "error_extending"),
    State("error_extending", "size at the back end is unknown"),
    Passing("uploading", "", UPLOAD, "volume_upload_deadline", ("available", "in-use")),
    Passing("retyping", "", RETYPE, "volume_migrate_deadline", ("available", "in-use")),
    # Shown as maintenance, since nobody may use it meanwhile; as in-use while its server goes on.
    Passing("migrating", "", MIGRATE, "volume_migrate_deadline", ("available", "in-use")),
    Passing("reverting", "to a snapshot", REVERT, "volume_revert_deadline", "error"),
    Passing("managing", "is looked for at the back end", MANAGE, "volume_manage_deadline", "error_managing"),
    State("error_managing", "never was ours"),
    Passing(
        "deleting",
        "by itself, or with its group",
        (DELETE, "group.delete"),
        "volume_delete_deadline",
        "error_deleting",
    ),
    State("error_deleting", "may be deleted again"),
    State("error"),
    State("maintenance", "set by an operator"),
    Passing("backing-up", "is copied", BACKUP, "backup_create_deadline", ("available", "in-use")),
    Passing("restoring-backup", "", RESTORE, "backup_restore_deadline", "error_restoring"),
    State("error_restoring", "its content is its own, or part of it the backup's"),
    State("awaiting-transfer", "offered to another project"),
]

# From where a deletion may start; with force from everywhere that no flow holds.
DELETABLE = (
    *("available", "error", "error_extending", "error_deleting", "error_managing"),
    "error_restoring",
)
STEADY = ("available", "reserved", "attaching", "in-use", "detaching")
# Passing states in which a volume may have attachments.
HELD_IN_USE = ("extending", "uploading", "retyping", "migrating", "backing-up", "downloading")

VOLUMES = StateTable(
    "volume",
    VOLUME_STATES,
    [
        ("creating", "downloading"),
        ("creating", "available"),
        *((source, "error") for source in ("creating", "downloading")),
        *((source, goal) for source in STEADY for goal in STEADY if source != goal),
        *((state, state) for state in ("in-use", "reserved", "attaching", "detaching")),
        ("available", "extending"),
        ("in-use", "extending"),
        ("extending", "error_extending"),
        # Back to what the attachments say: a server may let go of the volume meanwhile.
        *((held, goal) for held in HELD_IN_USE for goal in STEADY),
        *((source.name, "deleting") for source in VOLUME_STATES if source.name != "deleting"),
        ("deleting", "error_deleting"),
        ("deleting", "available"),
        *((back, passing) for back in ("available", "in-use") for passing in ("uploading", "retyping")),
        # What an operator detaches by force.
        ("error", "available"),
        ("error", "in-use"),
        ("available", "migrating"),
        ("in-use", "migrating"),
        ("available", "reverting"),
        ("reverting", "available"),
        ("reverting", "error"),
        *((source, "downloading") for source in ("available", "reserved", "error")),
        ("managing", "available"),
        ("managing", "error_managing"),
        ("available", "backing-up"),
        ("in-use", "backing-up"),
        ("available", "restoring-backup"),
        ("restoring-backup", "available"),
        ("restoring-backup", "error_restoring"),
        ("available", "awaiting-transfer"),
        ("awaiting-transfer", "available"),
    ],
)

SNAPSHOTS = StateTable(
    "snapshot",
    [
        Passing(
            "creating", "", ("snapshot.create", "group_snapshot.create"), "snapshot_create_deadline", "error"
        ),
        State("available"),
        Passing(
            "deleting",
            "by itself, or with its volume",
            ("snapshot.delete", DELETE, "group_snapshot.delete"),
            "snapshot_delete_deadline",
            "error_deleting",
        ),
        Passing("restoring", "its volume is reverted to it", REVERT, "volume_revert_deadline", "available"),
        Passing("managing", "", "snapshot.manage", "volume_manage_deadline", "error"),
        Passing("backing-up", "is copied", BACKUP, "backup_create_deadline", "available"),
        State("error_deleting"),
        State("error"),
    ],
    [
        ("available", "restoring"),
        ("restoring", "available"),
        ("managing", "available"),
        ("managing", "error"),
        ("creating", "available"),
        ("creating", "error"),
        ("available", "backing-up"),
        ("backing-up", "available"),
        ("available", "deleting"),
        ("error", "deleting"),
        ("error_deleting", "deleting"),
        ("deleting", "error_deleting"),
        ("deleting", "available"),
    ],
)

BACKUPS = StateTable(
    "backup",
    [
        Passing("creating", "", (BACKUP, "backup.import"), "backup_create_deadline", "error"),
        State("available"),
        Passing(
            "restoring",
            "into a volume, perhaps a new one",
            (RESTORE, CREATE),
            "backup_restore_deadline",
            "available",
        ),
        Passing("deleting", "", "backup.delete", "backup_delete_deadline", "error_deleting"),
        State("error_deleting", "may be deleted again"),
        State("error"),
    ],
    [
        ("creating", "available"),
        ("creating", "error"),
        ("available", "restoring"),
        ("restoring", "available"),
        ("available", "deleting"),
        ("error", "deleting"),
        ("error_deleting", "deleting"),
        ("deleting", "error_deleting"),
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

GROUPS = StateTable(
    "group",
    [
        Passing(
            "creating", "", ("group.create", "group.create_from_source"), "group_create_deadline", "error"
        ),
        State("available"),
        Passing("deleting", "with its volumes", "group.delete", "group_delete_deadline", "error_deleting"),
        State("error_deleting", "may be deleted again"),
        State("error"),
    ],
    [
        ("creating", "available"),
        ("creating", "error"),
        *((source, "deleting") for source in ("available", "error", "error_deleting")),
        ("deleting", "error_deleting"),
    ],
)

GROUP_SNAPSHOTS = StateTable(
    "group_snapshot",
    [
        Passing("creating", "", "group_snapshot.create", "snapshot_create_deadline", "error"),
        State("available"),
        Passing("deleting", "", "group_snapshot.delete", "snapshot_delete_deadline", "error_deleting"),
        State("error_deleting", "may be deleted again"),
        State("error"),
    ],
    [
        ("creating", "available"),
        ("creating", "error"),
        *((source, "deleting") for source in ("available", "error", "error_deleting")),
        ("deleting", "error_deleting"),
    ],
)
