"""What goes wrong in the volume service, in words its clients know. Raised by API, flows, scheduler."""

from celaje.common import errors


class VolumeNotFound(errors.NotFound):
    text = "Volume {volume_id} could not be found."


class SnapshotNotFound(errors.NotFound):
    text = "Snapshot {snapshot_id} could not be found."


class VolumeAttachmentNotFound(errors.NotFound):
    text = "Volume attachment could not be found with filter: {filter}."


class VolumeTypeNotFound(errors.NotFound):
    text = "Volume type {volume_type_id} could not be found."


class VolumeTypeNotFoundByName(errors.NotFound):
    text = "Volume type with name {volume_type_name} could not be found."


class VolumeTypeExtraSpecNotFound(errors.NotFound):
    text = "Volume Type {volume_type_id} has no extra spec with key {key}."


class VolumeTypeAccessNotFound(errors.NotFound):
    text = "Volume type access not found for {volume_type_id} / {project_id} combination."


class DefaultTypeNotFound(errors.NotFound):
    text = "Default type for project {project_id} not found."


class MetadataKeyNotFound(errors.NotFound):
    text = "Metadata item {key} was not found."


class MessageNotFound(errors.NotFound):
    text = "Message {message_id} could not be found."


class ServiceNotFound(errors.NotFound):
    text = "Service {service} could not be found on host {host}."


class NoBackupService(errors.Unavailable):
    """No cinder-backup is up where one is needed: told to who asks for a backup (503)."""

    text = "Service cinder-backup could not be found."


class BackupServiceNotFound(errors.NotFound):
    """The same, told to who asks for something of a backup that there is (404)."""

    text = "Service cinder-backup could not be found."


class QosSpecsNotFound(errors.NotFound):
    text = "No such QoS spec {specs_id}."


class QosSpecsKeyNotFound(errors.NotFound):
    text = "QoS spec {specs_id} has no spec with key {specs_key}."


class QosSpecsExists(errors.Conflict):
    text = "QoS Specs {specs_id} already exists."


class InvalidQosSpecs(errors.Invalid):
    text = "Invalid qos specs: {reason}"


class InvalidVolumeType(errors.Invalid):
    text = "Invalid volume type: {reason}"


class VolumeTypeEncryptionNotFound(errors.NotFound):
    text = "Volume type encryption for type {type_id} does not exist."


class VolumeTypeEncryptionExists(errors.Invalid):
    text = "Volume type encryption for type {type_id} already exists."


class TransferNotFound(errors.NotFound):
    text = "Transfer {transfer_id} could not be found."


class InvalidAuthKey(errors.Invalid):
    text = "Invalid auth key: {reason}"


class HostNotFound(errors.NotFound):
    text = "Host {host} could not be found."


class ClusterNotFound(errors.NotFound):
    text = "Cluster {{'binary': '{binary}', 'name': '{name}'}} could not be found."


class GroupTypeNotFound(errors.NotFound):
    text = "Group type {group_type_id} could not be found."


class GroupTypeSpecNotFound(errors.NotFound):
    text = "Group Type {type_id} has no extra spec with key {key}."


class GroupTypeExists(errors.Conflict):
    text = "Group Type {id} already exists."


class GroupNotFound(errors.NotFound):
    text = "Group {group_id} could not be found."


class GroupSnapshotNotFound(errors.NotFound):
    text = "GroupSnapshot {group_snapshot_id} could not be found."


class InvalidGroup(errors.Invalid):
    text = "Invalid Group: {reason}"


class InvalidGroupSnapshot(errors.Invalid):
    text = "Invalid GroupSnapshot: {reason}"


class GroupLimitExceeded(errors.OverQuota):
    text = "Maximum number of groups allowed ({allowed}) exceeded"


class InvalidReference(errors.Invalid):
    text = "Manage existing volume failed due to invalid backend reference {reference}: {reason}."


class AlreadyManaged(errors.Invalid):
    text = "Unable to manage existing volume. Volume {reference} already managed."


class RetypeNeedsMigration(errors.CelajeError):
    """The volume's own back end does not do for the new type, and it may not move."""

    text = (
        "Volume {volume_id} must be migrated for its new type, which is not allowed or not possible: {reason}"
    )


class InvalidVolume(errors.Invalid):
    text = "Invalid volume: {reason}"


class InvalidSnapshot(errors.Invalid):
    text = "Invalid snapshot: {reason}"


class InvalidInput(errors.Invalid):
    text = "Invalid input received: {reason}"


class VolumeBusy(errors.Conflict):
    """Another operation holds the volume or attachment; which one is in `flow`."""

    text = "{what} is held by another operation ({flow})."


class AttachmentInUse(errors.Conflict):
    """Cinder's guard of bug 2004555: a user may not pull a disk from under a running server."""

    text = (
        "Detach volume from instance {server_id} using the Compute API: the server uses this attachment, and "
        "removing it here would leave the server with a disk that may become somebody else's."
    )


class VolumeTypeExists(errors.Conflict):
    text = "Volume Type {name} already exists."


class VolumeTypeAccessExists(errors.Conflict):
    text = "Volume type access for {volume_type_id} / {project_id} combination already exists."


class VolumeTypeInUse(errors.Invalid):
    text = "Volume Type {volume_type_id} deletion is not allowed with volumes present with the type."


class VolumeTypeDefault(errors.Invalid):
    text = "The volume type {volume_type_id} is a default volume type and cannot be deleted."


class VolumeLimitExceeded(errors.OverQuota):
    text = "Maximum number of volumes allowed ({allowed}) exceeded for quota '{name}'."


class SnapshotLimitExceeded(errors.OverQuota):
    text = "Maximum number of snapshots allowed ({allowed}) exceeded"


class VolumeSizeExceedsAvailableQuota(errors.OverQuota):
    text = (
        "Requested volume or snapshot exceeds allowed {name} quota. Requested {requested}G, "
        "quota is {quota}G and {consumed}G has been consumed."
    )


class VolumeSizeExceedsLimit(errors.OverQuota):
    text = "Requested volume size {size}G is larger than maximum allowed limit {limit}G."


class BackupLimitExceeded(errors.OverQuota):
    text = "Maximum number of backups allowed ({allowed}) exceeded"


class VolumeBackupSizeExceedsAvailableQuota(errors.OverQuota):
    text = (
        "Requested backup exceeds allowed Backup gigabytes quota. Requested {requested}G, quota is {quota}G "
        "and {consumed}G has been consumed."
    )


class BackupNotFound(errors.NotFound):
    text = "Backup {backup_id} could not be found."


class InvalidBackup(errors.Invalid):
    text = "Invalid backup: {reason}"


class InvalidEncryption(errors.Invalid):
    """A type's encryption names no cipher, so no key can be made."""

    text = "Invalid encryption spec"


class NoValidBackend(errors.NoValidHost):
    """`details['filters']`: which filter removed which back end, with which numbers."""

    text = "No valid backend was found. {reason}"


class ExtendFailed(errors.CelajeError):
    """The compute service, which holds the volume open, could not extend it."""

    text = "The compute service could not extend volume {volume_id}."


class CopyFailed(errors.CelajeError):
    """The compute service, which holds the volume open, could not copy it."""

    text = "The compute service could not copy the attached volume {volume_id}."


class MigrationFailed(errors.CelajeError):
    """The server that uses the volume goes on with it where it is."""

    text = "Volume {volume_id} could not be moved while a server uses it."


class AttachmentFailed(errors.CelajeError):
    """The back end could not do it: 500, with the cause in words."""

    text = "Unable to {verb} attachment for volume ({cause})."
