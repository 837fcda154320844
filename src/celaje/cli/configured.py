"""The configuration of a cloud as its services read it, without starting one.

Used by `celaje config`, `timeouts` and `doctor`. A state directory means what `celaje up` would do there;
without one, the files are read as each service on its own machine reads them.
"""

import functools
import importlib
import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

from celaje.cli import drivers
from celaje.cli.failure import Failure
from celaje.cli.state import default_state, read_record

SERVICES = ("identity", "placement", "image", "network", "volume", "compute")


def where(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say which configuration is meant; the command gets `configured`."""

    @click.option("--state", type=click.Path(path_type=Path, file_okay=False), help="The cloud's folder.")
    @click.option("--config-file", "files", multiple=True, type=click.Path(path_type=Path, dir_okay=False))
    @click.option("--config-dir", "dirs", multiple=True, type=click.Path(path_type=Path, file_okay=False))
    @functools.wraps(function)
    def with_configured(
        *args: Any, state: Path | None, files: tuple[Path, ...], dirs: tuple[Path, ...], **kwargs: Any
    ) -> Any:
        return function(*args, configured=Configured.of(state, files, dirs), **kwargs)

    return with_configured


class Configured:
    """`state` None: no all-in-one cloud is meant. `files` and `dirs` are in force in the order given."""

    def __init__(self, state: Path | None, files: Iterable[Path] = (), dirs: Iterable[Path] = ()):
        self.state = state
        self.files = [Path(path).absolute() for path in files]
        self.dirs = [Path(path).absolute() for path in dirs]
        self._loaded: dict[str, Any] = {}

    @classmethod
    def of(cls, state: Path | None, files: Iterable[Path], dirs: Iterable[Path]) -> "Configured":
        """As the command line means it: files alone are read by themselves; nothing at all means the usual
        state directory, if there is one. A cloud that runs there tells which files it reads."""
        files, dirs = list(files), list(dirs)
        check_there(files, dirs)
        if state is None and not files and not dirs and drivers.begun_with(default_state()):
            state = default_state()
        if state is not None:
            state = state.absolute()
            if not state.is_dir():
                raise Failure(f"There is no folder {state}.", "Begin a cloud there: celaje up --state DIR")
            if not files and not dirs:
                record = read_record(state) or {}
                files = [Path(path) for path in record.get("config_files", ())]
                dirs = [Path(path) for path in record.get("config_dirs", ())]
        return cls(state, files, dirs)

    @property
    def is_given(self) -> bool:
        """Whether somebody's configuration is meant, not the defaults."""
        return bool(self.state or self.files or self.dirs)

    def service(self, name: str) -> Any:
        """The service's Configuration, back ends opened. Raises ConfigurationError."""
        if name not in self._loaded:
            conf = self._load(name)
            if name == "volume":
                from celaje.volume import backends

                for section in backends.enabled(conf):
                    backends.declared(conf, section)
            self._loaded[name] = conf
        return self._loaded[name]

    def _load(self, name: str) -> Any:
        from celaje.common.conf import load

        # Old names are the doctor's to tell; the library would log them to the terminal.
        logging.getLogger("oslo_config").setLevel(logging.ERROR)
        if self.state is None:
            options = importlib.import_module(f"celaje.{name}.conf").OPTIONS
            return load(name, options, self.files, self.dirs)
        from celaje.cloud import configuration

        begun = drivers.begun_with(self.state) or {"drivers": "fake", "hosts": 1}
        url = (read_record(self.state) or {}).get("url") or "http://127.0.0.1:5000"
        overrides = drivers.overrides_of(begun["drivers"], begun["hosts"], self.state)
        defaults = drivers.defaults_of(begun["drivers"])
        return configuration(
            name,
            self.state,
            url,
            self.files,
            self.dirs,
            overrides.get(name),
            defaults=defaults.get(name),
        )

    def checked(self, name: str) -> Any:
        """As `service`, a wrong value being the user's to mend."""
        from celaje.common.errors import ConfigurationError

        try:
            return self.service(name)
        except ConfigurationError as error:
            raise Failure(error.message, "Mend it, or ask `celaje doctor` for all that is wrong.") from error


def check_there(files: Iterable[Path], dirs: Iterable[Path]) -> None:
    """Raises Failure for what is named and not there; of a file for each {service} one is enough."""
    for path in (*files, *dirs):
        if not any(Path(str(path).replace("{service}", name)).exists() for name in SERVICES):
            raise Failure(f"The configuration {path} does not exist.")


def check_service(name: str | None) -> None:
    if name and name not in SERVICES:
        raise Failure(f"There is no service {name}.", f"The services are: {', '.join(SERVICES)}")
