"""The compute service's options, under Nova's names."""

from oslo_config import cfg

_DEADLINES = {
    "server_create_deadline": (3600, "build a server: image, ports, volumes, spawn"),
    "server_delete_deadline": (1800, "delete a server with its ports, volumes and allocations"),
    "server_action_deadline": (600, "start, stop, reboot, pause, suspend ... a server"),
    "server_attach_deadline": (300, "attach, detach or extend a volume, plug or unplug a port"),
    "server_copy_volume_deadline": (3600, "copy an attached volume for the volume service"),
    # Shorter than the volume service's volume_migrate_deadline, which waits for it.
    "server_swap_volume_deadline": (10800, "bring an attached volume's data to another volume"),
    "server_complete_swap_deadline": (86400, "tell the volume service that a volume was swapped"),
    "node_publish_deadline": (86400, "tell placement what a hypervisor has"),
}

OPTIONS = {
    None: [
        cfg.StrOpt("compute_driver", default="fake", choices=["fake", "qemu"], help="The hypervisor."),
        cfg.ListOpt(
            "fake_hosts",
            default=[],
            help="Simulated driver: the compute hosts that this worker serves; empty: this host.",
        ),
        cfg.IntOpt("fake_host_vcpus", default=64, min=1, help="Simulated driver: VCPUs of each host."),
        cfg.IntOpt("fake_host_memory_mb", default=262144, min=1, help="Simulated driver: MiB of each host."),
        cfg.IntOpt("fake_host_disk_gb", default=10000, min=1, help="Simulated driver: GiB of each host."),
        cfg.StrOpt("default_availability_zone", default="nova", help="Zone of hosts in no aggregate's."),
        cfg.StrOpt("default_schedule_zone", help="Zone of servers whose request names none."),
        cfg.StrOpt("internal_service_availability_zone", default="internal", help="Zone of other services."),
        cfg.FloatOpt("cpu_allocation_ratio", default=4.0, min=0.1, help="Virtual CPUs for one real one."),
        cfg.FloatOpt(
            "ram_allocation_ratio", default=1.0, min=0.1, help="MiB promised for one that is there."
        ),
        cfg.FloatOpt("disk_allocation_ratio", default=1.0, min=0.1, help="GiB promised for one there."),
        cfg.IntOpt("reserved_host_memory_mb", default=512, min=0, help="MiB kept for the host itself."),
        cfg.IntOpt("reserved_host_cpus", default=0, min=0, help="CPUs kept for the host itself."),
        cfg.IntOpt("reserved_host_disk_mb", default=0, min=0, help="MiB of disk kept for the host."),
        cfg.BoolOpt("force_config_drive", default=False, help="Give every server a config drive."),
        cfg.FloatOpt(
            "api_wait_timeout",
            default=105,
            min=0.1,
            help="Seconds the API waits where its answer depends on other services: until a volume is "
            "reserved, a port plugged. Longer than [keystone_authtoken] http_connect_timeout; it goes on.",
        ),
        cfg.BoolOpt(
            "allow_direct_volume_swap",
            default=False,
            help="Let users whom the policy allows it (os-volumes-attachments:swap) put another volume in "
            "the place of an attached one (with QEMU: one of the same size), as Nova did until 2025. Else "
            "the volume service alone may.",
        ),
        cfg.IntOpt("shutdown_timeout", default=60, min=0, help="Seconds a guest has to shut down by itself."),
        cfg.IntOpt("sync_power_state_interval", default=10, min=1, help="Seconds between looks at guests."),
        cfg.IntOpt("password_length", default=12, min=8, help="Length of a made admin password."),
        cfg.IntOpt("max_concurrent_builds", default=10, min=1, help="Steps a compute host works on at once."),
        cfg.BoolOpt(
            "stop_guests_on_exit",
            default=False,
            help="Shut the guests down when their worker stops, instead of leaving them to the next one.",
        ),
        cfg.BoolOpt(
            "resume_guests_state_on_host_boot",
            default=False,
            help="Start the guests again that were running when the worker stopped them.",
        ),
        cfg.IntOpt(
            "guest_stop_grace", default=10, min=0, help="Seconds guests have for it when their worker stops."
        ),
        cfg.StrOpt("my_ip", default="127.0.0.1", help="Address of this host that others reach it by."),
        cfg.StrOpt(
            "base_mac",
            default="fa:16:3e:00:00:00",
            help="The first three octets of the MAC addresses of ports that are made for servers.",
        ),
    ],
    "ceph": [
        cfg.StrOpt(
            "keyring",
            default="/etc/ceph/ceph.client.{user}.keyring",
            help="Where this host has the key of the Ceph user that an attached volume of an rbd back end "
            "names; {user} stands for it.",
        ),
    ],
    "quota": [
        cfg.IntOpt("instances", default=10, min=-1, help="Servers of a project; -1: no limit."),
        cfg.IntOpt("cores", default=20, min=-1, help="VCPUs of a project."),
        cfg.IntOpt("ram", default=51200, min=-1, help="MiB of a project."),
        cfg.IntOpt("metadata_items", default=128, min=-1, help="Metadata items of a server."),
        cfg.IntOpt("injected_files", default=5, min=-1, help="Personality files of a server."),
        cfg.IntOpt("injected_file_content_bytes", default=10240, min=-1, help="Bytes of one such file."),
        cfg.IntOpt("injected_file_path_length", default=255, min=-1, help="Length of its path."),
        cfg.IntOpt("key_pairs", default=100, min=-1, help="Key pairs of a user."),
        cfg.IntOpt("server_groups", default=10, min=-1, help="Server groups of a project."),
        cfg.IntOpt("server_group_members", default=10, min=-1, help="Servers of a group."),
    ],
    "filter_scheduler": [
        cfg.ListOpt(
            "enabled_filters",
            default=[
                "AvailabilityZoneFilter",
                "ComputeFilter",
                "ComputeCapabilitiesFilter",
                "ImagePropertiesFilter",
                "ServerGroupAntiAffinityFilter",
                "ServerGroupAffinityFilter",
                "SameHostFilter",
                "DifferentHostFilter",
                "ResourcesFilter",
            ],
            help="Filters in the order in which they are asked.",
        ),
        cfg.FloatOpt("ram_weight_multiplier", default=1.0, help="Free memory counts so much."),
        cfg.FloatOpt("cpu_weight_multiplier", default=1.0, help="Free CPUs count so much."),
        cfg.FloatOpt("disk_weight_multiplier", default=1.0, help="Free disk counts so much."),
        cfg.FloatOpt("soft_affinity_weight_multiplier", default=1.0, min=0, help="Group members there."),
        cfg.FloatOpt("soft_anti_affinity_weight_multiplier", default=1.0, min=0, help="None of them there."),
        cfg.IntOpt("host_subset_size", default=1, min=1, help="Choose at random among so many best hosts."),
        cfg.IntOpt("max_instances_per_host", default=50, min=1, help="For NumInstancesFilter."),
    ],
    "scheduler": [
        cfg.IntOpt("max_attempts", default=3, min=1, help="Hosts that a server is tried on."),
        cfg.IntOpt("report_down_time", default=60, min=1, help="Seconds after which a silent host is out."),
    ],
    "notifications": [
        cfg.StrOpt(
            "notification_format",
            default="unversioned",
            choices=["unversioned", "versioned", "both"],
            help="unversioned: compute.instance.create.end, the form that most consumers know; versioned: "
            "instance.create.end with an object that tells its version.",
        ),
        cfg.ListOpt(
            "versioned_notifications_topics",
            default=["versioned_notifications"],
            help="Where the versioned ones go: to the queues <topic>.info and <topic>.error.",
        ),
    ],
    "flows": [
        cfg.IntOpt(name, default=seconds, min=1, help=f"Seconds to {what}; then it is failed.")
        for name, (seconds, what) in _DEADLINES.items()
    ],
}
