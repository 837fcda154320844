"""`celaje db`: `sync` brings the databases to the schema this version knows (`celaje up` does it by itself),
`purge` removes the rows of what was deleted long ago.
"""

import datetime
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from celaje.cli.failure import Failure
from celaje.cli.state import StateDirectory, default_state

# Rows that are removed in one transaction: whoever else writes waits no longer than that.
_AT_ONCE = 500


@click.group("db")
def command() -> None:
    """Create or upgrade databases: a state directory's, or those that configuration files name."""


def _databases(function: Callable[..., None]) -> Callable[..., None]:
    """The options that say which databases."""
    for option in (
        click.option("--config-dir", "dirs", multiple=True, help="As for `celaje service`."),
        click.option(
            "--config-file", "files", multiple=True, help="The files that `celaje service` is started with."
        ),
        click.option(
            "--connection", help="SQLAlchemy URL, with --service: a database that is not in the folder."
        ),
        click.option("--service", "only", help="One service's database only."),
        click.option("--state", type=click.Path(path_type=Path), help="The cloud's folder."),
    ):
        function = option(function)
    return function


@command.command("sync")
@_databases
def sync_command(**asked: Any) -> None:
    """Create the tables, or run the migrations that are missing."""
    from celaje.common.db.schema import sync

    def bring_up(declared: Any, name: str, database: Any) -> str:
        done = sync(database, name, declared.metadata, declared.migrations)
        return ", ".join(done) if done else "is current"

    _each(bring_up, alone=True, **asked)


@command.command("purge")
@click.option("--days", type=click.FloatRange(min=0), required=True, help="Keep what was deleted since then.")
@_databases
def purge_command(days: float, **asked: Any) -> None:
    """Remove for good the rows of what was deleted more than DAYS days ago, which administrators could still
    list. Beside a running cloud, too."""
    from celaje.common import clock

    before = clock.now() - datetime.timedelta(days=days)

    def purge(declared: Any, name: str, database: Any) -> str | None:
        total = 0
        while removed := database.write(declared.purge, before, _AT_ONCE):
            total += removed
        return f"{total} removed" if total else None

    _each(purge, alone=False, **asked)


def _each(
    work: Callable[[Any, str, Any], str | None],
    *,
    alone: bool,
    state: Path | None,
    only: str | None,
    connection: str | None,
    files: tuple[str, ...],
    dirs: tuple[str, ...],
) -> None:
    """Do `work(the Service's class, its name, its database)` to each and say what it returns. `alone`: no
    cloud may run on the folder."""
    from celaje.assembly import SERVICES, service_class
    from celaje.common.db import Database
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
            places = _in_folder(names, StateDirectory(state or default_state()), alone)
        for name, url in places.items():
            importlib.import_module(f"celaje.{name}")
            database = Database(url, service=name)
            try:
                database.wait_for_server(max_retries=0)
                said = work(service_class(name), name, database)
            finally:
                database.close()
            if said is not None:
                click.echo(f"  {name:12}{said}")
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


def _in_folder(names: list[str], directory: StateDirectory, alone: bool) -> dict[str, str]:
    if alone:
        directory.lock()
        for name in names:
            (directory.path / name).mkdir(parents=True, exist_ok=True, mode=0o700)
    files = {name: directory.path / name / f"{name}.db" for name in names}
    return {name: f"sqlite:///{file}" for name, file in files.items() if alone or file.exists()}
