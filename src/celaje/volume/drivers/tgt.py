"""Speaks to a tgtd: targets, logical units and CHAP accounts, by the socket that tgtadm uses.

Called by iscsi_target.py. Not by tgtadm itself, which takes an account's password as an argument, where every
user of the machine can read it. The layout is that of `struct tgtadm_req` and `tgtadm_rsp` of tgt 1.0.
"""

import socket
import struct
from pathlib import Path

from celaje.common import unix_socket
from celaje.common.errors import DriverError

NEW, DELETE, SHOW, BIND, UNBIND, UPDATE = range(6)
TARGET, UNIT, ACCOUNT = 1, 2, 7
NO_TARGET, TARGET_EXISTS, UNIT_EXISTS, ACL_EXISTS, USER_EXISTS, NO_USER = 4, 9, 10, 12, 14, 15
LUN = 1

_REQUEST = struct.Struct("<II64sIiQQIIIIII")
_ANSWER = struct.Struct("<II")
_NONE = 0xFFFFFFFFFFFFFFFF


class TgtError(DriverError):
    """tgtd refused; `details["number"]` is its tgtadm_errno."""

    text = "tgtd refused the operation {operation} of mode {mode} (error {number})."


class TgtSilent(DriverError):
    text = "tgtd does not answer at {path}: {reason}"


class Tgt:
    def __init__(self, path: Path, timeout: float):
        self._path = path
        self._timeout = timeout

    def alive(self) -> None:
        """TgtSilent when it does not answer."""
        self._ask(TARGET, SHOW)

    def add_target(self, number: int, name: str, file: Path) -> None:
        """A target with one unit, whose initiators must give an account of its own. There already:
        nothing."""
        self._ask(TARGET, NEW, number, f"targetname={name}", but=TARGET_EXISTS)
        self._ask(UNIT, NEW, number, f"path={file}", unit=LUN, but=UNIT_EXISTS)
        # What a guest discards is given back to the file system.
        self._ask(UNIT, UPDATE, number, "thin_provisioning=1", unit=LUN)
        self._ask(TARGET, BIND, number, "initiator-address=ALL", but=ACL_EXISTS)

    def remove_target(self, number: int) -> None:
        """With its connections. Gone already: nothing."""
        self._ask(TARGET, DELETE, number, force=True, but=NO_TARGET)

    def add_account(self, number: int, user: str, password: str) -> None:
        self._ask(ACCOUNT, NEW, words=f"user={user},password={password}", but=USER_EXISTS)
        self._ask(ACCOUNT, BIND, number, f"user={user}", but=USER_EXISTS)

    def remove_account(self, user: str) -> None:
        """What it has open stays so until the target goes."""
        self._ask(ACCOUNT, DELETE, words=f"user={user}", but=NO_USER)

    def _ask(
        self,
        mode: int,
        operation: int,
        number: int = -1,
        words: str = "",
        *,
        unit: int | None = None,
        force: bool = False,
        but: int | None = None,
    ) -> None:
        """`but`: the one error that means that there is nothing to do."""
        tail = words.encode() + b"\0" if words else b""
        length = _REQUEST.size + len(tail)
        lun = _NONE if unit is None else unit
        head = (mode, operation, b"iscsi", length, number, 0, lun, 0, 0, 0, 0, 0, int(force))
        try:
            with unix_socket.connect(self._path, self._timeout) as connection:
                connection.sendall(_REQUEST.pack(*head) + tail)
                answer = b""
                while len(answer) < _ANSWER.size:
                    chunk = connection.recv(4096, socket.MSG_WAITALL)
                    if not chunk:
                        raise TgtSilent(path=self._path, reason="it hung up")
                    answer += chunk
        except OSError as error:
            raise TgtSilent(path=self._path, reason=str(error)) from error
        refusal, _ = _ANSWER.unpack_from(answer)
        if refusal not in (0, but):
            raise TgtError(mode=mode, operation=operation, number=refusal)
