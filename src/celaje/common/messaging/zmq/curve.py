"""Who may talk: CURVE with one key pair for the whole cluster, and ZeroMQ's authentication protocol (ZAP).

The bus gives its sockets the keys; its caring thread lets `Gatekeeper` answer. Whoever has the key file
belongs to the cluster, nobody else gets a byte through, and what travels is encrypted.
"""

import logging
from pathlib import Path
from typing import Any

import zmq
from zmq.utils import z85

from celaje.common.errors import ConfigurationError
from celaje.common.vault import write_secret

LOG = logging.getLogger(__name__)

# RFC 27 (ZAP): where libzmq asks, and what it understands.
_DOOR = "inproc://zeromq.zap.01"
_DOMAIN = b"celaje"


class Keys:
    """The pair that the file holds, in the form of ZeroMQ's certificates (`zmq.auth.create_certificates`
    makes such files, too). ConfigurationError when it cannot be used."""

    def __init__(self, file: str):
        path = Path(file)
        try:
            readable_by_others = path.stat().st_mode & 0o077
            text = path.read_text()
        except OSError as error:
            raise ConfigurationError(f"curve_secret_key_file: {path}: {error.strerror}") from None
        if readable_by_others:
            raise ConfigurationError(
                f"curve_secret_key_file: {path} must be readable by its owner only (0600)"
            )
        found = {}
        for line in text.splitlines():
            name, sign, value = line.strip().partition("=")
            if sign and not name.startswith("#"):
                found[name.strip()] = value.strip().strip("\"'").encode()
        try:
            self.public, self._secret = found["public-key"], found["secret-key"]
            assert zmq.curve_public(self._secret) == self.public
        except (KeyError, ValueError, AssertionError):
            raise ConfigurationError(f"curve_secret_key_file: {path} holds no CURVE key pair") from None

    def guard(self, socket: Any) -> None:
        """For a socket that is bound: only those with the key get in."""
        socket.curve_server = True
        socket.curve_secretkey = self._secret
        socket.zap_domain = _DOMAIN

    def introduce(self, socket: Any) -> None:
        """For a socket that connects: it shows the key, and talks to nobody without it."""
        socket.curve_serverkey = self.public
        socket.curve_publickey = self.public
        socket.curve_secretkey = self._secret


def make_key_file(path: Path) -> None:
    """A new pair, readable by its owner only."""
    public, secret = zmq.curve_keypair()
    text = f'metadata\ncurve\n    public-key = "{public.decode()}"\n    secret-key = "{secret.decode()}"\n'
    write_secret(path, text.encode())


class Gatekeeper:
    """Answers libzmq's questions about who connects."""

    def __init__(self, context: Any, keys: Keys):
        self._accepted = z85.decode(keys.public)
        self.socket = context.socket(zmq.REP)
        self.socket.linger = 0
        self.socket.bind(_DOOR)

    def answer(self) -> None:
        frames = self.socket.recv_multipart()
        version, request, _domain, address, _identity, mechanism, *credentials = frames
        known = mechanism == b"CURVE" and credentials == [self._accepted]
        if not known:
            where = address.decode().removeprefix("::ffff:")
            LOG.warning("a stranger at %s is refused: it does not have this cluster's key", where)
        status = (b"200", b"OK") if known else (b"400", b"No access")
        self.socket.send_multipart([version, request, *status, b"cluster" if known else b"", b""])
