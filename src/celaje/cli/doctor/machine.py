"""Checks of this machine: what the drivers in use need of it, and room on its disks."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from celaje.cli.doctor.examination import ERROR, WARNING, Examination, Finding
from celaje.image.stores.opening import OPTIONS as STORE_OPTIONS

_GIB = 1 << 30
# What offers a back end's volumes to hosts: its program and Debian's package.
_DAEMONS = {"nbd": ("qemu-storage-daemon", "qemu-system-common"), "iscsi": ("tgtd", "tgt")}
# Below the first a database cannot work, below the second the next image fills the disk.
_NO_ROOM, _LITTLE_ROOM = 0.2, 5.0


def guests(exam: Examination) -> Iterator[Finding]:
    """QEMU and KVM, where real guests are to run."""
    conf = exam.confs.get("compute")
    if conf is None or conf.compute_driver != "qemu":
        return
    from celaje.compute.drivers.qemu import probe

    where = exam.where("compute", None, "compute_driver")
    with tempfile.TemporaryDirectory(prefix="celaje-doctor-") as folder:
        # Not the state directory's memory of it: what works now is the question.
        found = probe.probe(Path(folder))
    words = " ".join(found.words)
    if not found.usable:
        yield Finding(
            ERROR, words, where, "No guest can run here.", "apt-get install qemu-system-x86 qemu-utils"
        )
    elif found.accelerator != "kvm":
        yield Finding(
            WARNING,
            words,
            where,
            "Guests are complete, but slow.",
            "Load the kvm module, allow nested virtualisation, or join the group kvm.",
        )


def back_ends(exam: Examination) -> Iterator[Finding]:
    """qemu-img and a folder, where volumes are files."""
    conf = exam.confs.get("volume")
    for name, backend in conf.backends.items() if conf is not None else ():
        where = exam.where("volume", name, "volume_driver")
        driver = backend.volume_driver
        if driver == "rbd":
            yield from _ceph(
                f"The back end {name}", backend.rbd_ceph_conf, where, ("rbd", "ceph", "qemu-img")
            )
        if driver not in ("file", "nbd", "iscsi"):
            continue
        if shutil.which("qemu-img") is None:
            yield Finding(
                WARNING,
                f"The back end {name} needs qemu-img, which is not installed.",
                where,
                "Only raw images can become volumes.",
                "apt-get install qemu-utils",
            )
        program, package = _DAEMONS.get(driver, ("", ""))
        if program and shutil.which(program) is None:
            yield Finding(
                ERROR,
                f"The back end {name} needs {program}, which is not installed.",
                where,
                "Its worker does not start.",
                f"apt-get install {package}",
            )


def image_stores(exam: Examination) -> Iterator[Finding]:
    """Ceph's programs, where images are kept in it."""
    conf = exam.confs.get("image")
    enabled = (conf.glance_store.enabled_backends or conf.enabled_backends) if conf is not None else {}
    for name, kind in enabled.items():
        if conf is not None and kind == "rbd":
            file = conf.backend(name, STORE_OPTIONS[kind]).rbd_store_ceph_conf
            where = exam.where("image", name, "rbd_store_ceph_conf")
            yield from _ceph(f"The store {name}", file, where, ("rbd", "ceph"))


def _ceph(what: str, file: str, where: str, programs: tuple[str, ...]) -> Iterator[Finding]:
    """Whether the cluster answers is asked by the service when it starts, with its own patience."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        yield Finding(
            ERROR,
            f"{what} needs {', '.join(missing)}, not installed here.",
            where,
            "Its service does not start.",
            "apt-get install ceph-common qemu-utils qemu-block-extra",
        )
    path = Path(file or "/etc/ceph/ceph.conf")
    if not os.access(path, os.R_OK):
        yield Finding(
            ERROR,
            f"{what} reads {path}, which is not there or not readable.",
            where,
            "Its service does not find the Ceph cluster.",
            "Copy ceph.conf and the user's keyring from the cluster.",
        )


def room(exam: Examination) -> Iterator[Finding]:
    """Free space where services and back ends write."""
    folders: dict[Path, str] = {}
    if exam.state is not None:
        folders[exam.state] = "the state directory"
    for name, conf in exam.confs.items():
        folders.setdefault(exam.folder(name), f"state_path of {name}")
        for section, backend in conf.backends.items():
            if backend.get("volumes_dir"):
                folders.setdefault(Path(backend.volumes_dir), f"volumes_dir of [{section}]")
    seen = set()
    for folder, what in folders.items():
        there = _existing(folder)
        device = there.stat().st_dev
        if device in seen:
            continue
        seen.add(device)
        free = shutil.disk_usage(there).free / _GIB
        if free < _LITTLE_ROOM:
            yield Finding(
                ERROR if free < _NO_ROOM else WARNING,
                f"{free:.1f} GiB are free for {what}.",
                str(there),
                "A full disk stops databases and breaks guests' disks.",
                "Make room, or put the folder on another disk.",
            )


def _existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder
