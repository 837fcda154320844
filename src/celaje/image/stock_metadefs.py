"""The metadata definitions that a new cloud begins with: the properties that Celaje's and OpenStack's
services read from images, flavors and volumes. Sown once by the service; names and values are theirs."""

from typing import Any

Body = dict[str, Any]

_IMAGE = {"name": "OS::Glance::Image"}
_FLAVOR = {"name": "OS::Nova::Flavor"}
_VOLUME = {"name": "OS::Cinder::Volume", "properties_target": "image"}
_SERVER = {"name": "OS::Nova::Server", "properties_target": "metadata"}


def _text(title: str, description: str, *choices: str, default: str | None = None) -> Body:
    found: Body = {"title": title, "description": description, "type": "string"}
    if choices:
        found["enum"] = list(choices)
    if default is not None:
        found["default"] = default
    return found


def _number(title: str, description: str, minimum: int = 0, **more: Any) -> Body:
    return {"title": title, "description": description, "type": "integer", "minimum": minimum, **more}


def _flag(title: str, description: str) -> Body:
    return {"title": title, "description": description, "type": "boolean"}


def _namespace(
    name: str, display_name: str, description: str, resource_types: list[Body], /, **properties: Body
) -> Body:
    return {
        "namespace": name,
        "display_name": display_name,
        "description": description,
        "resource_type_associations": resource_types,
        "properties": properties,
    }


