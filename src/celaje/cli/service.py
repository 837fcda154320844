"""`celaje service volume.api volume.conductor`: parts of services in a process of their own.

A process with an API is hosted by granian (`cli/hosting.py`); one without waits here for its signals.
"""

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import click

from celaje.cli import hosting, service_records
from celaje.cli.failure import Failure


class _NamesOrCommand(click.Group):
    """`celaje service list` is a command, anything else the names of parts."""

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands:
            args = ["start", *args]
        return super().resolve_command(context, args)


@click.group(
    "service", cls=_NamesOrCommand, context_settings={"ignore_unknown_options": True}, no_args_is_help=True
)
def command() -> None:
    """Start parts of services: celaje service NAME [NAME ...].

    A NAME is `volume.api`, `volume.conductor`, `volume.scheduler`, `volume.worker` and so on, or `volume` for
    all parts of a service.
    """


@command.command("start")
@click.argument("names", nargs=-1, required=True)
@click.option(
    "--config-file",
    "files",
    multiple=True,
    help="Configuration; {service} in the name stands for each service. Default: /etc/celaje/celaje.conf, "
    "then /etc/celaje/{service}.conf.",
)
@click.option("--config-dir", "dirs", multiple=True, help="Folder whose *.conf are read after the files.")
def start(names: tuple[str, ...], files: tuple[str, ...], dirs: tuple[str, ...]) -> None:
    """Start these parts in this process; the word `start` may be left out."""
    from celaje.common.errors import ConfigurationError
    from celaje.process import Configurations, Process

    settings: dict[str, Any] = {
        "names": list(names),
        "files": [str(Path(name).absolute()) for name in files],
        "dirs": [str(Path(name).absolute()) for name in dirs],
        "what": f"celaje service {' '.join(names)}",
        "debug": False,
        "state": None,
        "ephemeral": False,
        "parent": os.getpid(),
    }
    try:
        process = Process(names, Configurations(settings["files"], settings["dirs"]))
        address = process.address() if process.has_api else None
    except ConfigurationError as error:
        raise Failure(error.message) from error
    if address is None:
        sys.exit(_run(settings))
    hosting.check_port(*address, "Stop what listens there, or set [api] bind_port.")
    from celaje.cli.worker import Loader

    api = process.first.api
    loader = Loader(settings, "celaje.cli.service:Hosted")
    tls = hosting.Tls.of(process.first.ssl)
    hosting.serve(loader, *address, threads=api.threads, backlog=api.backlog, tls=tls)


class Hosted:
    """A Process as `cli/worker.py` and `_run` want it."""

    def __init__(self, settings: dict[str, Any]):
        from celaje.process import Configurations, Process

        self._process = Process(settings["names"], Configurations(settings["files"], settings["dirs"]))
        self.application = self._process.entrance

    def start(self) -> None:
        from celaje.common import log

        log.setup(self._process.first)
        self._process.unknown_keys()
        self._process.start()

    def stop(self) -> None:
        self._process.stop(grace=10.0)


def _run(settings: dict[str, Any]) -> int:
    """Without an API: until TERM or INT."""
    from celaje.cli.worker import explain, prepare_memory, quicken

    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    prepare_memory()
    hosted = None
    try:
        hosted = Hosted(settings)
        # In a thread, so that a start that waits for a broker can be ended too.
        failed: list[Exception] = []
        starting = threading.Thread(target=_start, args=(hosted, failed, ended), daemon=True)
        starting.start()
        while starting.is_alive() and not ended.is_set():
            starting.join(0.2)
        if failed:
            raise failed[0]
        quicken()
        ended.wait()
    except Exception as error:
        explain(error, settings)
        os._exit(1)
    hosted.stop()
    sys.stdout.flush()
    sys.stderr.flush()
    # Threads that wait for a broker or a database in vain must not keep a process that has stopped.
    os._exit(0)


def _start(hosted: Hosted, failed: list[Exception], ended: threading.Event) -> None:
    try:
        hosted.start()
    except Exception as error:
        failed.append(error)
        ended.set()


for _more in (service_records.list_command, service_records.disable, service_records.enable):
    command.add_command(_more)
