"""`celaje messaging new-key`: what processes on ZeroMQ know each other by."""

from pathlib import Path

import click

from celaje.cli.failure import Failure


@click.group("messaging")
def command() -> None:
    """Prepare the messages of a cloud of several machines."""


@command.command("new-key")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def new_key(file: Path) -> None:
    """Write a new CURVE key pair into FILE, for [oslo_messaging_zmq] curve_secret_key_file.

    All processes of the cloud need the same file; whoever has it can command the cloud.
    """
    try:
        from celaje.common.messaging.zmq.curve import make_key_file
    except ModuleNotFoundError as error:
        raise Failure("ZeroMQ is not installed here.", "pip install celaje[zmq]") from error
    if file.exists():
        raise Failure(f"{file} exists; a cloud may be using it.", "Name another file.")
    try:
        make_key_file(file)
    except OSError as error:
        raise Failure(f"{file} cannot be written: {error.strerror}.") from error
    click.echo(
        f"  {file} holds a new key pair; copy it to every machine, readable by the service's user only"
    )
