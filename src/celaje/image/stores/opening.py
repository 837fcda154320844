"""The stores that the configuration names, opened. Called by the service when it is assembled.

Without `enabled_backends` there is one, "file", beside which images may lie on web servers. With it, each
name is a store with a section of its own, and clients choose among them.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urldefrag

from oslo_config import cfg

from celaje.common.conf import Configuration
from celaje.common.errors import CelajeError, ConfigurationError, Unavailable
from celaje.image.stores import file, rbd
from celaje.image.stores.base import Reading, Store
from celaje.image.stores.file import FileStore
from celaje.image.stores.http import HttpStore
from celaje.image.stores.rbd import RbdStore
from celaje.image.web import Web

log = logging.getLogger(__name__)

_COMMON = [
    cfg.StrOpt("store_description", default="", help="What /info/stores says of the store."),
    cfg.IntOpt("weight", default=0, help="Of several stores that hold an image, the greatest is read."),
]
#: Options of a store's own section, by its kind.
OPTIONS: dict[str, list[cfg.Opt]] = {
    "file": [*file.OPTIONS, *_COMMON],
    "http": _COMMON,
    "rbd": [*rbd.OPTIONS, *_COMMON],
}


def store_options() -> list[cfg.Opt]:
    """Every option that a store's section may hold, whatever its kind."""
    return [option for options in OPTIONS.values() for option in options]


def enabled_backends(words: str) -> cfg.Opt:
    return cfg.Opt("enabled_backends", type=_Backends(), default={}, help=words)


class _Backends(cfg.types.ConfigType):
    """`name:kind, ...` as a dictionary. Names alone are Cinder's back ends, whose option in a shared file has
    the same name: nothing for this service."""

    def __init__(self) -> None:
        super().__init__(type_name="stores")

    def __call__(self, value: Any) -> dict[str, str]:
        if isinstance(value, dict):
            return value
        pairs = [item.strip().partition(":") for item in str(value).split(",") if item.strip()]
        if not any(colon for _, colon, _ in pairs):
            return {}
        if not all(name and kind for name, _, kind in pairs):
            raise ValueError("every store needs a name and a kind, as in fast:file")
        return {name.strip(): kind.strip() for name, _, kind in pairs}

    def __repr__(self) -> str:
        return "stores"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Backends)

    def __hash__(self) -> int:
        return hash(_Backends)

    def _formatter(self, value: Any) -> str:
        return ",".join(f"{name}:{kind}" for name, kind in value.items())


@dataclass
class Stores:
    """`by_name` all that hold images; `default` takes what names no store; `multiple`: clients may choose.
    `own`: the folders lie below the service's state, so whatever is in them is ours."""

    by_name: dict[str, Store]
    default: str
    multiple: bool
    own: bool

    @property
    def shown(self) -> list[Store]:
        if self.multiple:
            return list(self.by_name.values())
        return [self.by_name[self.default]]

    @property
    def writable(self) -> list[str]:
        return [store.name for store in self.shown if not store.read_only]

    def accepting(self, url: str) -> Store | None:
        """The store in which a client may say that data lies at `url`."""
        return next((store for store in self.by_name.values() if store.accepts(url)), None)

    def by_weight(self, locations: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The locations whose store is there, the weightiest store's first, else in the image's order."""
        known = [row for row in locations if row["store"] in self.by_name]
        return sorted(known, key=lambda row: -self.by_name[row["store"]].weight)

    def read(self, locations: list[dict[str, Any]], offset: int = 0, length: int | None = None) -> Reading:
        """From the first location that gives it: a store that is away must not hide another's copy."""
        problem: CelajeError | OSError | None = None
        for row in self.by_weight(locations):
            try:
                return self.by_name[row["store"]].read(urldefrag(row["url"])[0], offset, length)
            except (CelajeError, OSError) as error:
                log.warning("store %s does not give %s: %s", row["store"], row["url"], error)
                problem = error
        raise Unavailable("None of the stores that hold the image's data gives it.") from problem

    def remote(self, locations: list[dict[str, Any]]) -> bool:
        """Whether no file of this host holds the data."""
        return not any(self.by_name[row["store"]].path(row["url"]) for row in self.by_weight(locations))

    def ordered(self, names: list[str]) -> list[str]:
        """Without repetitions, the weightiest first."""

        def weight(name: str) -> int:
            store = self.by_name.get(name)
            return -store.weight if store else 0

        return sorted(dict.fromkeys(names), key=weight)


def open_stores(conf: Configuration, state: Path, web: Web) -> Stores:
    enabled: Mapping[str, str] = conf.glance_store.enabled_backends or conf.enabled_backends
    if not enabled:
        return _single(conf, state, web)
    default = conf.glance_store.default_backend
    if default not in enabled:
        raise ConfigurationError(
            f"[glance_store] default_backend must be one of enabled_backends ({', '.join(enabled)})."
        )
    own = True
    found: dict[str, Store] = {}
    for name, kind in enabled.items():
        open_kind = _OPENERS.get(kind)
        if open_kind is None:
            raise ConfigurationError(
                f"enabled_backends: {name} is of the unknown kind {kind}. Known are {', '.join(_OPENERS)}."
            )
        if name in _RESERVED or not name.replace("-", "").replace("_", "").isalnum():
            raise ConfigurationError(f"enabled_backends: a store cannot be named {name}.")
        section = conf.backend(name, OPTIONS[kind])
        if kind == "rbd" or (kind == "file" and section.filesystem_store_datadir):
            own = False
        store = open_kind(section, name, state, web)
        store.description, store.weight = section.store_description, section.weight
        found[name] = store
    if found[default].read_only:
        raise ConfigurationError(f"[glance_store] default_backend: {default} is only read.")
    return Stores(found, default, True, own)


#: The staging area and Glance's own reserved stores.
_RESERVED = ("staging", "os_glance_staging_store", "os_glance_tasks_store")


def _single(conf: Configuration, state: Path, web: Web) -> Stores:
    options = conf.glance_store
    own = options.filesystem_store_datadir is None
    if own:
        conf.set("glance_store", "filesystem_store_datadir", str(state / "images"))
    store = FileStore.from_options(options, name="file")
    return Stores({"file": store, "http": HttpStore(web)}, "file", False, own)


def _file(section: Any, name: str, state: Path, web: Web) -> Store:
    folder = section.filesystem_store_datadir or str(state / "stores" / name)
    return FileStore.from_options(section, name=name, folder=folder)


def _http(section: Any, name: str, state: Path, web: Web) -> Store:
    return HttpStore(web, name=name)


def _rbd(section: Any, name: str, state: Path, web: Web) -> Store:
    return RbdStore(section, name=name)


_OPENERS: dict[str, Callable[[Any, str, Path, Web], Store]] = {"file": _file, "http": _http, "rbd": _rbd}
