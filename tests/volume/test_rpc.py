"""Senders and receivers agree, and only API and conductor know the database."""

import ast
from pathlib import Path

import pytest

import celaje.volume
from celaje.common.messaging.table import check
from celaje.volume.conductor import VolumeConductor
from celaje.volume.rpc import VolumeConductorMessages, VolumeSchedulerMessages, VolumeWorkerMessages
from celaje.volume.scheduler.scheduler import Scheduler
from celaje.volume.worker import Worker


@pytest.mark.parametrize(
    ("table", "receiver"),
    [
        (VolumeConductorMessages, VolumeConductor),
        (VolumeSchedulerMessages, Scheduler),
        (VolumeWorkerMessages, Worker),
    ],
)
def test_tables_and_endpoints_agree(table, receiver):
    assert check(table, receiver) == []


def test_worker_drivers_and_scheduler_know_no_database():
    root = Path(celaje.volume.__file__).parent
    files = [root / "worker.py", *root.glob("drivers/**/*.py"), *root.glob("scheduler/**/*.py")]
    assert len(files) > 8
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert not [name for name in names if ".db" in name or name.startswith("sqlalchemy")], file
