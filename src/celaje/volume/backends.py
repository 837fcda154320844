"""From `enabled_backends` to drivers: which sections there are, and what class drives each.

Called by the service when it starts its workers. `volume_driver` is a short name or a class's dotted path.
"""

import importlib
from pathlib import Path
from typing import Any

from celaje.common.conf import Configuration
from celaje.common.errors import ConfigurationError
from celaje.volume.conf import BACKEND_OPTIONS
from celaje.volume.drivers.base import VolumeDriver

NAMES = {
    "file": "celaje.volume.drivers.file.FileDriver",
    "nbd": "celaje.volume.drivers.nbd.NbdDriver",
    "iscsi": "celaje.volume.drivers.iscsi.IscsiDriver",
    "rbd": "celaje.volume.drivers.rbd.RbdDriver",
    "fake": "celaje.volume.drivers.fake.FakeDriver",
}
# What a cloud has that names no back end.
DEFAULT = "local"


def enabled(conf: Configuration) -> list[str]:
    return list(conf.enabled_backends) or [DEFAULT]


def open_driver(conf: Configuration, section: str, state: Path) -> tuple[VolumeDriver, Any]:
    """The section's driver, ready, and its options. Raises ConfigurationError."""
    cls, options = declared(conf, section)
    if "volumes_dir" in options and not options.volumes_dir:
        conf.set(section, "volumes_dir", str(state / "volumes" / section))
    if "image_conversion_dir" in options and not options.image_conversion_dir:
        conf.set(section, "image_conversion_dir", str(state / "conversion" / section))
    driver = cls(options, backend=section, host=options.backend_host or conf.host)
    driver.check_for_setup_error()
    return driver, options


def declared(conf: Configuration, section: str) -> tuple[type[VolumeDriver], Any]:
    """The section's driver class and its options, nothing opened. Raises ConfigurationError."""
    cls = driver_class(conf.backend(section, BACKEND_OPTIONS).volume_driver, section)
    return cls, conf.backend(section, [*BACKEND_OPTIONS, *cls.options])


def backend_options() -> list[Any]:
    """Every option that a back end's section may hold, whichever driver it names."""
    options: list[Any] = list(BACKEND_OPTIONS)
    for name in NAMES:
        options += driver_class(name, name).options
    return options


def driver_class(name: str, section: str) -> type[VolumeDriver]:
    path = NAMES.get(name, name)
    module, _, attribute = path.rpartition(".")
    try:
        cls = getattr(importlib.import_module(module), attribute) if module else None
    except (ImportError, AttributeError):
        cls = None
    if not (isinstance(cls, type) and issubclass(cls, VolumeDriver)):
        known = ", ".join(NAMES)
        raise ConfigurationError(
            f"[{section}] volume_driver: {name} is neither one of {known} nor the dotted path of a driver."
        )
    return cls
