"""What the tests of PostgreSQL and MariaDB share: databases on the run's servers, servers of a test's own."""

import itertools
import os
import shutil
import threading
from contextlib import contextmanager

from sqlalchemy import select, text

from celaje.common.db import Database, fetch_all
from tests.common.db.conftest import METADATA, STONES
from tests.servers import databases
from tests.servers.shared import run_folder

BOTH = ("postgresql", "mariadb")

_numbers = itertools.count()


def fresh_url(kind):
    """A database that nobody else has, on the server of the run."""
    return databases.database(kind, f"celaje_test_{os.getpid()}_{next(_numbers)}")


@contextmanager
def opened(url, **options):
    database = Database(url, **{"max_pool_size": 2, "max_overflow": 8, "pool_timeout": 10, **options})
    try:
        yield database
    finally:
        database.close()


@contextmanager
def stones(kind, **options):
    with opened(fresh_url(kind), **options) as database:
        METADATA.create_all(database.engine)
        yield database


class OwnServer:
    """A server that the test stops, kills and starts again on the same port."""

    def __init__(self, kind):
        self.server = databases.KINDS[kind]
        self.folder = run_folder() / f"own-{kind}-{os.getpid()}-{next(_numbers)}"
        self.folder.mkdir()
        self.running = self.server.make(self.folder)
        self.url = self.server.url(self.running)

    def stop(self):
        self.server.stop(self.running)

    def kill(self):
        self.server.kill(self.running)

    def start(self):
        self.running = self.server.start(self.folder, self.running.port)

    def restart(self):
        self.stop()
        self.start()

    def remove(self):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def add(tx, number, name=None):
    tx.execute(STONES.insert().values(id=number, name=name or str(number)))
    return number


def ids(database):
    return [row["id"] for row in database.read(fetch_all, select(STONES.c.id).order_by(STONES.c.id))]


def cut(tx, database):
    """End the session of this transaction at the server, as an operator or a failover does."""
    if tx.dialect == "postgresql":
        number = tx.execute(text("SELECT pg_backend_pid()")).scalar()
        end = f"SELECT pg_terminate_backend({number}, 5000)"
    else:
        number = tx.execute(text("SELECT CONNECTION_ID()")).scalar()
        end = f"KILL {number}"
    with database.engine.connect() as other:
        other.execute(text(end))


class Holder:
    """A thread that keeps a connection of `database` until it is let go."""

    def __init__(self, database):
        self._has, self._go = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=database.read, args=(self._hold,))
        self._thread.start()
        assert self._has.wait(20)

    def _hold(self, tx):
        tx.execute(select(1)).all()
        self._has.set()
        assert self._go.wait(60)

    def let_go(self):
        self._go.set()
        self._thread.join(20)
        assert not self._thread.is_alive()
