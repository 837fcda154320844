"""Which drivers an all-in-one cloud gets, and why: what the machine can do decides, the welcome tells it."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from celaje.cli.failure import Failure

Values = dict[tuple[str | None, str], Any]

_INSTALL = "On Debian: apt-get install qemu-system-x86 qemu-utils"


@dataclass
class Choice:
    """`kind` is "real" or "fake"; `overrides` by service, and `defaults` that a file may replace; `lines`
    are (what, why) pairs for the welcome."""

    kind: str
    overrides: dict[str, Values] = field(default_factory=dict)
    defaults: dict[str, Values] = field(default_factory=dict)
    lines: list[tuple[str, str]] = field(default_factory=list)


def choose(wanted: str, hosts: int, state: Path) -> Choice:
    """`wanted` is "real", "fake", or "auto" for what the state directory was begun with, or what works here.
    Raises Failure for "real" without QEMU, and for drivers that do not know what the state holds."""
    record = state / "drivers.json"
    begun = json.loads(record.read_text()) if record.exists() else None
    if begun and wanted not in ("auto", begun["drivers"]):
        raise Failure(
            f"The cloud in {state} was begun with {begun['drivers']} drivers; {wanted} ones do not know its "
            "disks and guests.",
            "Leave --drivers out, or start another cloud with --state DIR.",
        )
    choice = _choose(begun["drivers"] if begun else wanted, begun["hosts"] if begun else hosts, state)
    if not begun:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        record.write_text(json.dumps({"drivers": choice.kind, "hosts": hosts}))
    return choice


def _choose(wanted: str, hosts: int, state: Path) -> Choice:
    if wanted == "fake":
        return _simulated(hosts, "", state)
    from celaje.compute.drivers.qemu import probe

    findings = probe.probe(state / "compute" / "qemu")
    if findings.usable:
        return _real(findings, state)
    reason = " ".join(findings.words)
    if wanted == "real":
        raise Failure(f"Real guests cannot run here: {reason}", _INSTALL)
    return _simulated(hosts, f": {reason} {_INSTALL}", state)


def overrides_of(kind: str, hosts: int, state: Path) -> dict[str, Values]:
    """What `celaje up` sets for the drivers that a state directory was begun with, by service."""
    if kind == "real":
        return {
            # User-mode networks have no metadata service: keys and user data come on a drive.
            "compute": {(None, "compute_driver"): "qemu", (None, "force_config_drive"): True},
            "volume": {("file", "volume_driver"): "file"},
            "network": {(None, "network_driver"): "user"},
        }
    names = ["celaje"] if hosts == 1 else [f"host-{number:04d}" for number in range(1, hosts + 1)]
    return {
        "compute": {(None, "compute_driver"): "fake", (None, "fake_hosts"): names},
        "volume": {
            ("fake", "volume_driver"): "fake",
            ("fake", "fake_state_path"): str(state / "volume" / "simulated.json"),
        },
        "network": {
            (None, "network_driver"): "fake",
            ("network_fake", "state_path"): str(state / "network" / "simulated.json"),
        },
    }


def defaults_of(kind: str) -> dict[str, Values]:
    """Likewise, what files may say otherwise: volumes may lie on other back ends, or on several."""
    return {"volume": {(None, "enabled_backends"): ["file" if kind == "real" else "fake"]}}


def begun_with(state: Path) -> dict[str, Any] | None:
    """{"drivers": "real" or "fake", "hosts": number}, or None for a folder that no cloud was begun in."""
    try:
        return json.loads((state / "drivers.json").read_text())
    except (OSError, ValueError):
        return None


def _real(findings: Any, state: Path) -> Choice:
    return Choice(
        kind="real",
        overrides=overrides_of("real", 1, state),
        defaults=defaults_of("real"),
        lines=[
            *[("guests" if number == 0 else "", line) for number, line in enumerate(findings.words)],
            ("volumes", "files in the state directory, attached by path"),
            ("network", "QEMU user mode: guests reach out, and by their gateway's address what listens on"),
            ("", "this machine's loopback; they do not reach each other"),
        ],
    )


def _simulated(hosts: int, why: str, state: Path) -> Choice:
    return Choice(
        kind="fake",
        overrides=overrides_of("fake", hosts, state),
        defaults=defaults_of("fake"),
        lines=[
            ("guests", f"simulated, {hosts} host{'s' if hosts > 1 else ''}{why}"),
            ("volumes", "simulated"),
            ("network", "simulated"),
        ],
    )
