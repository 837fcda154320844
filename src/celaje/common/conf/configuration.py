"""One service's configuration: loading it, reading it, and telling where a value came from.

Called once at start by the life cycle of a service; read everywhere. Stands on a private
oslo.config.ConfigOpts, never on the library's global one, so that many services share a process.
"""

import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from oslo_config import cfg

from celaje.common.conf import files as conf_files
from celaje.common.conf.backend import SHARED, Backend
from celaje.common.conf.files import Assignment, normal
from celaje.common.conf.options import Options, common_options
from celaje.common.conf.sample import sample
from celaje.common.conf.unknown import UnknownKey, names_of, unknown_keys
from celaje.common.errors import ConfigurationError

LOG = logging.getLogger(__name__)

Values = Mapping[tuple[str | None, str], Any]


def load(
    service: str,
    options: Options | Iterable[Options],
    files: Iterable[str | os.PathLike[str]] = (),
    dirs: Iterable[str | os.PathLike[str]] = (),
    *,
    overrides: Values | None = None,
    defaults: Values | None = None,
    by: str = "override",
) -> "Configuration":
    """Read `files`, then each folder's *.conf, later ones winning, for the service's and the common options;
    {service} in a file's name is the service.

    `overrides` win over everything and may name back-end sections that are opened later; `defaults` replace
    the options' own defaults; `by` says whose overrides they are, where a value's origin is told. All values
    are converted here, so a wrong one is told at start: raises ConfigurationError with file and line.
    """
    several = [options] if isinstance(options, Mapping) else list(options)
    found = conf_files.named_files(files, dirs, service)
    return Configuration(service, [common_options(), *several], found, overrides or {}, defaults or {}, by)


