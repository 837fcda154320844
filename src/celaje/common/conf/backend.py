"""A back end's section, whose keys inherit.

Made by `Configuration.backend`; read by workers and drivers.
"""

from collections.abc import Mapping
from typing import Any

from oslo_config import cfg

# Where a back end's key is looked for after its own section, first hit wins.
SHARED = "backend_defaults"


class Backend:
    """Options of one back end: its own section, then [backend_defaults], then [DEFAULT], then the default.

    (oslo.config itself does not let [DEFAULT] reach other sections, which has cost many an evening.)
    """

    def __init__(self, opts: cfg.ConfigOpts, name: str, options: Mapping[str, cfg.Opt]):
        self._opts = opts
        self._options = options
        self.section = name

    def __repr__(self) -> str:
        return f"<back end [{self.section}]>"

    def __getattr__(self, key: str) -> Any:
        if key.startswith("_") or key not in self._options:
            raise AttributeError(f"Back end [{self.section}] has no option {key}.")
        return self._read(key, self.source(key))

    def __contains__(self, key: object) -> bool:
        return key in self._options

    def get(self, key: str, default: Any = None) -> Any:
        """The value, or `default` where this driver has no such option."""
        return getattr(self, key) if key in self._options else default

    def source(self, key: str) -> str | None:
        """The section that sets the key: the back end's own also when nothing does; None is [DEFAULT]."""
        for group in (self.section, SHARED, None):
            location = self._opts.get_location(key, group)
            if location is not None and (
                location.location.is_user_controlled or location.location is cfg.Locations.set_override
            ):
                return group
        return self.section

    def _read(self, key: str, group: str | None) -> Any:
        return self._opts[key] if group is None else self._opts[group][key]
