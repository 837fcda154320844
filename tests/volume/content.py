"""What lies on a volume, and putting it there: over its connection, as the backup worker does it."""

import contextlib

from celaje.volume.connections import Connections


@contextlib.contextmanager
def _connected(driver, volume):
    reader = {"host": driver.host}
    yield driver.initialize_connection(volume, reader)
    driver.terminate_connection(volume, reader)


@contextlib.contextmanager
def content_of(driver, volume, scratch):
    """A raw file."""
    with (
        _connected(driver, volume) as connection,
        Connections(scratch / "scratch", timeout=100).content(connection, volume.get("size", 1)) as path,
    ):
        yield path


def head_of(driver, volume, scratch, length):
    with content_of(driver, volume, scratch) as path, open(path, "rb") as file:
        return file.read(length)


def put(driver, volume, scratch, content, place=0):
    """Everything else on the volume becomes empty."""

    def write(raw):
        with open(raw, "rb+") as file:
            file.seek(place)
            file.write(content)

    with _connected(driver, volume) as connection:
        Connections(scratch / "scratch", timeout=100).replace(connection, volume.get("size", 1), write)
