"""`celaje db sync`: bring the databases to the schema this version knows. `celaje up` does it by itself."""

import importlib
from pathlib import Path
from typing import Any

import click

from celaje.cli.failure import Failure
from celaje.cli.state import StateDirectory, default_state


@click.group("db")
def command() -> None:
    """Create or upgrade databases: a state directory's, or those that configuration files name."""


@command.command("sync")
@click.option("--state", type=click.Path(path_type=Path), help="The cloud's folder.")
@click.option("--service", "only", help="One service's database only.")
@click.option("--connection", help="SQLAlchemy URL, with --service: a database that is not in the folder.")
@click.option(
    "--config-file", "files", multiple=True, help="The files that `celaje service` is started with."
)
@click.option("--config-dir", "dirs", multiple=True, help="As for `celaje service`.")
def sync_command(
    state: Path | None,
    only: str | None,
    connection: str | None,
    files: tuple[str, ...],
    dirs: tuple[str, ...],
) -> None:
    """Create the tables, or run the migrations that are missing."""
    from celaje.assembly import SERVICES, service_class
    from celaje.common.errors import CelajeError

    if connection and not only:
        raise Failure("--connection goes with --service.")
    if only and only not in SERVICES:
        raise Failure(f"There is no service {only}.", f"The services are: {', '.join(SERVICES)}")
    if (files or dirs) and (state or connection):
        raise Failure(
            "--config-file and --config-dir name the databases; leave --state and --connection out."
        )
    names = [only] if only else list(SERVICES)
    try:
        if files or dirs:
            places = _configured(names, files, dirs)
        elif connection:
            places = dict.fromkeys(names, connection)
        else:
            places = _in_folder(names, StateDirectory(state or default_state()))
        for name, url in places.items():
            importlib.import_module(f"celaje.{name}")
            done = _sync(service_class(name), name, url)
            click.echo(f"  {name:12}{', '.join(done) if done else 'is current'}")
    except CelajeError as error:
        raise Failure(error.message) from error


def _configured(names: list[str], files: tuple[str, ...], dirs: tuple[str, ...]) -> dict[str, str]:
    from celaje.process import Configurations

    configurations = Configurations(files, dirs)
    found = {}
    for name in names:
        conf = configurations.of(name)
        if not conf.database.connection:
            raise Failure(
                f"[database] connection is not set for {name} in {', '.join(conf.loaded_files)}.",
                "Name the files that `celaje service` is started with.",
            )
        found[name] = conf.database.connection
    return found


def _in_folder(names: list[str], directory: StateDirectory) -> dict[str, str]:
    directory.lock()
    for name in names:
        (directory.path / name).mkdir(parents=True, exist_ok=True, mode=0o700)
    return {name: f"sqlite:///{directory.path / name / name}.db" for name in names}


def _sync(declared: Any, name: str, url: str) -> list[str]:
    from celaje.common.db import Database
    from celaje.common.db.schema import sync

    database = Database(url, service=name)
    try:
        database.wait_for_server(max_retries=0)
        return sync(database, name, declared.metadata, declared.migrations)
    finally:
        database.close()
