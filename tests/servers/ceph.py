"""Ceph from Debian's packages: a cluster of one monitor, one manager and one OSD, on loopback.

Its daemons are children of the test run and end with it. User `cinder` may use images in every pool.
"""

import contextlib
import shutil
import subprocess
import time
import uuid
from pathlib import Path

from tests.servers.shared import ServerMissing, spare_port

_CONF = """\
[global]
fsid = {fsid}
mon host = 127.0.0.1:{port}
public network = 127.0.0.0/8
cluster network = 127.0.0.0/8
mon initial members = a
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
osd pool default size = 1
osd pool default min size = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon allow pool delete = true
mon data avail crit = 1
mon warn on pool no redundancy = false
osd objectstore = bluestore
bluestore block size = 21474836480
osd memory target = 939524096
mgr initial modules =
ms bind ipv6 = false
run dir = {folder}
keyring = {folder}/$name.keyring
log file = {folder}/$name.log
admin socket = {folder}/$name.asok
mon data = {folder}/mon
mgr data = {folder}/mgr
osd data = {folder}/osd0
crash dir = {folder}
"""
_SECONDS = 120.0


class CephCluster:
    def __init__(self, folder: Path):
        if shutil.which("ceph-osd") is None or shutil.which("rbd") is None:
            raise ServerMissing("Ceph is not installed: run tests/install.sh ceph")
        self.folder = folder
        self.conf = folder / "ceph.conf"
        self.fsid = str(uuid.uuid4())
        self._daemons: list[subprocess.Popen] = []
        self._pools = 0

    def start(self) -> None:
        for name in ("mon", "mgr", "osd0"):
            (self.folder / name).mkdir()
        port = spare_port()
        self.conf.write_text(_CONF.format(fsid=self.fsid, port=port, folder=self.folder))
        rings = {name: str(self.folder / f"{name}.keyring") for name in ("mon", "client.admin")}
        everything = ["--cap", "mon", "allow *", "--cap", "osd", "allow *", "--cap", "mgr", "allow *"]
        self._tool("ceph-authtool", "-C", rings["mon"], "-g", "-n", "mon.", "--cap", "mon", "allow *")
        self._tool("ceph-authtool", "-C", rings["client.admin"], "-g", "-n", "client.admin", *everything)
        self._tool("ceph-authtool", rings["mon"], "--import-keyring", rings["client.admin"])
        monmap = str(self.folder / "monmap")
        self._tool("monmaptool", "--create", "--add", "a", f"127.0.0.1:{port}", "--fsid", self.fsid, monmap)
        make = ["--mkfs", "-i", "a", "--monmap", monmap, "--keyring", rings["mon"]]
        self._tool("ceph-mon", "-c", str(self.conf), *make)
        shutil.copy(rings["mon"], self.folder / "mon" / "keyring")
        self._daemon("ceph-mon", "-i", "a")
        self.ceph("-s")
        caps = ["mon", "allow profile mgr", "osd", "allow *", "mds", "allow *"]
        self._keyring("mgr.x", self.ceph("auth", "get-or-create", "mgr.x", *caps))
        self._daemon("ceph-mgr", "-i", "x")
        osd = str(uuid.uuid4())
        self.ceph("osd", "new", osd)
        caps = ["mon", "allow profile osd", "mgr", "allow profile osd", "osd", "allow *"]
        ring = self.ceph("auth", "get-or-create", "osd.0", *caps)
        self._keyring("osd.0", ring)
        (self.folder / "osd0" / "keyring").write_text(ring)
        self._tool("ceph-osd", "-c", str(self.conf), "-i", "0", "--mkfs", "--osd-uuid", osd)
        self._daemon("ceph-osd", "-i", "0")
        caps = ["mon", "profile rbd", "mgr", "profile rbd", "osd", "profile rbd"]
        self._keyring("client.cinder", self.ceph("auth", "get-or-create", "client.cinder", *caps))
        self._until_up()

    def _until_up(self) -> None:
        end = time.monotonic() + _SECONDS
        while "1 up" not in self.ceph("osd", "stat"):
            assert time.monotonic() < end, self.ceph("-s")
            time.sleep(0.5)

    @property
    def keyring(self) -> Path:
        return self.folder / "client.cinder.keyring"

    def new_pool(self) -> str:
        self._pools += 1
        name = f"pool{self._pools}"
        self.ceph("osd", "pool", "create", name, "8")
        self._tool("rbd", "-c", str(self.conf), "pool", "init", name)
        return name

    def rbd(self, *words: str) -> str:
        return self._tool("rbd", "-c", str(self.conf), "--id", "cinder", *words)

    def ceph(self, *words: str) -> str:
        return self._tool("ceph", "-c", str(self.conf), *words)

    def stop(self) -> None:
        for daemon in reversed(self._daemons):
            daemon.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                daemon.wait(20)
            if daemon.poll() is None:
                daemon.kill()
                daemon.wait(20)

    def _daemon(self, *words: str) -> None:
        command = [*words, "-c", str(self.conf), "-f"]
        with open(self.folder / f"{words[0]}.out", "wb") as out:
            self._daemons.append(subprocess.Popen(command, stdout=out, stderr=out))

    def _keyring(self, name: str, content: str) -> None:
        path = self.folder / f"{name}.keyring"
        path.touch(mode=0o600)
        path.write_text(content)

    @staticmethod
    def _tool(*words: str) -> str:
        done = subprocess.run(words, capture_output=True, text=True, timeout=_SECONDS, check=False)
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout
