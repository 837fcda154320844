"""The volume service's options: Cinder's names where Cinder has the option.

Read by every part of the service; the options of a back end are its driver's (`drivers/base.py`).
"""

from oslo_config import cfg

from celaje.common.conf.options import Options

BACKEND_OPTIONS = [
    cfg.StrOpt(
        "volume_driver",
        default="file",
        help="What drives this back end: file, nbd, iscsi, rbd, fake, or the dotted path of a driver class.",
    ),
    cfg.StrOpt(
        "backend_host",
        help="Name that takes the place of `host` for this back end: workers on several machines that give "
        "it the same one share the back end's work (see [coordination] backend_url).",
    ),
    cfg.StrOpt(
        "backend_availability_zone",
        help="Availability zone of this back end; storage_availability_zone when not set.",
    ),
]

OPTIONS: Options = {
    None: [
        cfg.ListOpt(
            "enabled_backends",
            default=[],
            help="Sections of the back ends that this node's workers drive, one worker each. None: one back "
            "end named local, files below state_path.",
        ),
        cfg.StrOpt(
            "cluster",
            help="Name of the cluster that this node's volume workers join. Workers of one cluster share the "
            "back ends of the same sections: whoever is free takes a step (see [coordination] backend_url).",
        ),
        cfg.StrOpt("storage_availability_zone", default="nova", help="Availability zone of the back ends."),
        cfg.StrOpt(
            "default_availability_zone",
            help="Zone of volumes that ask for none; storage_availability_zone when not set.",
        ),
        cfg.BoolOpt(
            "allow_availability_zone_fallback",
            default=False,
            help="Use the default zone when a request asks for one that does not exist.",
        ),
        cfg.StrOpt("default_volume_type", default="__DEFAULT__", help="Type of volumes that ask for none."),
        cfg.StrOpt("default_group_type", help="The group type that GET /group_types/default shows."),
        cfg.StrOpt(
            "resource_query_filters_file",
            help="JSON file of what users may filter each list by: lists of keys by resource. Not set: "
            "Cinder's own table.",
        ),
        cfg.ListOpt(
            "scheduler_default_filters",
            default=["AvailabilityZoneFilter", "CapacityFilter", "CapabilitiesFilter"],
            help="Filters that every back end must pass, in this order.",
        ),
        cfg.ListOpt(
            "scheduler_default_weighers",
            default=["CapacityWeigher"],
            help="Weighers that order the back ends that passed; their weights are added.",
        ),
        cfg.FloatOpt(
            "capacity_weight_multiplier",
            default=1.0,
            help="Weight of free capacity; negative numbers fill one back end after the other.",
        ),
        cfg.FloatOpt(
            "allocated_capacity_weight_multiplier",
            default=-1.0,
            help="Weight of allocated capacity; positive numbers fill one back end after the other.",
        ),
        cfg.FloatOpt(
            "volume_number_multiplier",
            default=-1.0,
            help="Weight of the number of volumes; positive numbers fill one back end after the other.",
        ),
        cfg.IntOpt(
            "scheduler_max_attempts", default=3, min=1, help="Back ends that are tried for one volume."
        ),
        cfg.FloatOpt(
            "scheduler_driver_init_wait_time",
            default=60,
            min=0,
            help="Seconds that a scheduler which has just started waits for the first report.",
        ),
        cfg.BoolOpt(
            "no_snapshot_gb_quota", default=False, help="Snapshots do not count against the gigabytes quota."
        ),
        cfg.IntOpt("quota_volumes", default=10, min=-1, help="Volumes of a project; -1: any number."),
        cfg.IntOpt("quota_snapshots", default=10, min=-1, help="Snapshots of a project."),
        cfg.IntOpt(
            "quota_gigabytes", default=1000, min=-1, help="GiB of volumes and snapshots of a project."
        ),
        cfg.IntOpt("quota_backups", default=10, min=-1, help="Backups of a project."),
        cfg.IntOpt("quota_backup_gigabytes", default=1000, min=-1, help="GiB of backups of a project."),
        cfg.IntOpt("quota_groups", default=10, min=-1, help="Volume groups of a project."),
        cfg.IntOpt("per_volume_size_limit", default=-1, min=-1, help="Largest volume of a project in GiB."),
        cfg.IntOpt(
            "volume_worker_timeout",
            default=3600,
            min=1,
            help="Seconds a conductor waits for a worker's step that moves data (create from an image, "
            "snapshot, clone). A worker that dies is noticed at once, by its heartbeats.",
        ),
        cfg.IntOpt(
            "image_cache_max_size_gb",
            default=0,
            min=0,
            help="GiB of images that a node keeps after they became volumes; 0: no limit.",
        ),
        cfg.BoolOpt(
            "enable_force_upload", default=False, help="Volumes in use can be made into images with force."
        ),
        cfg.StrOpt("backup_driver", default="file", help="Where backups are kept: file."),
        cfg.StrOpt(
            "backup_posix_path",
            help="Folder of the backups; every volume worker needs it at the same path. Default: backups "
            "below state_path.",
        ),
        cfg.IntOpt(
            "backup_file_size",
            default=52428800,
            min=512,
            help="Bytes of a volume that one object of a backup holds at most; a multiple of "
            "backup_sha_block_size_bytes.",
        ),
        cfg.IntOpt(
            "backup_sha_block_size_bytes",
            default=32768,
            min=512,
            help="Bytes of the blocks that an incremental backup compares.",
        ),
        cfg.StrOpt(
            "backup_compression_algorithm",
            default="zlib",
            help="How backups are compressed: zlib (gzip), bz2 (bzip2), none (off, no).",
        ),
        cfg.StrOpt(
            "backup_scratch_path",
            help="Folder in which the backup worker unpacks what it reads from and writes to volumes, unless "
            "they are raw files of its own host. Default: backup-scratch in the service's state.",
        ),
        cfg.StrOpt(
            "backup_ceph_conf",
            default="",
            help="ceph.conf of the backup worker's host, for volumes of rbd back ends; default: "
            "/etc/ceph/<cluster name>.conf.",
        ),
        cfg.BoolOpt(
            "backup_use_same_host",
            default=False,
            help="A backup is restored and deleted by the backup worker that made it, by no other.",
        ),
        cfg.IntOpt(
            "backup_worker_timeout",
            default=86400,
            min=1,
            help="Seconds a conductor waits for a worker that makes or restores a backup.",
        ),
        cfg.IntOpt(
            "attachment_wait_timeout",
            default=75,
            min=1,
            help="Seconds the API waits for the back end when it attaches or detaches; the work goes on. "
            "Longer than rpc_response_timeout, shorter than the http_connect_timeout of who asks.",
        ),
        cfg.IntOpt(
            "reservation_timeout",
            default=3600,
            min=1,
            help="Seconds after which reserved, attaching or detaching (which compute drives from outside) "
            "is looked into: does the server still exist, and does it know the volume.",
        ),
        cfg.FloatOpt(
            "reclaim_interval",
            default=60,
            min=0.01,
            help="Seconds between looks for reservations that nobody has settled in time.",
        ),
    ],
    "key_manager": [
        cfg.StrOpt(
            "backend",
            default="database",
            help="Who keeps the keys of encrypted volumes: database (this service's own, sealed with "
            "key_file), fixed_key (one for all; for tests), or the dotted path of a key manager.",
        ),
        cfg.StrOpt(
            "fixed_key", secret=True, help="The one key of backend fixed_key, in hexadecimal, as in Cinder."
        ),
        cfg.StrOpt(
            "key_file",
            help="File whose key seals the keys in the database; encryption.key in the service's folder when "
            "not set. Made at the first start; all APIs and conductors need the same one.",
        ),
    ],
    "coordination": [
        cfg.StrOpt(
            "backend_url",
            help="file:///folder, reached by all workers that share a back end: they lock volumes there. Not "
            "set: each worker has its back ends for itself.",
        ),
    ],
    "flows": [
        cfg.IntOpt("volume_create_deadline", default=7200, min=1, help="Seconds for creating a volume."),
        cfg.IntOpt("volume_delete_deadline", default=7200, min=1, help="Seconds for deleting a volume."),
        cfg.IntOpt("volume_extend_deadline", default=3600, min=1, help="Seconds for extending a volume."),
        cfg.IntOpt("volume_upload_deadline", default=7200, min=1, help="Seconds for a volume to an image."),
        cfg.IntOpt("volume_migrate_deadline", default=14400, min=1, help="Seconds for moving a volume."),
        cfg.IntOpt("volume_revert_deadline", default=3600, min=1, help="Seconds for reverting a volume."),
        cfg.IntOpt(
            "volume_manage_deadline", default=600, min=1, help="Seconds for taking over what is there."
        ),
        cfg.IntOpt(
            "group_create_deadline", default=7200, min=1, help="Seconds for making or copying a group."
        ),
        cfg.IntOpt("group_delete_deadline", default=7200, min=1, help="Seconds for deleting a group."),
        cfg.IntOpt("volume_connect_deadline", default=300, min=1, help="Seconds for attaching a volume."),
        cfg.IntOpt("volume_disconnect_deadline", default=300, min=1, help="Seconds for detaching a volume."),
        cfg.IntOpt("snapshot_create_deadline", default=3600, min=1, help="Seconds for making a snapshot."),
        cfg.IntOpt("snapshot_delete_deadline", default=3600, min=1, help="Seconds for deleting a snapshot."),
        cfg.IntOpt("backup_create_deadline", default=86400, min=1, help="Seconds for making a backup."),
        cfg.IntOpt("backup_restore_deadline", default=86400, min=1, help="Seconds for restoring a backup."),
        cfg.IntOpt("backup_delete_deadline", default=7200, min=1, help="Seconds for deleting a backup."),
        cfg.IntOpt("volume_reclaim_deadline", default=600, min=1, help="Seconds for ending a reservation."),
    ],
}
