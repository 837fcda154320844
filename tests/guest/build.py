"""Builds the test guest's bootable disk image from Debian's packages, without root rights.

Called by the fixtures of tests that boot guests, or by hand: `python -m tests.guest.build`. Calls apt-get
(download only), dpkg-deb, depmod, modprobe, ldd, strip, mke2fs, grub-mkimage, qemu-img; `tests/install.sh`
installs them.
"""

import fcntl
import gzip
import hashlib
import os
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

from tests.guest.archive import newc

HERE = Path(__file__).parent
SOURCES = ("archive.py", "build.py", "early.sh", "init.sh", "dhcp.sh", "power.sh", "grub.cfg")
KERNEL = "linux-image-cloud-amd64"
PACKAGES = ("busybox-static", "dropbear-bin", "libtomcrypt1", "libtommath1", "libgmp10", "zlib1g")
# What the kernel needs before it can see the root disk, and what the rest of the guest needs.
EARLY_MODULES = ("virtio_pci", "virtio_blk", "ext4", "crc32c_generic")
MODULES = ("virtio_scsi", "sr_mod", "sd_mod", "isofs", "virtio_net", "virtio_balloon", "button", "evdev")
SIZE_MB = 48
FIRST_SECTOR = 2048
TOOLS = ("apt-get", "dpkg-deb", "depmod", "modprobe", "ldd", "strip", "mke2fs", "grub-mkimage", "qemu-img")
GRUB_FOLDER = Path("/usr/lib/grub/i386-pc")


class GuestBuildError(Exception):
    """A tool is missing or failed; the message names it and what to do."""


def default_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "celaje-tests"


def guest_image(cache: Path | None = None) -> Path:
    """The path of the bootable qcow2 image, built when the recipe changed. Safe to call from several
    processes."""
    cache = cache or default_cache()
    cache.mkdir(parents=True, exist_ok=True)
    image = cache / f"guest-{recipe()}.qcow2"
    if image.exists():
        return image
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not image.exists():
            require_tools()
            work = cache / "work"
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir()
            built = _build(work, cache / "packages")
            built.rename(image)
            shutil.rmtree(work)
    return image


def recipe() -> str:
    digest = hashlib.sha256()
    for name in SOURCES:
        digest.update((HERE / name).read_bytes())
    return digest.hexdigest()[:16]


def require_tools() -> None:
    missing = [tool for tool in TOOLS if _which(tool) is None]
    if not (GRUB_FOLDER / "boot.img").exists():
        missing.append("grub-pc-bin")
    if missing:
        raise GuestBuildError(f"missing: {', '.join(missing)}. Run tests/install.sh.")


