"""The QEMU driver: one QEMU process per server, driven over QMP. No daemon, no root needed."""
