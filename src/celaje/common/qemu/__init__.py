"""QEMU's programs as processes of their own: starting and finding them, and speaking to them (QMP).

Used by compute's QEMU driver and by volume's NBD driver (qemu-storage-daemon speaks the same protocol).
"""