def _which(tool: str) -> str | None:
    return shutil.which(tool, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def _run(*command: str, cwd: Path | None = None, environment: dict[str, str] | None = None) -> str:
    program = _which(command[0])
    if program is None:
        raise GuestBuildError(f"{command[0]} is missing. Run tests/install.sh.")
    done = subprocess.run(
        [program, *command[1:]],
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if done.returncode:
        raise GuestBuildError(f"{' '.join(command[:4])} ...: {done.stderr.strip()[-800:]}")
    return done.stdout


def _build(work: Path, packages: Path) -> Path:
    unpacked = _unpack(work, packages)
    version = next((unpacked / "lib/modules").iterdir()).name
    _run("depmod", "-b", str(unpacked), version)
    early = _early_root(work, unpacked, version)
    root = _root(work, unpacked, version)
    shutil.copy(unpacked / f"boot/vmlinuz-{version}", root / "boot/vmlinuz")
    (root / "boot/initrd.gz").write_bytes(gzip.compress(newc(early), 9, mtime=0))
    raw = _disk(work, root)
    image = work / "guest.qcow2"
    _run("qemu-img", "convert", "-O", "qcow2", "-c", str(raw), str(image))
    return image


def _unpack(work: Path, packages: Path) -> Path:
    packages.mkdir(exist_ok=True)
    depends = _run("apt-cache", "depends", KERNEL)
    kernel = re.search(r"Depends: (linux-image-\S+)", depends)
    if kernel is None:
        raise GuestBuildError(f"apt knows no package {KERNEL}; run apt-get update")
    unpacked = work / "unpacked"
    for package in (kernel.group(1), *PACKAGES):
        found = sorted(packages.glob(f"{package}_*.deb"))
        if not found:
            _run("apt-get", "-o", "APT::Sandbox::User=root", "download", package, cwd=packages)
            found = sorted(packages.glob(f"{package}_*.deb"))
        _run("dpkg-deb", "-x", str(found[-1]), str(unpacked))
    return unpacked


def _install_modules(wanted: tuple[str, ...], unpacked: Path, version: str, target: Path) -> None:
    """Copies the modules and what they need to `target`, with the order of loading in the file `order`."""
    target.mkdir(parents=True, exist_ok=True)
    order: list[str] = []
    for module in wanted:
        listing = _run("modprobe", "-d", str(unpacked), "-S", version, "--show-depends", module)
        for line in listing.splitlines():
            word, _, path = line.partition(" ")
            name = Path(path.strip()).name
            if word != "insmod" or name in order:
                continue
            shutil.copy(path.strip(), target / name)
            _run("strip", "--strip-debug", str(target / name))
            order.append(name)
    (target / "order").write_text("".join(f"{name}\n" for name in order))


def _script(source: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(HERE / source, target)
    target.chmod(0o755)


def _early_root(work: Path, unpacked: Path, version: str) -> Path:
    early = work / "early"
    for folder in ("bin", "proc", "sys", "dev", "newroot"):
        (early / folder).mkdir(parents=True)
    shutil.copy(unpacked / "bin/busybox", early / "bin/busybox")
    _install_modules(EARLY_MODULES + MODULES, unpacked, version, early / "modules")
    _script("early.sh", early / "init")
    return early


def _root(work: Path, unpacked: Path, version: str) -> Path:
    root = work / "root"
    folders = (
        "bin sbin lib/x86_64-linux-gnu lib64 proc sys dev tmp run etc/dropbear root mnt usr/bin usr/sbin"
    )
    for folder in (*folders.split(), "var/log", "var/run", "boot"):
        (root / folder).mkdir(parents=True)
    shutil.copy(unpacked / "bin/busybox", root / "bin/busybox")
    for applet in _run(str(root / "bin/busybox"), "--list").split():
        if applet != "busybox":
            (root / "bin" / applet).symlink_to("busybox")
    dropbear = root / "usr/sbin/dropbear"
    shutil.copy(unpacked / "usr/sbin/dropbear", dropbear)
    libraries = unpacked / "usr/lib/x86_64-linux-gnu"
    for line in _run("ldd", str(dropbear), environment={"LD_LIBRARY_PATH": str(libraries)}).splitlines():
        if match := re.search(r"(?:=> )?(/\S+) \(0x", line):
            path = Path(match.group(1))
            folder = "lib64" if path.name.startswith("ld-linux") else "lib/x86_64-linux-gnu"
            shutil.copy(path, root / folder / path.name)
    _script("init.sh", root / "sbin/init")
    _script("dhcp.sh", root / "etc/dhcp.sh")
    _script("power.sh", root / "etc/acpi/PWRF/00000080")
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\n")
    (root / "etc/shadow").write_text("root:*:19000:0:99999:7:::\n")
    (root / "etc/shells").write_text("/bin/sh\n")
    (root / "etc/nsswitch.conf").write_text("passwd: files\n")
    (root / "boot/grub").mkdir()
    shutil.copy(HERE / "grub.cfg", root / "boot/grub/grub.cfg")
    return root


def _disk(work: Path, root: Path) -> Path:
    """MBR, GRUB in the gap behind it, one ext4 partition filled by mke2fs: no mount, no loop device."""
    raw = work / "guest.raw"
    with raw.open("wb") as disk:
        disk.truncate(SIZE_MB << 20)
    features = "^has_journal,^metadata_csum,^64bit,^resize_inode"
    _run(
        "mke2fs", "-q", "-t", "ext4", "-O", features, "-L", "guestroot", "-m", "0", "-d", str(root),
        "-E", f"offset={FIRST_SECTOR * 512},root_owner=0:0", str(raw), f"{(SIZE_MB - 1) * 1024}k",
    )  # fmt: skip
    core = work / "core.img"
    modules = ("biosdisk", "part_msdos", "ext2", "normal", "linux", "configfile", "boot")
    _run("grub-mkimage", "-O", "i386-pc", "-p", "(hd0,msdos1)/boot/grub", "-o", str(core), *modules)
    sectors = (SIZE_MB << 11) - FIRST_SECTOR
    partition = struct.pack("<B3sB3sII", 0x80, b"\xfe\xff\xff", 0x83, b"\xfe\xff\xff", FIRST_SECTOR, sectors)
    with raw.open("r+b") as disk:
        disk.write((GRUB_FOLDER / "boot.img").read_bytes()[:440])
        disk.seek(446)
        disk.write(partition)
        disk.seek(510)
        disk.write(b"\x55\xaa")
        disk.seek(512)
        disk.write(core.read_bytes())
    return raw


if __name__ == "__main__":
    print(guest_image(Path(sys.argv[1]) if len(sys.argv) > 1 else None))
