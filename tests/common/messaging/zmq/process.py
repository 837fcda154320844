"""A process of its own that serves the tests' table, to be killed or stopped: `python -m ... URL NAME`."""

import signal
import sys
import threading
from types import SimpleNamespace

from tests.common.messaging.conftest import Endpoint, Worker

from celaje.common import clock
from celaje.common.messaging import Server, connect, work


class Telling(Endpoint):
    """Says on standard output what it gets; `run` never ends."""

    def __init__(self, name):
        super().__init__()
        self._line = threading.Lock()
        self.functions["name"] = lambda: name
        self.functions["never"] = self.never
        self.functions["left"] = self.left

    def note(self, value):
        with self._line:
            print(value, flush=True)

    report = hint = note

    def left(self):
        return (work.expires() - clock.now()).total_seconds()

    def never(self):
        self.note("never")
        threading.Event().wait(600)


def main():
    url, name, *options = sys.argv[1:]
    given = {key: float(value) for key, value in (option.split("=") for option in options)}
    bus = connect(url, SimpleNamespace(oslo_messaging_zmq=SimpleNamespace(**given)))
    telling = Telling(name)
    server = Server(bus, Worker.target(name), telling, Worker, threads=2)
    server.start()
    telling.note("ready")
    signal.sigwait({signal.SIGTERM})
    server.stop(5)
    bus.close()


if __name__ == "__main__":
    main()
