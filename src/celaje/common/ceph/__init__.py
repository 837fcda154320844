"""Ceph by its own programs. Used by the drivers and stores that keep data in a Ceph cluster."""

from celaje.common.ceph.pool import Connection, ImageBusy, ImageMissing, Pool, PoolFull, RbdFailed

__all__ = ["Connection", "ImageBusy", "ImageMissing", "Pool", "PoolFull", "RbdFailed"]
