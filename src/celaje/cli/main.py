"""Entry point of the `celaje` command. Subcommands are imported when they are called: `--help` is instant."""

import importlib
import os
import sys

import click

from celaje import __version__
from celaje.cli.failure import Failure

# command -> (module, one line for the overview)
COMMANDS = {
    "up": ("celaje.cli.up", "Start a whole cloud in this terminal."),
    "service": ("celaje.cli.service", "Start parts of services, as one of several processes."),
    "identity": (
        "celaje.cli.identity",
        "Prepare identity; rotate its keys; reset a password.",
    ),
    "status": ("celaje.cli.status", "Tell from outside what is up."),
    "flow": ("celaje.cli.flow", "Follow a request through the components, hop by hop."),
    "why": ("celaje.cli.why", "Tell why something failed, waits, or was refused."),
    "logs": ("celaje.cli.logs", "The log lines of one request, over all services."),
    "inspect": ("celaje.cli.inspect", "Print the tables that the services are made of."),
    "config": ("celaje.cli.config", "Explain options; show which values are in force, and why."),
    "messaging": ("celaje.cli.messaging", "Make the key by which processes know each other (zmq)."),
    "timeouts": ("celaje.cli.timeouts", "Print who waits how long for whom, and what ends first."),
    "doctor": ("celaje.cli.doctor.command", "Look for what is wrong, and say what to do."),
    "db": ("celaje.cli.database", "Create or upgrade the databases of a state directory."),
}


class Lazy(click.Group):
    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        return importlib.import_module(COMMANDS[name][0]).command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in COMMANDS.items()])


@click.group(cls=Lazy)
@click.version_option(__version__, prog_name="celaje")
def cli() -> None:
    """OpenStack's component architecture, started by one command.

    Begin with `celaje up`; unmodified OpenStack clients then work against it.
    """


# 128 and SIGPIPE: what a shell says of a program that ended by it.
NOBODY_READS = 141


def main() -> None:
    code = _run()
    try:
        # What is still in the buffer may find nobody to read it, either.
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes once more at its end, to whom it may concern.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = NOBODY_READS
    sys.exit(code)


def _run() -> int | str | None:
    output = sys.stdout
    try:
        cli(standalone_mode=False)
    except Failure as failure:
        failure.show()
        return failure.code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 130
    except SystemExit as end:
        # Of a broken pipe (`| head` has seen enough) click makes another output, and 1, which means more.
        return NOBODY_READS if sys.stdout is not output else end.code
    return 0


if __name__ == "__main__":
    main()
