"""Every operation that is killed at every boundary, and the flows that each must pass.

`test_boundaries.py` checks both: an operation that does not pass its flows fails, as does a flow that no
operation passes.
"""

from tests.crash.operations import (
    attachments,
    backups,
    contents,
    groups,
    images,
    keys,
    moves,
    servers,
    snapshots,
    volumes,
)

MODULES = (volumes, contents, moves, snapshots, backups, attachments, groups, servers, images, keys)

_CREATE, _DELETE = ("volume.create",), ("volume.delete",)
_MOVED = ("volume.remove_source",)
_ATTACH = ("server.attach_volume", "attachment.connect")
_SWAPPED = ("server.swap_volume", "attachment.connect", "server.complete_swap", *_DELETE)
_DETACH = ("server.detach_volume", "attachment.disconnect")

WALKS: dict[str, tuple[str, ...]] = {
    "CreateVolume": _CREATE,
    "CreateVolumeFromImage": _CREATE,
    "Copy": _CREATE,
    "CopyOfSnapshot": _CREATE,
    "DeleteVolume": _DELETE,
    "DeleteVolumeWithSnapshots": _DELETE,
    "Extend": ("volume.extend",),
    "ExtendAttached": ("volume.extend", "server.extend_volume"),
    "CreateSnapshot": ("snapshot.create",),
    "DeleteSnapshot": ("snapshot.delete",),
    "Retype": ("volume.retype",),
    "RetypeAttached": ("volume.retype",),
    "RetypeAndMove": ("volume.retype", *_MOVED),
    "Migrate": ("volume.migrate", *_MOVED),
    "MigrateAttached": ("volume.migrate", *_SWAPPED),
    "RetypeAndMoveAttached": ("volume.retype", *_SWAPPED),
    "Swap": ("server.swap_volume", "server.complete_swap", "attachment.connect", "attachment.disconnect"),
    "Revert": ("volume.revert",),
    "Reimage": ("volume.reimage",),
    "UploadToImage": ("volume.upload_image",),
    "Manage": ("volume.manage",),
    "ManageSnapshot": ("snapshot.manage",),
    "CreateBackup": ("backup.create",),
    "RestoreBackup": ("backup.restore",),
    "RestoreBackupIntoNewVolume": _CREATE,
    "DeleteBackup": ("backup.delete",),
    "ImportBackup": ("backup.import",),
    "Attach": _ATTACH,
    "Detach": _DETACH,
    "Connect": ("volume.initialize_connection",),
    "Disconnect": ("volume.terminate_connection",),
    "Reclaim": ("attachment.reclaim",),
    "ReclaimReserved": ("attachment.reclaim",),
    "ReclaimVolume": ("volume.reclaim",),
    "ReclaimImageKey": ("image_keys.reclaim",),
    "CreateGroup": ("group.create",),
    "DeleteGroup": ("group.delete",),
    "CreateGroupSnapshot": ("group_snapshot.create",),
    "DeleteGroupSnapshot": ("group_snapshot.delete",),
    "CopyGroup": ("group.create_from_source",),
    "CopyGroupItself": ("group.create_from_source",),
    "CreateServer": ("server.create", "port.bind"),
    "CreateServerOnVolume": ("server.create", *_CREATE, "attachment.connect"),
    "DeleteServer": ("server.delete", "attachment.disconnect"),
    "DeleteServerWithItsVolume": ("server.delete", *_DELETE),
    "Stop": ("server.stop",),
    "PlugInterface": ("server.attach_interface", "port.bind"),
    "ImportStagedImage": ("image.import",),
    "ImportImageFromTheWeb": ("image.import",),
    "CopyImage": ("image.copy",),
    "AddLocation": ("image.add_location",),
    "ImportImageByTask": ("image.task_import",),
    "DeleteImage": ("image.delete",),
}

# Whose work is done before a flow is: a guard over bytes on their way. tests/image/test_crash.py kills there.
ELSEWHERE = {"image.upload", "image.stage"}

OPERATIONS = {
    name: next(getattr(module, name) for module in MODULES if hasattr(module, name))() for name in WALKS
}
