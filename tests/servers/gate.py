"""A port in front of another one: what goes through it can be cut off, or silently held up."""

import contextlib
import socket
import threading

_BLOCK = 65536


class Gate:
    """Open at first. `cut` breaks all connections and refuses new ones; `silence` lets nothing pass and
    breaks nothing; `open` ends both."""

    def __init__(self, target: int):
        self._target = target
        self._passes = threading.Event()
        self._lock = threading.Lock()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._listening: socket.socket | None = None
        self.port = 0
        self.open()

    def open(self) -> None:
        self._passes.set()
        if self._listening is not None:
            return
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", self.port))
        listening.listen(50)
        self.port = listening.getsockname()[1]
        self._listening = listening
        threading.Thread(target=self._accept, args=(listening,), daemon=True).start()

    def silence(self) -> None:
        self._passes.clear()

    def cut(self) -> None:
        listening, self._listening = self._listening, None
        if listening is not None:
            with contextlib.suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
            listening.close()
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for one in (each for pair in pairs for each in pair):
            _close(one)

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                inner, _ = listening.accept()
            except OSError:
                return
            try:
                outer = socket.create_connection(("127.0.0.1", self._target), timeout=5)
            except OSError:
                inner.close()
                continue
            outer.settimeout(None)
            with self._lock:
                self._pairs.append((inner, outer))
            for one, other in ((inner, outer), (outer, inner)):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while block := source.recv(_BLOCK):
                self._passes.wait()
                sink.sendall(block)
        _close(source)
        _close(sink)


def _close(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
