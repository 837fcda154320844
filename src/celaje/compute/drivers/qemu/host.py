"""What this machine has: processors, memory, disk, as `capabilities()` reports it. Linux only."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from celaje.compute.drivers.base import TRAITS, NodeResources
from celaje.compute.drivers.qemu.domain import Domain
from celaje.compute.drivers.qemu.probe import Findings

GIB = 1 << 30
# Processor traits only with KVM: under TCG guests do not get the host's processor.
CPU_TRAITS = {
    "aes": "HW_CPU_X86_AESNI",
    "avx": "HW_CPU_X86_AVX",
    "avx2": "HW_CPU_X86_AVX2",
    "sse4_2": "HW_CPU_X86_SSE42",
    "vmx": "HW_CPU_X86_VMX",
    "svm": "HW_CPU_X86_SVM",
}


def resources(state: Path, findings: Findings, domains: Iterable[Domain], running: int) -> NodeResources:
    cpu = cpu_info()
    traits = list(TRAITS)
    if findings.accelerator == "kvm":
        traits += sorted(trait for flag, trait in CPU_TRAITS.items() if flag in cpu["features"])
    found = NodeResources(
        vcpus=os.cpu_count() or 1,
        memory_mb=total_memory_mb(),
        disk_gb=shutil.disk_usage(state).total // GIB,
        running_servers=running,
        hypervisor_type="QEMU",
        hypervisor_version=findings.version_number,
        cpu_info=cpu,
        traits=traits,
    )
    for domain in domains:
        found.vcpus_used += domain.flavor["vcpus"]
        found.memory_mb_used += domain.flavor["memory_mb"]
        found.disk_gb_used += domain.flavor["root_gb"] + domain.flavor["ephemeral_gb"]
    return found


def total_memory_mb(path: Path = Path("/proc/meminfo")) -> int:
    for line in path.read_text().splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) // 1024
    return 0


def cpu_info(path: Path = Path("/proc/cpuinfo")) -> dict[str, Any]:
    """Nova's form: {"arch", "model", "vendor", "features", "topology"}."""
    found: dict[str, str] = {}
    for line in path.read_text(errors="replace").splitlines():
        name, _, value = line.partition(":")
        found.setdefault(name.strip(), value.strip())
    return {
        "arch": os.uname().machine,
        "model": found.get("model name", "unknown"),
        "vendor": found.get("vendor_id", "unknown"),
        "features": found.get("flags", "").split(),
        "topology": {"sockets": 1, "cores": os.cpu_count() or 1, "threads": 1},
    }
