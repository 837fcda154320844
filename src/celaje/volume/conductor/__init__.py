"""The volume service's flows, one file each, and the conductor that runs them."""

from celaje.volume.conductor.conductor import VolumeConductor
from celaje.volume.conductor.connect_attachment import (
    connect_attachment,
    initialize_connection,
    terminate_connection,
)
from celaje.volume.conductor.create_backup import create_backup, import_backup
from celaje.volume.conductor.create_snapshot import create_snapshot
from celaje.volume.conductor.create_volume import create_volume
from celaje.volume.conductor.delete_backup import delete_backup
from celaje.volume.conductor.delete_snapshot import delete_snapshot
from celaje.volume.conductor.delete_volume import delete_volume
from celaje.volume.conductor.disconnect_attachment import disconnect_attachment
from celaje.volume.conductor.extend_volume import extend_volume
from celaje.volume.conductor.group_snapshots import create_group_snapshot, delete_group_snapshot
from celaje.volume.conductor.groups import create_group, create_group_from_source, delete_group
from celaje.volume.conductor.manage import manage_snapshot, manage_volume
from celaje.volume.conductor.migrate_volume import migrate_volume
from celaje.volume.conductor.moving import remove_source
from celaje.volume.conductor.reclaim import reclaim_attachment, reclaim_volume
from celaje.volume.conductor.reclaim_image_keys import reclaim_image_keys
from celaje.volume.conductor.reimage_volume import reimage_volume
from celaje.volume.conductor.restore_backup import restore_backup
from celaje.volume.conductor.retype_volume import retype_volume
from celaje.volume.conductor.revert_volume import revert_volume
from celaje.volume.conductor.upload_volume import upload_volume

FLOWS = [
    create_backup,
    import_backup,
    delete_backup,
    restore_backup,
    create_volume,
    delete_volume,
    extend_volume,
    connect_attachment,
    disconnect_attachment,
    initialize_connection,
    terminate_connection,
    create_snapshot,
    delete_snapshot,
    upload_volume,
    retype_volume,
    migrate_volume,
    remove_source,
    revert_volume,
    reimage_volume,
    manage_volume,
    manage_snapshot,
    create_group,
    create_group_from_source,
    delete_group,
    create_group_snapshot,
    delete_group_snapshot,
    reclaim_attachment,
    reclaim_image_keys,
    reclaim_volume,
]

__all__ = ["FLOWS", "VolumeConductor"]
