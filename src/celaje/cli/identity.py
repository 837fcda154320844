"""`celaje identity ...`: an operator's first steps with identity in a cloud of several machines, and the care
of its keys and of forgotten passwords. `celaje up` does the first steps by itself.
"""

from collections.abc import Iterable
from pathlib import Path

import click

from celaje.cli.failure import Failure
from celaje.cli.identity_care import reset_password, rotate_keys

_FILES = click.option(
    "--config-file", "files", multiple=True, help="The files that identity is started with."
)
_DIRS = click.option("--config-dir", "dirs", multiple=True, help="As for `celaje service`.")


@click.group("identity")
def command() -> None:
    """Prepare a cloud's identity service, and care for it."""


command.add_command(rotate_keys)
command.add_command(reset_password)


@command.command("setup-keys")
@_FILES
@_DIRS
def setup_keys(files: tuple[str, ...], dirs: tuple[str, ...]) -> None:
    """Make the first keys of tokens, unless there are some. Every machine with an API needs the folder."""
    from celaje.common.errors import CelajeError
    from celaje.common.tokens import KeyRepository
    from celaje.process import Configurations

    try:
        folder = Path(Configurations(files, dirs).of("identity").fernet_tokens.key_repository)
        repository = KeyRepository(folder)
        known = repository.numbers()
        repository.create()
    except CelajeError as error:
        raise Failure(error.message) from error
    except OSError as error:
        raise Failure(f"{folder} cannot be written: {error.strerror}.") from error
    click.echo(f"  {folder} {'has its keys' if known else 'has its first keys'}")


@command.command("bootstrap")
@_FILES
@_DIRS
@click.option(
    "--bootstrap-password",
    "password",
    envvar="OS_BOOTSTRAP_PASSWORD",
    required=True,
    help="The admin's password; the environment (OS_BOOTSTRAP_PASSWORD) keeps it out of the process list.",
)
@click.option(
    "--public-url",
    help="The address below which the balancer has all services: /identity, /compute and so on.",
)
@click.option(
    "--endpoint",
    "endpoints",
    multiple=True,
    metavar="TYPE=URL",
    help="A service's own URL: compute=http://cloud.example:8774/v2.1 (may be given several times).",
)
@click.option(
    "--passwords",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="YAML file: the services' users with their passwords (cinder: ...), as in [keystone_authtoken].",
)
@click.option("--examples", is_flag=True, help="With the projects and users demo and alt_demo.")
def bootstrap_command(  # noqa: PLR0917 - one argument an option
    files: tuple[str, ...],
    dirs: tuple[str, ...],
    password: str,
    public_url: str | None,
    endpoints: tuple[str, ...],
    passwords: Path,
    examples: bool,
) -> None:
    """The first content: admin, roles, the services' users, the catalog.

    Makes what is missing, changes nobody's password, and brings the endpoints' URLs up to date. Runs without
    the API, with identity's database alone.
    """
    from celaje.assembly import SERVICE_USERS
    from celaje.common.errors import CelajeError
    from celaje.identity.bootstrap import CATALOG, bootstrap
    from celaje.process import Configurations, Preparation

    urls = _endpoints(endpoints)
    missing = [kind for kind, *_ in CATALOG if kind not in urls]
    if missing and not public_url:
        raise Failure(f"Where is {missing[0]}?", "Give --public-url, or --endpoint for every service.")
    users = _passwords(passwords, SERVICE_USERS.values())
    try:
        with Preparation("identity", Configurations(files, dirs)) as service:
            url = (public_url or "").rstrip("/")
            bootstrap(service, password, url, users, examples=examples, endpoints=urls)
    except CelajeError as error:
        raise Failure(error.message) from error
    click.echo("  identity has its admin, its roles, the services' users and the catalog")


def _endpoints(given: Iterable[str]) -> dict[str, str]:
    from celaje.identity.bootstrap import CATALOG

    kinds = [kind for kind, *_ in CATALOG]
    found = {}
    for text in given:
        kind, sign, url = text.partition("=")
        if kind not in kinds or not sign or not url.startswith(("http://", "https://")):
            raise Failure(f"--endpoint {text} is not TYPE=URL.", f"The types are {', '.join(kinds)}.")
        found[kind] = url.rstrip("/")
    return found


def _passwords(file: Path, users: Iterable[str]) -> dict[str, str]:
    import yaml

    try:
        found = yaml.safe_load(file.read_text())
    except OSError as error:
        raise Failure(f"{file} cannot be read: {error.strerror}.") from error
    except yaml.YAMLError as error:
        raise Failure(f"{file} is not YAML: {error}") from error
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise Failure(f"{file} must hold lines like `cinder: password` (quote a password of digits only).")
    lacking = [user for user in users if not found.get(user)]
    if lacking:
        raise Failure(f"{file} has no password for {', '.join(lacking)}.")
    return {str(user): value for user, value in found.items()}
