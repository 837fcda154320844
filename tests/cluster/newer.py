"""The `celaje` command of a release that does not exist yet: the volume service grown by a message, an
argument, a flow's version, a column. Started beside processes of the code as it is by `test_upgrade.py`:

    python -m tests.cluster.newer service volume.worker --config-file ...

What is here at the module's level is done in every process that granian starts, too.
"""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from sqlalchemy import Column, String

from celaje.common.db import Transaction
from celaje.common.flow import flow
from celaje.common.messaging.table import Message, Messages, call
from celaje.volume import rpc, service
from celaje.volume.conductor import FLOWS, create_volume
from celaje.volume.db.tables import VOLUMES
from celaje.volume.worker import Worker

Row = dict[str, Any]

MIGRATION = """
import sqlalchemy as sa
from alembic import op

def upgrade():
    op.add_column("volumes", sa.Column("finish", sa.String(16), nullable=True))
"""


class NewerWorkerMessages(rpc.VolumeWorkerMessages):
    version = "1.1"

    @call(timeout="rpc_response_timeout", added={"finish": "1.1"})
    def create_volume(self, volume: Row, finish: str | None = None) -> Row:
        raise NotImplementedError

    @call(timeout="volume_worker_timeout", since="1.1")
    def polish_volume(self, volume: Row) -> Row:
        raise NotImplementedError


def _grow(table: type[Messages], newer: type[Messages]) -> None:
    """In place, since other modules have the table by its name already."""
    rows: dict[str, Message] = newer._table
    table.version, table._table = newer.version, rows


_old_create = Worker.create_volume


def _create(self: Worker, volume: Row, finish: str | None = None) -> Row:
    kept = _old_create(self, volume)
    return {**kept, "finish": finish} if finish else kept


def _polish(self: Worker, volume: Row) -> Row:
    with self._fences.step(volume["id"]):
        return {"polished": volume["id"]}


class _Newer:
    """A Run whose steps say what the new code says."""

    def __init__(self, run: Any, finish: str | None):
        self._run = run
        self._finish = finish
        self._volume: Row = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._run, name)

    def write(self, work: Any, *args: Any) -> Any:
        result = self._run.write(work, *args)
        if result and result.get("volume"):
            self._volume = result["volume"]
        return result

    def step(self, sent: Any, **arguments: Any) -> Any:
        message = getattr(sent, "message", None)
        if message is not None and message.name == "create_volume":
            # The first version says the default, which an old worker is not told at all.
            arguments["finish"] = self._finish
        return self._run.step(sent, **arguments)

    def done(self, work: Any, *args: Any) -> None:
        if self._finish:
            worker = self._run.conductor.worker_of(self._volume)
            self._run.step(worker.polish_volume, volume=self._volume)
            self._run.write(note_finish, self._volume["id"], self._finish)
        self._run.done(work, *args)


def note_finish(tx: Transaction, volume_id: str, finish: str) -> None:
    tx.execute(VOLUMES.update().where(VOLUMES.c.id == volume_id).values(finish=finish))


_options = {"deadline": create_volume.deadline, "way_out": create_volume.way_out}


@flow("volume.create", **_options)
def first(run: Any, **arguments: Any) -> None:
    create_volume.function(_Newer(run, None), **arguments)


@flow("volume.create", version=2, **_options)
def second(run: Any, **arguments: Any) -> None:
    create_volume.function(_Newer(run, "bright"), **arguments)


def _migrations() -> Path:
    folder = Path(tempfile.gettempdir()) / f"celaje-newer-migrations-{os.getpid()}"
    shutil.copytree(service.VolumeService.migrations, folder, dirs_exist_ok=True)
    (folder / "0002_finish.py").write_text(MIGRATION)
    return folder


_grow(rpc.VolumeWorkerMessages, NewerWorkerMessages)
Worker.create_volume = _create  # type: ignore[method-assign]
Worker.polish_volume = _polish  # type: ignore[attr-defined]
VOLUMES.append_column(Column("finish", String(16)))
FLOWS[FLOWS.index(create_volume)] = first
FLOWS.append(second)
service.VolumeService.migrations = _migrations()

if __name__ == "__main__":
    from celaje.cli.main import main

    try:
        main()
    finally:
        shutil.rmtree(service.VolumeService.migrations, ignore_errors=True)
