"""The image service's options, under Glance's names where Glance has them. Registered by `service.py`."""

from oslo_config import cfg

from celaje.common.conf.options import Options
from celaje.image import cache, protections, web
from celaje.image.conductor import reworking
from celaje.image.stores import file, opening

_HOUR = 3600

OPTIONS: Options = {
    None: [
        cfg.IntOpt("image_size_cap", default=1 << 40, min=1, max=1 << 62, help="Most bytes of one image."),
        cfg.StrOpt(
            "user_storage_quota",
            default="0",
            regex=r"^[0-9]+ *(B|KB|MB|GB|TB)?$",
            ignore_case=True,
            help="Bytes that one owner may store in all images, with an optional unit (B, KB, MB, GB, TB). "
            "0: no limit.",
        ),
        cfg.StrOpt(
            "node_staging_uri",
            regex="^file:///.",
            help="file:///folder for data that is staged and not imported yet, shared by all image APIs: an "
            "import may run in any of them. Not set: staging below state_path, for a single one.",
        ),
        cfg.IntOpt("image_member_quota", default=128, help="Members of an image; negative: no limit."),
        cfg.IntOpt("image_property_quota", default=128, help="Properties of an image; negative: no limit."),
        cfg.IntOpt("image_tag_quota", default=128, help="Tags of an image; negative: no limit."),
        *cache.OPTIONS,
        *protections.OPTIONS,
        cfg.BoolOpt(
            "use_keystone_limits",
            default=False,
            help="Projects have identity's limits of image_size_total, image_stage_total (MiB), "
            "image_count_total and image_count_uploading; without a registered limit they may have nothing.",
        ),
        cfg.IntOpt("limit_param_default", default=25, min=1, help="Images on a page, if none are asked."),
        cfg.IntOpt("api_limit_max", default=1000, min=1, help="Most images on a page."),
        cfg.BoolOpt(
            "show_image_direct_url",
            default=False,
            help="Show where an image's data lies (direct_url) to whom get_image_location allows it.",
        ),
        cfg.ListOpt(
            "enabled_import_methods",
            item_type=cfg.types.String(
                choices=["glance-direct", "web-download", "copy-image", "glance-download"]
            ),
            bounds=True,
            default=["glance-direct", "web-download", "copy-image"],
            help="Import methods that are offered. copy-image needs several stores.",
        ),
        cfg.BoolOpt(
            "show_multiple_locations",
            default=False,
            help="Show where an image's data lies (locations), and let clients change it. Whoever may set a "
            "location makes an image of what lies there.",
        ),
        cfg.BoolOpt(
            "do_secure_hash",
            default=True,
            help="Compute the digests of data whose location was added, by reading it.",
        ),
        opening.enabled_backends("Glance's name for the stores; read where [glance_store] names none."),
    ],
    "image_format": [
        cfg.ListOpt(
            "container_formats",
            default=["ami", "ari", "aki", "bare", "ovf", "ova", "docker", "compressed"],
            help="Values that container_format may have.",
        ),
        cfg.ListOpt(
            "disk_formats",
            default=[
                "ami",
                "ari",
                "aki",
                "vhd",
                "vhdx",
                "vmdk",
                "raw",
                "qcow2",
                "vdi",
                "iso",
                "ploop",
                "luks",
            ],
            help="Values that disk_format may have.",
        ),
        cfg.BoolOpt(
            "require_image_format_match",
            default=True,
            help="Refuse data that is not of the declared disk_format.",
        ),
    ],
    "glance_store": [
        *file.OPTIONS,
        opening.enabled_backends(
            "Stores as name:kind (fast:file, cheap:file, web:http), each with a section of its name. Empty: "
            "one store, as the rest of this section says."
        ),
        cfg.StrOpt("default_backend", help="Of enabled_backends: where data goes that names no store."),
    ],
    "import_filtering_opts": list(web.OPTIONS),
    **reworking.OPTIONS,
    "glance_download_properties": [
        cfg.ListOpt(
            "extra_properties",
            default=["hw_", "trait:", "os_distro", "os_secure_boot", "os_type"],
            help="Beginnings of the names of properties that glance-download copies.",
        ),
    ],
    "paste_deploy": [
        cfg.StrOpt(
            "flavor",
            default="keystone",
            help="As Glance names its pipelines: with caching or cachemanagement there is an image cache.",
        ),
    ],
    "task": [
        cfg.IntOpt("task_time_to_live", default=48, min=1, help="Hours that an ended task is shown."),
    ],
    "flows": [
        cfg.IntOpt("upload_deadline", default=24 * _HOUR, min=1, help="Seconds an upload may take."),
        cfg.IntOpt(
            "stage_deadline", default=7 * 24 * _HOUR, min=1, help="Seconds staged data waits for its import."
        ),
        cfg.IntOpt("import_deadline", default=24 * _HOUR, min=1, help="Seconds an import may take."),
        cfg.IntOpt(
            "delete_deadline",
            default=7 * 24 * _HOUR,
            min=1,
            help="Seconds during which the removal of a deleted image's data is tried.",
        ),
    ],
    "uploads": [
        cfg.IntOpt(
            "lease",
            default=60,
            min=3,
            help="Seconds after which an upload counts as lost when the API process that receives it is "
            "silent. The image is queued again then.",
        ),
        cfg.IntOpt(
            "reconcile_interval",
            default=600,
            min=1,
            help="Seconds between comparisons of the store with the database.",
        ),
        cfg.StrOpt(
            "remove_orphans",
            default="auto",
            choices=["auto", "always", "never"],
            help="Remove data that no image has. auto: only in the service's own folder below state_path; "
            "a folder that is configured may be shared with others, there they are logged.",
        ),
    ],
}
