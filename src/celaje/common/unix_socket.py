"""Connecting to a unix socket whatever the length of its path. Called by clients of QEMU and of tgtd."""

import os
import socket
from pathlib import Path


def connect(path: Path, timeout: float) -> socket.socket:
    """Through the folder's descriptor, since a socket's address has at most 107 bytes and state paths are
    longer. OSError."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout)
    folder = None
    try:
        folder = os.open(path.parent, os.O_PATH)
        connection.connect(f"/proc/self/fd/{folder}/{path.name}")
    except OSError:
        connection.close()
        raise
    finally:
        if folder is not None:
            os.close(folder)
    return connection
