"""One qemu-storage-daemon for a folder of volumes, which exports them over NBD with TLS.

The NBD driver calls it. Every connection has an export and a pre-shared key of its own. Volumes are grown
and copied while guests write.
"""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from celaje.common import clock, errors
from celaje.common.qemu.qmp import QmpClient, QmpError, QmpTimeout
from celaje.common.vault import write_secret
from celaje.volume.drivers.kept_daemon import COMMAND_TIMEOUT, KeptDaemon, Login, Offer, Record

AGENT, KEYS, TLS = "agent.qmp", "keys.psk", "tls"


class StorageDaemon(KeptDaemon):
    """An export's name is its login's user: nobody comes back by the name that another host has got. The
    secret is a key in hexadecimal."""

    program = "qemu-storage-daemon"
    silence = QmpTimeout
    leftovers = (AGENT,)

    def resize(self, identifier: str, size: int) -> None:
        """Grow an exported volume to `size` bytes. QEMU resizes no node that is exported, so the exports go
        and come back under their names; clients hold their requests meanwhile and connect again."""
        with self._held() as record, self._client(record) as qmp:
            offer = record.offers[identifier]
            for login in offer.logins.values():
                _end_export(qmp, login.user)
            try:
                if _nodes(qmp)[_node(identifier)]["image"]["virtual-size"] < size:
                    wanted = {"node-name": _node(identifier), "size": size}
                    qmp.execute("block_resize", wanted, timeout=COMMAND_TIMEOUT)
            finally:
                self._open(qmp, identifier, offer)

    def copy(self, identifier: str, target: Path, form: str, timeout: float) -> None:
        """The volume's content at this moment, while guests write on, into the image file `target`, which
        must be there, of the volume's size. Raises BackendFull's cause as QmpError."""
        job = f"copy-{clock.new_token(8)}"
        node = f"t{job[5:]}"
        with self._held() as record, self._client(record) as qmp:
            qmp.execute("blockdev-add", _blockdev(node, str(target), form))
            try:
                backup = {"job-id": job, "device": _node(identifier), "target": node, "sync": "full"}
                qmp.execute("blockdev-backup", {**backup, "auto-dismiss": False})
            except QmpError:
                qmp.execute("blockdev-del", {"node-name": node})
                raise
        self._await(job, node, timeout)

    def _await(self, job: str, node: str, timeout: float) -> None:
        deadline = clock.monotonic() + timeout
        while True:
            with self._held() as record, self._client(record) as qmp:
                (found,) = [each for each in qmp.execute("query-jobs") if each["id"] == job] or [None]
                late = clock.monotonic() > deadline
                if found is None:
                    raise errors.DriverError("The storage daemon was restarted while it copied a volume.")
                if found["status"] == "concluded":
                    qmp.execute("job-dismiss", {"id": job})
                    qmp.execute("blockdev-del", {"node-name": node})
                    if found.get("error"):
                        raise errors.DriverError(f"Copying the volume failed: {found['error']}")
                    return
                if late and found["status"] not in ("aborting", "standby"):
                    with contextlib.suppress(QmpError):
                        qmp.execute("job-cancel", {"id": job})
                    deadline += COMMAND_TIMEOUT
            clock.sleep(0.05)

    def _command(self, record: Record) -> tuple[list[str], Mapping[str, str]]:
        words = [
            self.program, "--pidfile", self.mark,
            "--chardev", f"socket,id=agent,path={AGENT},server=on,wait=off", "--monitor", "chardev=agent",
            "--object", f"tls-creds-psk,id={TLS},endpoint=server,dir={self.folder}",
            "--nbd-server", f"addr.type=inet,addr.host={self.address},addr.port={record.port},"
            f"tls-creds={TLS},max-connections=0",
        ]  # fmt: skip
        return words, {}

    def _connected(self) -> QmpClient:
        return QmpClient(self.folder / AGENT, COMMAND_TIMEOUT)

    def _name(self, identifier: str) -> str:
        return _node(identifier)

    def _new_login(self, identifier: str) -> Login:
        return Login(f"volume-{identifier}.{clock.new_token(8)}", clock.random_bytes(32).hex())

    def _save(self, record: Record) -> None:
        """The keys are a file that the daemon reads at each handshake: a connection is open to its host from
        the moment its key stands there, and to nobody once it is gone."""
        super()._save(record)
        logins = [login for offer in record.offers.values() for login in offer.logins.values()]
        # Without any key GnuTLS refuses the file.
        nobody = Login(f"nobody.{clock.new_token(8)}", clock.random_bytes(32).hex())
        lines = [f"{login.user}:{login.secret}\n" for login in logins or [nobody]]
        write_secret(self.folder / KEYS, "".join(lines).encode())

    def _open(self, client: QmpClient, identifier: str, offer: Offer) -> None:
        if _node(identifier) not in _nodes(client):
            client.execute("blockdev-add", _blockdev(_node(identifier), offer.path, offer.format))
        there = _exports(client)
        for login in offer.logins.values():
            if login.user not in there:
                name = {"id": login.user, "name": login.user, "node-name": _node(identifier)}
                client.execute("block-export-add", {**name, "type": "nbd", "writable": True})

    def _close(self, client: QmpClient, record: Record, identifier: str, hosts: list[str]) -> None:
        logins = record.offers[identifier].logins
        for host in hosts:
            _end_export(client, logins[host].user)
        if len(hosts) == len(logins) and _node(identifier) in _nodes(client):
            client.execute("blockdev-del", {"node-name": _node(identifier)})


def _end_export(qmp: QmpClient, name: str) -> None:
    if name in _exports(qmp):
        qmp.execute("block-export-del", {"id": name, "mode": "hard"})
        if qmp.wait_event("BLOCK_EXPORT_DELETED", COMMAND_TIMEOUT, id=name) is None:
            raise errors.DriverError(f"The storage daemon does not end its export {name}.")


def _node(identifier: str) -> str:
    return f"v{identifier.replace('-', '')[:30]}"


def _nodes(qmp: QmpClient) -> dict[str, Any]:
    return {node["node-name"]: node for node in qmp.execute("query-named-block-nodes", {"flat": True})}


def _exports(qmp: QmpClient) -> set[str]:
    return {export["id"] for export in qmp.execute("query-block-exports")}


def _blockdev(node: str, path: str, form: str) -> dict[str, Any]:
    file = {"driver": "file", "filename": path, "discard": "unmap"}
    return {"driver": form, "node-name": node, "discard": "unmap", "file": file}
