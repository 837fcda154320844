"""One back end's worker: takes a step, holds the volume, drives the driver. Has no database.

Conductors' flows call it through VolumeWorkerMessages; each back end of a node has a worker of its own, which
listens as `host@backend`.
"""

import logging
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from celaje.common.errors import NotImplementedHere
from celaje.common.fences import Fences
from celaje.common.service.log_levels import LogLevels
from celaje.common.trail import watched
from celaje.volume.drivers.base import VolumeDriver

log = logging.getLogger(__name__)

Row = dict[str, Any]


class Worker(LogLevels):
    """`fetch_passphrase(key_id=)` asks a conductor what opens an encrypted volume. `fetch_image(image_id)`
    gives the image's local file as drivers want it: {"id", "disk_format", "path"}; `find_image(image_id)`
    only where it lies: {"id", "disk_format", "locations"}; `send_image(image, write)`
    has `write(path)` make a file and sends it to the image {"id", "disk_format"}. `send_report(host, zone,
    capabilities)` tells the schedulers. `fences`: those that it shares with the back end's other workers."""

    def __init__(
        self,
        driver: VolumeDriver,
        *,
        host: str,
        availability_zone: str,
        fetch_passphrase: Callable[..., str],
        fetch_image: Callable[[str], Row],
        find_image: Callable[[str], Row],
        send_image: Callable[[Row, Callable[[str], None]], None],
        send_report: Callable[..., None],
        fences: Fences | None = None,
    ):
        self.driver = driver
        # The same, with its calls noted for the journal of who asked.
        self._driver = watched(driver)
        self.host = host
        self.availability_zone = availability_zone
        self._fetch_passphrase = fetch_passphrase
        self._fetch_image = fetch_image
        self._find_image = find_image
        self._send_image = send_image
        self._send_report = send_report
        self._fences = fences or Fences()

    def create_volume(self, volume: Row) -> Row:
        with self._fences.step(volume["id"]):
            return self._driver.create_volume(self._with_key(volume))

    def create_volume_from_image(self, volume: Row, image: Row) -> Row:
        with self._fences.step(volume["id"]):
            plain = not volume.get("encryption") and not image.get("encryption")
            if plain and self._driver.clones_images:
                kept = self._driver.clone_image(volume, self._find_image(image["id"]))
                if kept is not None:
                    return kept
            found = {**self._fetch_image(image["id"]), "encryption": image.get("encryption")}
            return self._driver.create_volume_from_image(self._with_key(volume), self._with_key(found))

    def create_volume_from_snapshot(self, volume: Row, snapshot: Row) -> Row:
        with self._fences.step(volume["id"]):
            return self._driver.create_volume_from_snapshot(volume, snapshot)

    def create_cloned_volume(self, volume: Row, source: Row) -> Row:
        with self._fences.step(volume["id"]):
            return self._driver.create_cloned_volume(volume, source)

    def delete_volume(self, volume: Row) -> None:
        with self._fences.step(volume["id"]):
            self._driver.delete_volume(volume)

    def extend_volume(self, volume: Row, new_size: int, attached: bool) -> Row:
        with self._fences.step(volume["id"]):
            if attached and self._driver.extends_attached_through_host:
                return {"extended_by": "host"}
            self._driver.extend_volume(volume, new_size)
            return {"extended_by": "backend"}

    def upload_volume(self, volume: Row, image: Row) -> None:
        with self._fences.step(volume["id"]):
            self._send_image(
                image, lambda path: self._driver.copy_volume_to_image(volume, path, image["disk_format"])
            )

    def revert_to_snapshot(self, volume: Row, snapshot: Row) -> None:
        with self._fences.step(volume["id"]):
            self._driver.revert_to_snapshot(volume, snapshot)

    def list_volumes(self) -> list[Row]:
        return self._driver.list_volumes()

    def list_snapshots(self) -> list[Row]:
        return self._driver.list_snapshots()

    def create_snapshot(self, snapshot: Row, attached: bool) -> Row:
        with self._fences.step(snapshot["volume_id"]):
            by_itself = self._driver.copies_attached or self._driver.copies_attached_through_host
            if attached and not by_itself:
                raise NotImplementedHere(
                    f"{self._driver.backend_name} cannot take a snapshot of a volume that is attached."
                )
            return self._driver.create_snapshot(snapshot)

    def prepare_copy(self, volume: Row, copy_id: str) -> Row | None:
        with self._fences.step(volume["id"]):
            if self._driver.copies_attached:
                return None
            return self._driver.prepare_copy(volume, copy_id)

    def discard_copy(self, volume: Row, copy_id: str) -> None:
        with self._fences.step(volume["id"]):
            if self._driver.copies_attached_through_host:
                self._driver.discard_copy(copy_id)

    def create_group_snapshot(self, snapshots: list[Row]) -> list[Row]:
        with ExitStack() as stack:
            # All volumes are held, in one order everywhere: nothing of ours changes them meanwhile.
            for volume_id in sorted({each["snapshot"]["volume_id"] for each in snapshots}):
                stack.enter_context(self._fences.step(volume_id))
            if any(each["attached"] for each in snapshots) and not self._driver.copies_groups_attached:
                raise NotImplementedHere(
                    f"{self._driver.backend_name} cannot take snapshots of one moment of attached volumes."
                )
            return [self._driver.create_snapshot(each["snapshot"]) for each in snapshots]

    def delete_snapshot(self, snapshot: Row) -> None:
        with self._fences.step(snapshot["volume_id"]):
            self._driver.delete_snapshot(snapshot)

    def initialize_connection(self, volume: Row, connector: Row) -> Row:
        with self._fences.step(volume["id"]):
            return self._driver.initialize_connection(volume, connector)

    def terminate_connection(self, volume: Row, connector: Row | None) -> None:
        with self._fences.step(volume["id"]):
            self._driver.terminate_connection(volume, connector)

    def _with_key(self, source: Row) -> Row:
        """A volume to be encrypted, or an encrypted image, with what opens it, which no message told us."""
        encryption = source.get("encryption")
        if not encryption:
            return source
        if not self._driver.encrypts:
            raise NotImplementedHere(f"{self._driver.backend_name} cannot encrypt volumes.")
        passphrase = self._fetch_passphrase(key_id=encryption["key_id"])
        return {**source, "encryption": {**encryption, "passphrase": passphrase}}

    def report_capabilities(self) -> None:
        """To the schedulers, now."""
        self._send_report(
            host=self.host, availability_zone=self.availability_zone, capabilities=self._driver.capabilities()
        )

    def details(self) -> Row:
        """What the worker tells the conductor with its sign of life: its pools, for the ledger."""
        return {"capabilities": self._driver.capabilities()}
