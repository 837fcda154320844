"""The QEMU driver: one QEMU process per server, driven over QMP. No daemon, no root needed."""

from celaje.compute.drivers.qemu.driver import QemuDriver

__all__ = ["QemuDriver"]