class Configuration:
    """Options by attribute as in oslo.config: `conf.debug`, `conf.database.connection`."""

    def __init__(  # noqa: PLR0917 - `load` is what others call
        self,
        service: str,
        options: Sequence[Options],
        files: Sequence[str],
        overrides: Values,
        defaults: Values,
        by: str = "override",
    ):
        self.service_name = service
        self._by = by
        self.loaded_files = tuple(files)
        self._assignments = [item for file in files for item in conf_files.scan(file)]
        self._places: dict[tuple[str, str], list[Assignment]] = {}
        for item in self._assignments:
            self._places.setdefault((normal(item.section), item.key), []).append(item)
        self._options: dict[str | None, dict[str, cfg.Opt]] = {}
        self._backends: dict[str, Backend] = {}
        self._opts = cfg.ConfigOpts()
        for groups in options:
            for group, listed in groups.items():
                self._register(None if group == "DEFAULT" else group, listed)
        for (group, key), value in defaults.items():
            self._apply(self._opts.set_default, group, key, value)
        # A key of a section that is no group waits for the back end of that name.
        self._waiting = {at: value for at, value in overrides.items() if at[0] not in (None, *self._options)}
        for (group, key), value in overrides.items():
            if (group, key) not in self._waiting:
                self._apply(self._opts.set_override, group, key, value)
        self._parse()
        for group, registered in self._options.items():
            self._convert(group, registered)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name == "DEFAULT":
            return self
        value = getattr(self._opts, name)
        if name in self._options:
            # A group is a live view: keeping it spares the next reader two lookups.
            self.__dict__[name] = value
        return value

    def __iter__(self) -> Iterator[tuple[str | None, str]]:
        """Every (group, key), back ends' included."""
        for group, registered in self._options.items():
            for key in registered:
                yield group, key

    def option(self, group: str | None, key: str) -> cfg.Opt:
        """The declaration (help, type, `secret`). Raises ConfigurationError for an unknown one."""
        try:
            return self._options[None if group == "DEFAULT" else group][key]
        except KeyError:
            raise ConfigurationError(f"There is no option [{group or 'DEFAULT'}] {key}.") from None

    def set(self, group: str | None, key: str, value: Any) -> None:
        """Override one value from now on (tests, `celaje up`). It is checked as if a file held it."""
        self._apply(self._opts.set_override, group, key, value)

    def origin(self, group: str | None, key: str) -> tuple[Any, str]:
        """The value, and where from: "file:line", "environment NAME", "override" (or whose) or "default".

        A back end's key is followed to the section that it inherits from.
        """
        group = None if group == "DEFAULT" else group
        if group in self._backends and key in self._backends[group]:
            return getattr(self._backends[group], key), self._where(self._backends[group].source(key), key)
        self.option(group, key)
        value = self._opts[key] if group is None else self._opts[group][key]
        return value, self._where(group, key)

    def overridden(self, group: str | None, key: str) -> list[str]:
        """The "file:line" of every place that sets the key, the winning one last; a back end's key with the
        sections that it inherits from."""
        if group in self._backends and key in self._backends[group]:
            chain = [None, SHARED, group]
            places = [self._set_by(section, self._options[section][key]) for section in chain]
            return [item.place for several in places for item in several]
        return [item.place for item in self._set_by(group, self.option(group, key))]

    def beside_files(self, name: str) -> Path:
        """The file or folder that an option names, {service} in it replaced: an absolute path as it is,
        another beside the configuration files, the last one's folder first; of several one that exists."""
        path = Path(name.replace("{service}", self.service_name)).expanduser()
        folders = list(dict.fromkeys(Path(file).parent for file in reversed(self.loaded_files)))
        places = [folder / path for folder in folders] or [Path(self._opts.state_path) / path]
        return next((place for place in places if place.exists()), places[0])

    @property
    def assignments(self) -> tuple[Assignment, ...]:
        """Every `key = value` of the files, in the order in which they were read."""
        return tuple(self._assignments)

    @property
    def backends(self) -> dict[str, Backend]:
        """The back ends opened so far, by section."""
        return dict(self._backends)

    def sections(self) -> list[str]:
        """The sections of the files, in order of first appearance."""
        return list(dict.fromkeys(item.section for item in self._assignments))

    def backend(self, name: str, options: Sequence[cfg.Opt]) -> Backend:
        """The view of a back end's section; `options` are those of its driver. The same name again gives a
        view with the options of both. Raises ConfigurationError for a wrong value, with file and line."""
        if name not in self._backends and (normal(name) in ("DEFAULT", SHARED) or name in self._options):
            raise ConfigurationError(
                f"[{name}] is a section of the {self.service_name} service, not a back end."
            )
        self._register(name, options)
        self._register(SHARED, options)
        own = self._options.get(None, {})
        self._register(None, [option for option in options if option.dest not in own])
        for group, key in [at for at in self._waiting if at[0] == name and at[1] in self._options[name]]:
            self._apply(self._opts.set_override, group, key, self._waiting.pop((group, key)))
        for group in (name, SHARED, None):
            self._convert(group, {option.dest: option for option in options})
        backend = self._backends[name] = Backend(self._opts, name, self._options[name])
        for option in options:
            if option.required and getattr(backend, option.dest) is None:
                raise ConfigurationError(f"Back end [{name}] needs {option.dest}: {option.help or ''}")
        return backend

    def unknown_keys(
        self, known: Iterable[Options] = (), backend_options: Sequence[cfg.Opt] = ()
    ) -> list[UnknownKey]:
        """Keys of the files that nobody reads. `known` are the other services' OPTIONS and
        `backend_options` all drivers' options, where a file is shared."""
        return unknown_keys(self._assignments, [self._declared(), *known], backend_options)

    def check_keys(self, known: Iterable[Options] = (), backend_options: Sequence[cfg.Opt] = ()) -> None:
        """Warn of every unknown key, or, where strict_config is on, raise ConfigurationError with all."""
        found = self.unknown_keys(known, backend_options)
        if found and self._opts.strict_config:
            raise ConfigurationError("\n".join(str(item) for item in found))
        for item in found:
            LOG.warning("%s", item)

    def sample(self) -> str:
        """A commented file of all options but the back ends'."""
        hidden = {SHARED, *self._backends}
        return sample({group: opts for group, opts in self._declared().items() if group not in hidden})

    def _declared(self) -> dict[str | None, list[cfg.Opt]]:
        return {group: list(registered.values()) for group, registered in self._options.items()}

    def _register(self, group: str | None, options: Sequence[cfg.Opt]) -> None:
        registered = self._options.setdefault(group, {})
        for taken in [group] if group else [option.dest for option in options]:
            if taken in _TAKEN:
                raise ConfigurationError(f"{taken} cannot name a section or an option of [DEFAULT].")
        for option in options:
            if registered.get(option.dest) is option:
                continue
            try:
                # oslo.config asks every option for itself; a required one of a back end may be inherited.
                self._opts.register_opt(option, group=group)
            except cfg.DuplicateOptError:
                raise ConfigurationError(
                    f"Option [{group or 'DEFAULT'}] {option.dest} is declared twice, differently."
                ) from None
            registered.setdefault(option.dest, option)

    def _parse(self) -> None:
        try:
            self._opts(
                [],
                project="celaje",
                prog=f"celaje-{self.service_name}",
                default_config_files=list(self.loaded_files),
                default_config_dirs=[],
            )
        except cfg.RequiredOptError as error:
            section = getattr(error.group, "name", error.group) or "DEFAULT"
            raise ConfigurationError(f"[{section}] {error.opt_name} must be set.") from None
        except cfg.Error as error:
            raise ConfigurationError(str(error)) from error

    def _convert(self, group: str | None, options: Mapping[str, cfg.Opt]) -> None:
        """Read every value once: errors come out now, and later reads are served from the cache."""
        values = self._opts if group is None else self._opts[group]
        for key, option in options.items():
            try:
                values[key]
            except (cfg.Error, ValueError) as error:
                where = self._where(group, key, option)
                raise self._wrong(where, group, option, error) from None

    def _apply(self, setter: Any, group: str | None, key: str, value: Any) -> None:
        group = None if group == "DEFAULT" else group
        option = self.option(group, key)
        try:
            setter(key, value, group=group)
        except ValueError as error:
            raise self._wrong("override", group, option, error) from None

    @staticmethod
    def _wrong(where: str, group: str | None, option: cfg.Opt, error: Exception) -> ConfigurationError:
        words = str(error).partition("is not valid: ")[2] or str(error)
        reason = "not a value of its type (not shown: secret)" if option.secret else words
        return ConfigurationError(f"{where}: [{group or 'DEFAULT'}] {option.dest}: {reason}")

    def _set_by(self, group: str | None, option: cfg.Opt) -> list[Assignment]:
        """Assignments of the option in the order of oslo.config: by file, and in one file the present name
        beats old ones."""
        found = []
        for rank, name in enumerate(names_of(group, option)):
            for item in self._places.get(name, ()):
                found.append((self.loaded_files.index(item.file), -rank, item.line, item))
        return [entry[-1] for entry in sorted(found)]

    def _where(self, group: str | None, key: str, option: cfg.Opt | None = None) -> str:
        option = option or self._options[group][key]
        try:
            location = self._opts.get_location(key, group)
        except (cfg.Error, ValueError):
            location = None  # the value itself is wrong: it stands in the environment or in a file
            variable = f"OS_{(group or 'DEFAULT').upper()}__{key.upper()}"
            if variable in os.environ:
                return f"environment {variable}"
        kind = location.location if location else cfg.Locations.user
        if kind is cfg.Locations.set_override:
            return self._by
        if location and kind is cfg.Locations.environment:
            return f"environment {location.detail}"
        places = self._set_by(group, option) if kind is cfg.Locations.user else []
        return places[-1].place if places else "default"


# Attributes of Configuration would hide options of these names.
_TAKEN = {name for name in dir(Configuration) if not name.startswith("_")} | {"service_name", "loaded_files"}
