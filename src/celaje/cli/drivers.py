"""Which drivers an all-in-one cloud gets, and why: what the machine can do decides, the welcome tells it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from celaje.cli.failure import Failure

Values = dict[tuple[str | None, str], Any]

_INSTALL = "On Debian: apt-get install qemu-system-x86 qemu-utils"


@dataclass
class Choice:
    """`overrides` by service; `lines` are (what, why) pairs for the welcome."""

    overrides: dict[str, Values] = field(default_factory=dict)
    lines: list[tuple[str, str]] = field(default_factory=list)


def choose(wanted: str, hosts: int, state: Path) -> Choice:
    """`wanted` is "real", "fake", or "auto" for what works here. Raises Failure for "real" without QEMU."""
    if wanted == "fake":
        return _simulated(hosts, "asked for")
    from celaje.compute.drivers.qemu import probe

    findings = probe.probe(state / "compute" / "qemu")
    if findings.usable:
        return _real(findings)
    reason = findings.words[0] if findings.words else "QEMU was not found"
    if wanted == "real":
        raise Failure(f"Real guests cannot run here: {reason}", _INSTALL)
    return _simulated(hosts, f"{reason} {_INSTALL}")


def _real(findings: Any) -> Choice:
    return Choice(
        overrides={
            # User-mode networks have no metadata service: keys and user data come on a drive.
            "compute": {(None, "compute_driver"): "qemu", (None, "force_config_drive"): True},
            "volume": {(None, "enabled_backends"): ["file"], ("file", "volume_driver"): "file"},
            "network": {(None, "network_driver"): "user"},
        },
        lines=[
            ("guests", f"QEMU {findings.version}, {_accelerator(findings)}"),
            ("volumes", "files in the state directory, attached by path"),
            ("network", "QEMU user mode: guests reach out, but not each other"),
        ],
    )


def _accelerator(findings: Any) -> str:
    if findings.accelerator == "kvm":
        return "KVM (a probe guest ran)"
    return f"emulated (TCG): {findings.words[-1]}" if findings.words else "emulated (TCG)"


def _simulated(hosts: int, reason: str) -> Choice:
    names = ["celaje"] if hosts == 1 else [f"host-{number:04d}" for number in range(1, hosts + 1)]
    return Choice(
        overrides={
            "compute": {(None, "compute_driver"): "fake", (None, "fake_hosts"): names},
            "volume": {(None, "enabled_backends"): ["fake"], ("fake", "volume_driver"): "fake"},
            "network": {(None, "network_driver"): "fake"},
        },
        lines=[
            ("guests", f"simulated, {hosts} host{'s' if hosts > 1 else ''} ({reason})"),
            ("volumes", "simulated"),
            ("network", "simulated"),
        ],
    )
