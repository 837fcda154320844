"""`celaje db sync`: bring the databases to the schema this version knows. `celaje up` does it by itself."""

import importlib
from pathlib import Path

import click

from celaje.cli.failure import Failure
from celaje.cli.state import StateDirectory, default_state


@click.group("db")
def command() -> None:
    """Create or upgrade the databases of a state directory."""


@command.command("sync")
@click.option("--state", type=click.Path(path_type=Path), help="The cloud's folder.")
@click.option("--service", "only", help="One service's database only.")
@click.option("--connection", help="SQLAlchemy URL, with --service: a database that is not in the folder.")
def sync_command(state: Path | None, only: str | None, connection: str | None) -> None:
    """Create the tables, or run the migrations that are missing."""
    from celaje.cloud import SERVICES, service_class
    from celaje.common.db import Database
    from celaje.common.db.schema import sync
    from celaje.common.errors import CelajeError

    if connection and not only:
        raise Failure("--connection goes with --service.")
    if only and only not in SERVICES:
        raise Failure(f"There is no service {only}.", f"The services are: {', '.join(SERVICES)}")
    directory = StateDirectory(state or default_state())
    if not connection:
        directory.lock()
    for name in [only] if only else SERVICES:
        importlib.import_module(f"celaje.{name}")
        declared = service_class(name)
        folder = directory.path / name
        if not connection:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            database = Database(connection or f"sqlite:///{folder / f'{name}.db'}", service=name)
        except CelajeError as error:
            raise Failure(error.message) from error
        try:
            database.wait_for_server(max_retries=0)
            done = sync(database, name, declared.metadata, declared.migrations)
        except CelajeError as error:
            raise Failure(error.message) from error
        finally:
            database.close()
        click.echo(f"  {name:12}{', '.join(done) if done else 'is current'}")
