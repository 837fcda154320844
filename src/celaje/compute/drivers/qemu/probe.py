"""What this machine can run guests with: QEMU, its version, and whether KVM truly works.

The driver asks at start; `celaje up` and `celaje doctor` print the findings. That /dev/kvm exists proves
nothing, so a tiny guest is run (kvm_probe.S tells what it does) and the answer remembered until kernel or
QEMU change.
"""

import base64
import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from celaje.common import processes
from celaje.common.errors import DriverError

PROGRAM = "qemu-system-x86_64"
DISK_TOOL = "qemu-img"
KVM = Path("/dev/kvm")
SUCCESS = 33
KVM_SECONDS = 2.0
OLDEST = (7, 2, 0)  # the first that takes JSON for -netdev

# kvm_probe.S assembled, without the padding up to the boot signature at 510.
BOOT_CODE = base64.b64decode(
    "+jHAjtgPARbQfA8gwAwBDyLA6hd8CABmuBAAjtiOwI7QvABwAAC/ABAAADHAuQAMAADzq8cFABAAAAMgAADHBQAgAAADMAAAxwUAMAAAgwAA"
    "ALgAEAAADyLYDyDgDSAGAAAPIuC5gAAAwA8yDQABAAAPMA8gwIPg+w0CAACADyLA6oh8AAAYALkALTEBSAHISDHC/8l19r8AUAAA8EgPxw9m"
    "uvQAsBDu9Ov9jXQmAJAAAAAAAAAAAP//AAAAms8A//8AAACSzwD//wAAAJqvAB8AsHw="
)
BOOT_SECTOR = BOOT_CODE.ljust(510, b"\0") + b"\x55\xaa"


@dataclass
class Findings:
    """`usable`: real guests can run; `accelerator`: `kvm` or `tcg`; `words`: what was found and why, a line
    each."""

    usable: bool = False
    program: str | None = None
    version: str | None = None
    accelerator: str = "tcg"
    words: list[str] = field(default_factory=list)

    @property
    def version_number(self) -> int:
        """As the API shows it: 7.2.22 is 7002022."""
        major, minor, micro = (int(part) for part in (self.version or "0.0.0").split("."))
        return major * 1_000_000 + minor * 1_000 + micro


def cpu_of(accelerator: str) -> str:
    """The CPU model that guests get, and that is probed."""
    return "host" if accelerator == "kvm" else "max"


def probe(folder: Path, program: str = PROGRAM, kvm: Path = KVM) -> Findings:
    """Look, run, remember. `folder` keeps the answer of the KVM run. Never raises for what is missing."""
    findings = Findings()
    folder.mkdir(parents=True, exist_ok=True)
    path = processes.find(program)
    if path is None:
        findings.words.append(
            f"{program} is not installed: real guests cannot run (Debian: qemu-system-x86)."
        )
        return findings
    if processes.find(DISK_TOOL) is None:
        findings.words.append(f"{DISK_TOOL} is not installed: disks cannot be made (Debian: qemu-utils).")
        return findings
    version = _version(path)
    if version is None:
        findings.words.append(f"{path} does not tell its version: it cannot be used.")
        return findings
    findings.program, findings.version = path, version
    if tuple(map(int, version.split("."))) < OLDEST:
        findings.words.append(f"QEMU {version} is too old: {'.'.join(map(str, OLDEST))} or later is needed.")
        return findings
    findings.usable = True
    findings.words.append(f"QEMU {version} at {path}.")
    works, why = _kvm(folder, path, version, kvm)
    findings.accelerator = "kvm" if works else "tcg"
    findings.words.append(why)
    if not works:
        findings.words.append("Guests run emulated (TCG): complete, but some ten times slower.")
    return findings


def _version(path: str) -> str | None:
    try:
        told = processes.run([path, "--version"], timeout=20).text
    except DriverError:
        return None
    found = re.search(r"version (\d+\.\d+\.\d+)", told)
    return found.group(1) if found else None


def _kvm(folder: Path, path: str, version: str, kvm: Path) -> tuple[bool, str]:
    if not kvm.exists():
        return False, f"No KVM: {kvm} does not exist."
    if not os.access(kvm, os.R_OK | os.W_OK):
        return False, f"No KVM: this user may not open {kvm} (add it to the group kvm)."
    key = f"{os.uname().release} {os.uname().version} {version} {Path(path).stat().st_mtime_ns}"
    memory = folder / "kvm-probe.json"
    try:
        known = json.loads(memory.read_text())
        if known["key"] == key:
            return bool(known["works"]), f"{known['why']} (remembered)"
    except (OSError, ValueError, KeyError, TypeError):
        pass
    works, why = run_boot_sector(folder, path, "kvm", KVM_SECONDS)
    fresh = memory.with_suffix(".new")
    fresh.write_text(json.dumps({"key": key, "works": works, "why": why}))
    fresh.replace(memory)
    return works, why


def run_boot_sector(folder: Path, path: str, accelerator: str, seconds: float) -> tuple[bool, str]:
    """Run the sector once; whether it came through in time, and a sentence on it."""
    sector = folder / "probe.bin"
    sector.write_bytes(BOOT_SECTOR)
    command = [
        path, "-M", "pc", "-accel", accelerator, "-cpu", cpu_of(accelerator), "-m", "16", "-nodefaults",
        "-display", "none", "-no-reboot", "-boot", "a", "-device", "isa-debug-exit,iobase=0xf4,iosize=1",
        "-drive", f"file={_escape(sector)},format=raw,if=floppy,readonly=on",
    ]  # fmt: skip
    name = accelerator.upper()
    try:
        done = processes.run(command, timeout=seconds, accept=range(-64, 256))
    except processes.ProcessTimeout:
        return (
            False,
            f"No {name}: a 512-byte guest did not come through in {seconds:g} s (a guest would hang).",
        )
    except DriverError as error:
        return False, f"No {name}: {error}"
    finally:
        sector.unlink(missing_ok=True)
    if done.exit_code == SUCCESS:
        return True, f"{name} works: a 512-byte guest came through."
    told = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return False, f"No {name}: QEMU ended with {done.exit_code}: {told[0][:200] if told else 'no message'}"


def _escape(path: Path) -> str:
    """Commas are doubled in QEMU's option lists."""
    return str(path).replace(",", ",,")