STOCK: list[Body] = [
    _namespace(
        "OS::Glance::CommonImageProperties",
        "Common image properties",
        "What is usually said of an image, for people and for tools that choose among images.",
        [_IMAGE],
        kernel_id=_text("Kernel", "Id of the image that holds the kernel this one boots with."),
        ramdisk_id=_text("Ramdisk", "Id of the image that holds the ramdisk this one boots with."),
        instance_uuid=_text("Server", "Id of the server that this image was made of."),
        architecture=_text("CPU architecture", "The processor that the image is for.", "x86_64", "i686",
                           "aarch64", "armv7l", "ppc64", "ppc64le", "s390x", "riscv64"),
        os_distro=_text("Distribution", "Short name of the operating system, in lower case."),
        os_version=_text("Version", "The operating system's version, as its makers write it."),
    ),
    _namespace(
        "OS::OperatingSystem",
        "Operating system",
        "The operating system in an image, and how one gets into it.",
        [_IMAGE, _VOLUME],
        os_distro=_text("Distribution", "Short name of the operating system, in lower case."),
        os_version=_text("Version", "The operating system's version, as its makers write it."),
        os_type=_text("Type", "Family of the operating system.", "linux", "windows"),
        os_admin_user=_text("Administrator", "Name of the account that administers it."),
        os_require_quiesce=_flag("Quiesce", "Snapshots wait until the guest agent has frozen its disks."),
    ),
    _namespace(
        "OS::Compute::LibvirtImage",
        "Virtual hardware of an image",
        "Which devices a server of this image gets.",
        [{**_IMAGE}],
        hw_disk_bus=_text("Disk bus", "How disks are plugged in.", "scsi", "virtio", "uml", "xen", "ide",
                          "usb", "fdc", "sata"),
        hw_cdrom_bus=_text("CD-ROM bus", "How CD-ROM drives are plugged in.", "scsi", "virtio", "ide",
                           "sata"),
        hw_scsi_model=_text("SCSI controller", "Model of the controller.", "virtio-scsi", "lsilogic"),
        hw_vif_model=_text("Network card", "Model of network cards.", "virtio", "e1000", "e1000e", "ne2k_pci",
                           "pcnet", "rtl8139", "vmxnet3"),
        hw_vif_multiqueue_enabled=_flag("Several queues", "A queue of the network card for each CPU."),
        hw_video_model=_text("Graphics card", "Model of the graphics card.", "vga", "cirrus", "vmvga", "xen",
                             "qxl", "virtio", "gop", "none", "bochs"),
        hw_video_ram=_number("Graphics memory", "MiB of the graphics card's memory."),
        hw_pointer_model=_text("Pointer", "Kind of pointing device.", "usbtablet"),
        hw_machine_type=_text("Machine", "The machine that is emulated, as the hypervisor names it."),
        hw_firmware_type=_text("Firmware", "What the machine boots with.", "bios", "uefi"),
        hw_rng_model=_text("Random numbers", "Model of the random number generator.", "virtio"),
        hw_qemu_guest_agent=_text("Guest agent", "Whether the agent runs in the image.", "yes", "no"),
        hw_serial_port_count=_number("Serial ports", "How many the machine has."),
        os_secure_boot=_text("Secure boot", "Whether only signed code boots.", "required", "disabled",
                             "optional"),
    ),
    _namespace(
        "OS::Compute::VirtCPUTopology",
        "Virtual CPU topology",
        "How a server's CPUs are arranged: what is wanted, and the most that is allowed.",
        [{**_IMAGE, "prefix": "hw_"}, {**_VOLUME, "prefix": "hw_"}, {**_FLAVOR, "prefix": "hw:"}],
        cpu_sockets=_number("Sockets", "Wanted number of sockets.", 1),
        cpu_cores=_number("Cores", "Wanted number of cores in a socket.", 1),
        cpu_threads=_number("Threads", "Wanted number of threads in a core.", 1),
        cpu_maxsockets=_number("Most sockets", "Most sockets that may be chosen.", 1),
        cpu_maxcores=_number("Most cores", "Most cores in a socket that may be chosen.", 1),
        cpu_maxthreads=_number("Most threads", "Most threads in a core that may be chosen.", 1),
    ),
    _namespace(
        "OS::Compute::CPUPinning",
        "CPU pinning",
        "Whether a server's CPUs have CPUs of the host to themselves.",
        [{**_IMAGE, "prefix": "hw_"}, {**_VOLUME, "prefix": "hw_"}, {**_FLAVOR, "prefix": "hw:"}],
        cpu_policy=_text("Policy", "Shared CPUs float, dedicated ones are pinned.", "shared", "dedicated",
                         "mixed"),
        cpu_thread_policy=_text("Thread policy", "Which threads of a core pinned CPUs may use.", "isolate",
                                "prefer", "require"),
    ),
    _namespace(
        "OS::Compute::GuestMemoryBacking",
        "Guest memory",
        "The pages that a server's memory is made of.",
        [{**_IMAGE, "prefix": "hw_"}, {**_VOLUME, "prefix": "hw_"}, {**_FLAVOR, "prefix": "hw:"}],
        mem_page_size=_text("Page size", "small, large, any, or a size such as 2MB."),
        locked_memory=_flag("Locked memory", "The host never swaps the server's memory out."),
    ),
    _namespace(
        "OS::Compute::Watchdog",
        "Watchdog",
        "What is done with a server whose watchdog is not fed any more.",
        [{**_IMAGE, "prefix": "hw_"}, {**_VOLUME, "prefix": "hw_"}, {**_FLAVOR, "prefix": "hw:"}],
        watchdog_action=_text("Action", "What happens to the server.", "disabled", "reset", "poweroff",
                              "pause", "none", default="disabled"),
    ),
    _namespace(
        "OS::Compute::RandomNumberGenerator",
        "Random number generator",
        "Whether servers of a flavor get random numbers from the host, and how many.",
        [{**_FLAVOR, "prefix": "hw_rng:"}],
        allowed=_flag("Allowed", "Servers of this flavor may have the device."),
        rate_bytes=_number("Bytes", "Most bytes that are read in a period."),
        rate_period=_number("Period", "Milliseconds of a period."),
    ),
    _namespace(
        "OS::Compute::Quota",
        "Limits of a flavor",
        "How much CPU time, disk and network a server of a flavor may use.",
        [{**_FLAVOR, "prefix": "quota:"}],
        cpu_shares=_number("CPU shares", "Weight against other servers on the host."),
        cpu_period=_number("CPU period", "Microseconds in which the quota holds."),
        cpu_quota=_number("CPU quota", "Microseconds of CPU time in a period.", -1),
        disk_read_bytes_sec=_number("Disk reading", "Most bytes a second that are read."),
        disk_read_iops_sec=_number("Disk reads", "Most reads a second."),
        disk_write_bytes_sec=_number("Disk writing", "Most bytes a second that are written."),
        disk_write_iops_sec=_number("Disk writes", "Most writes a second."),
        disk_total_bytes_sec=_number("Disk bytes", "Most bytes a second, read and written."),
        disk_total_iops_sec=_number("Disk operations", "Most operations a second."),
        vif_inbound_average=_number("Inbound average", "KiB a second that come in on average."),
        vif_inbound_peak=_number("Inbound peak", "KiB a second that come in at most."),
        vif_outbound_average=_number("Outbound average", "KiB a second that go out on average."),
        vif_outbound_peak=_number("Outbound peak", "KiB a second that go out at most."),
    ),
    _namespace(
        "OS::Compute::GuestShutdownBehavior",
        "Shutdown",
        "How long a server may take to shut down before it is switched off.",
        [_IMAGE],
        os_shutdown_timeout=_number("Timeout", "Seconds.", default=60),
    ),
    _namespace(
        "OS::Compute::Instance",
        "Servers",
        "What a server's metadata may say for people.",
        [_SERVER],
        description=_text("Description", "What the server is for."),
        owner=_text("Owner", "Who is asked about it."),
    ),
    _namespace(
        "OS::Glance::Signatures",
        "Signatures",
        "Signs an image, so that its data can be checked against its maker's certificate.",
        [_IMAGE],
        img_signature=_text("Signature", "Of the image's data, in base64."),
        img_signature_hash_method=_text("Digest", "The digest that was signed.", "SHA-224", "SHA-256",
                                        "SHA-384", "SHA-512"),
        img_signature_key_type=_text("Key", "Kind of the key.", "RSA-PSS", "DSA", "ECC_SECT571K1",
                                     "ECC_SECP521R1", "ECC_SECP384R1"),
        img_signature_certificate_uuid=_text("Certificate", "Where the key manager has the certificate."),
    ),
    _namespace(
        "OS::Cinder::Volumetype",
        "Volume types",
        "What a volume type asks of its back end.",
        [{"name": "OS::Cinder::VolumeType"}],
        volume_backend_name=_text("Back end", "Name of the back ends that volumes of this type lie on."),
        multiattach=_text("Several servers", "Whether several servers may have a volume.", "<is> True",
                          "<is> False"),
        **{"RESKEY:availability_zones": _text("Zones", "Where volumes of this type may be.")},
    ),
]  # fmt: skip
