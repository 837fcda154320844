"""One tgtd for a folder of volumes, which offers each as an iSCSI target of its own, by CHAP.

The iSCSI driver calls it. tgtd never looks at a file's size again and ends no single session, so a target is
taken away and offered anew where that matters: initiators hold their requests meanwhile and connect again.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from celaje.common import clock
from celaje.volume.drivers.kept_daemon import COMMAND_TIMEOUT, KeptDaemon, Login, Offer, Record
from celaje.volume.drivers.tgt import LUN, Tgt, TgtSilent

# tgtd adds the number of its control port.
SOCKET = "agent"
# CHAP: RFC 7143 wants 96 bits; libiscsi takes no more than 255 characters.
PASSWORD_BYTES = 16


class TargetDaemon(KeptDaemon):
    """prefix: what names of targets begin with."""

    program = "tgtd"
    # It heeds SIGTERM only when it offers nothing; what was written is in the kernel already.
    grace = 1.0
    silence = TgtSilent
    leftovers = (f"{SOCKET}.0", f"{SOCKET}.0.lock")

    def __init__(self, folder: Path, address: str, port: int, prefix: str):
        super().__init__(folder, address, port)
        self._prefix = prefix

    def portal(self, port: int) -> str:
        address = f"[{self.address}]" if ":" in self.address else self.address
        return f"{address}:{port}"

    def resize(self, identifier: str, size: int) -> None:
        """Grow a volume that is offered, a raw file, to `size` bytes. Who has it open must ask for its size
        again."""
        with self._held() as record, self._client(record) as tgt:
            offer = record.offers[identifier]
            if os.stat(offer.path).st_size < size:
                os.truncate(offer.path, size)
            tgt.remove_target(offer.number)
            self._open(tgt, identifier, offer)

    def lend(self, copy_id: str, path: Path, identifier: str) -> None:
        """Offer a file to the hosts that have a volume open, by the same logins, under the name that the
        volume's target has but for its end, `copy-ID`."""
        with self._held() as record:
            volume = record.offers[identifier]
            offer = record.offers.get(copy_id)
            if offer is None:
                offer = Offer(str(path), "raw", f"{self._prefix}copy-{copy_id}", record.free_number())
                offer.logins.update(volume.logins)
                record.offers[copy_id] = offer
                self._save(record)
            with self._client(record) as tgt:
                self._open(tgt, copy_id, offer)

    def _command(self, record: Record) -> tuple[list[str], Mapping[str, str]]:
        # In the foreground it writes no pidfile. Its socket is relative to the folder, its current one: the
        # path of a socket may not be long.
        words = [self.program, "--foreground", "--pid-file", self.mark]
        return [*words, "--iscsi", f"portal={self.portal(record.port)}"], {"TGT_IPC_SOCKET": SOCKET}

    @contextlib.contextmanager
    def _connected(self) -> Iterator[Tgt]:
        client = Tgt(self.folder / f"{SOCKET}.0", COMMAND_TIMEOUT)
        client.alive()
        yield client

    def _name(self, identifier: str) -> str:
        return f"{self._prefix}volume-{identifier}"

    def _new_login(self, identifier: str) -> Login:
        return Login(clock.new_token(15), clock.random_bytes(PASSWORD_BYTES).hex())

    def _open(self, client: Tgt, identifier: str, offer: Offer) -> None:
        client.add_target(offer.number, offer.name, Path(offer.path))
        for login in offer.logins.values():
            client.add_account(offer.number, login.user, login.secret)

    def _close(self, client: Tgt, record: Record, identifier: str, hosts: list[str]) -> None:
        offer = record.offers[identifier]
        client.remove_target(offer.number)
        elsewhere = {
            login.user
            for each, other in record.offers.items()
            if each != identifier
            for login in other.logins.values()
        }
        for host in hosts:
            if offer.logins[host].user not in elsewhere:
                client.remove_account(offer.logins[host].user)
        staying = {host: login for host, login in offer.logins.items() if host not in hosts}
        if staying:
            self._open(client, identifier, Offer(offer.path, "raw", offer.name, offer.number, staying))


__all__ = ["LUN", "TargetDaemon"]
