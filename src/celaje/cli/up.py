"""`celaje up`: check what a user can have got wrong, then host the cloud behind granian.

This process holds the state directory's lock. The cloud lives in the server's one worker process
(`cli/hosting.py`, `cli/worker.py`).
"""

import os
import shutil
import tempfile
from pathlib import Path

import click

from celaje.cli import hosting
from celaje.cli.failure import Failure
from celaje.cli.state import StateDirectory, default_state


@click.command("up")
@click.option("--state", "state", type=click.Path(path_type=Path), help="Folder that holds the cloud.")
@click.option("--ephemeral", is_flag=True, help="A cloud that goes away when it stops.")
@click.option("--port", default=5000, show_default=True, type=click.IntRange(1, 65535))
@click.option("--address", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--drivers",
    type=click.Choice(["auto", "real", "fake"]),
    default="auto",
    show_default=True,
    help="Real disks and guests, simulated ones, or what this machine can do.",
)
@click.option("--hosts", default=1, show_default=True, type=click.IntRange(1, 10000), help="Simulated hosts.")
@click.option(
    "--guests",
    type=click.Choice(["stay", "stop"]),
    default="stop",
    show_default=True,
    help="What becomes of running guests when the cloud stops; those that stay are taken over again.",
)
@click.option("--config-file", "files", multiple=True, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--config-dir", "dirs", multiple=True, type=click.Path(path_type=Path, file_okay=False))
@click.option("--strict-config", is_flag=True, help="Refuse configuration keys that nobody reads.")
@click.option("--debug", is_flag=True, help="Log every step to the terminal.")
def command(  # noqa: PLR0917 - one argument an option
    state: Path | None,
    ephemeral: bool,
    port: int,
    address: str,
    drivers: str,
    hosts: int,
    guests: str,
    files: tuple[Path, ...],
    dirs: tuple[Path, ...],
    strict_config: bool,
    debug: bool,
) -> None:
    """Start a whole cloud in this terminal; Ctrl-C stops it.

    State stays in one folder, and starting again brings the same cloud back.
    """
    if state and ephemeral:
        raise Failure("--state and --ephemeral exclude each other.", "Give one of them.")
    folder = Path(tempfile.mkdtemp(prefix="celaje-")) if ephemeral else state or default_state()
    directory = StateDirectory(folder)
    directory.lock()
    try:
        taken = f"Stop what listens there, or use another one: celaje up --port {port + 1}"
        hosting.check_port(address, port, taken)
        for path in (*files, *dirs):
            if not path.exists():
                raise Failure(f"The configuration {path} does not exist.")
        settings = {
            "state": str(directory.path),
            "address": address,
            "port": port,
            "drivers": drivers,
            "hosts": hosts,
            "guests": "stop" if ephemeral else guests,
            "files": [str(path.absolute()) for path in files],
            "dirs": [str(path.absolute()) for path in dirs],
            "strict_config": strict_config,
            "debug": debug,
            "what": "The cloud",
            "ephemeral": ephemeral,
            "parent": os.getpid(),
        }
        from celaje.cli.worker import Loader

        hosting.serve(Loader(settings, "celaje.cli.all_in_one:AllInOne"), address, port)
    finally:
        directory.record.unlink(missing_ok=True)
        if ephemeral:
            shutil.rmtree(directory.path, ignore_errors=True)
