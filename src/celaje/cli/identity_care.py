"""`celaje identity rotate-keys` and `celaje identity reset-password`: for a cloud of several machines (by its
configuration files) and for one of `celaje up` (by --state).

Both work while the services run, and need none of them.
"""

import sys
from pathlib import Path
from typing import Any

import click

from celaje.cli.failure import Failure
from celaje.cli.state import StateDirectory

_FILES = click.option(
    "--config-file", "files", multiple=True, help="The files that identity is started with."
)
_DIRS = click.option("--config-dir", "dirs", multiple=True, help="As for `celaje service`.")
_STATE = click.option(
    "--state", type=click.Path(path_type=Path), help="The folder of a cloud of `celaje up`, instead of files."
)


class StateConfigurations:
    """Identity's configuration as `celaje up` has it for the folder."""

    def __init__(self, state: Path, files: tuple[str, ...], dirs: tuple[str, ...]):
        if not (state / "identity").is_dir():
            raise Failure(f"There is no cloud in {state}.", "Name its folder with --state DIR.")
        self._state = state.absolute()
        self._files = files
        self._dirs = dirs

    def of(self, name: str) -> Any:
        from celaje.common.conf import load
        from celaje.identity.conf import OPTIONS

        overrides: dict[tuple[str | None, str], Any] = {
            (None, "state_path"): str(self._state),
            ("fernet_tokens", "key_repository"): str(self._state / "keys" / "fernet"),
        }
        return load(name, OPTIONS, self._files, self._dirs, overrides=overrides)


def _configurations(files: tuple[str, ...], dirs: tuple[str, ...], state: Path | None) -> Any:
    from celaje.process import Configurations

    return Configurations(files, dirs) if state is None else StateConfigurations(state, files, dirs)


@click.command("rotate-keys")
@_FILES
@_DIRS
@_STATE
def rotate_keys(files: tuple[str, ...], dirs: tuple[str, ...], state: Path | None) -> None:
    """Seal tokens with the next key from now on.

    Running APIs notice by themselves. Where the folder is copied to the machines, not shared: rotate on one,
    then copy its files to the others before the next rotation. Tokens hold for as long as the folder keeps
    their key ([fernet_tokens] max_active_keys).
    """
    from celaje.common.errors import CelajeError
    from celaje.common.tokens import KeyRepository

    try:
        conf = _configurations(files, dirs, state).of("identity").fernet_tokens
        repository = KeyRepository(Path(conf.key_repository))
        done = repository.rotate(conf.max_active_keys)
    except CelajeError as error:
        raise Failure(error.message) from error
    except OSError as error:
        raise Failure(f"{conf.key_repository} cannot be written: {error.strerror}.") from error
    if done.sealing is None:
        click.echo(f"  {repository.folder} had no next key: it has one now, and nothing else has changed.")
        click.echo("  Copy it to the other machines, if they have folders of their own, and rotate again.")
        return
    click.echo(
        f"  {repository.folder}: key {done.sealing} seals tokens, {len(repository.numbers())} keys are kept"
    )
    if done.removed:
        gone = ", ".join(map(str, done.removed))
        click.echo(f"  removed: {gone}; a token that it sealed is refused now")


@click.command("reset-password")
@click.argument("user")
@click.option("--domain", default="default", show_default=True, help="The user's domain, by its id or name.")
@click.option(
    "--password-file",
    type=click.Path(path_type=Path, allow_dash=True),
    help="File whose first line is the password; - for standard input. Without it the password is asked for.",
)
@_FILES
@_DIRS
@_STATE
def reset_password(  # noqa: PLR0917 - one argument an option
    user: str,
    domain: str,
    password_file: Path | None,
    files: tuple[str, ...],
    dirs: tuple[str, ...],
    state: Path | None,
) -> None:
    """Give USER (a name or an id) a new password, without the API.

    All of the user's tokens are revoked, and a lock after failed logins is lifted. The operator's rules for
    passwords hold. Running APIs know the password at once, the revocation within [revoke] poll_interval.
    """
    from celaje.common.errors import CelajeError
    from celaje.identity import reset
    from celaje.process import Preparation

    configurations = _configurations(files, dirs, state)
    try:
        with Preparation("identity", configurations) as service:
            found = service.database.read(reset.find_user, user, domain)
            if state is not None and found["domain_id"] == "default":
                _refuse_in_use(found["name"], state)
            password = _password(password_file, found["name"])
            reset.reset_password(service, found, password)
    except CelajeError as error:
        raise Failure(error.message) from error
    if state is not None and found["domain_id"] == "default":
        _keep(state, found["name"], password)
    click.echo(f"  {found['name']} ({found['id']}) has the new password; the user's tokens are revoked")


def _password(file: Path | None, user: str) -> str:
    """Never from the command line, which everybody on the machine can read."""
    if file is None:
        if not sys.stdin.isatty():
            raise Failure("There is no terminal to ask for the password at.", "Name a --password-file.")
        return click.prompt(f"New password of {user}", hide_input=True, confirmation_prompt=True)
    try:
        text = sys.stdin.readline() if str(file) == "-" else file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    password = text.partition("\n")[0].rstrip("\r")
    if not password:
        raise Failure(f"{file} holds no password in its first line.")
    return password


def _refuse_in_use(user: str, state: Path) -> None:
    """A running cloud logs in with the passwords that it has read at its start."""
    from celaje.assembly import SERVICE_USERS

    if user in SERVICE_USERS.values() and StateDirectory(state).held():
        raise Failure(f"The running cloud itself logs in as {user}.", "Stop it first.")


def _keep(state: Path, user: str, password: str) -> None:
    """The next `celaje up` logs in with it, and writes it into clouds.yaml."""
    from celaje.secrets import Secrets

    if Secrets(state / "secrets.json").replace(user, password):
        click.echo("  clouds.yaml tells it after the next start")
