"""Levels of this process's loggers, read and set while it runs.

Called where a service lets its operators ask for them (volume's `os-services/get-log`).
"""

import logging

from celaje.common.errors import Invalid

NAMES = ("INFO", "WARNING", "ERROR", "DEBUG")
# Loggers of libraries stay as they were set at start: at DEBUG some of them write what passes through.
_OURS = "celaje"


def levels(prefix: str = "") -> dict[str, str]:
    """{logger: level in force} of those whose names begin with `prefix`."""
    return {name: logging.getLevelName(logger.getEffectiveLevel()) for name, logger in _matching(prefix)}


def set_level(prefix: str, level: str) -> None:
    """`level` is one of NAMES in any case. Raises Invalid."""
    name = level.upper()
    if name not in NAMES:
        raise Invalid(f"Invalid input received: {level} is not a valid log level.")
    for _, logger in _matching(prefix):
        logger.setLevel(name)


def _matching(prefix: str) -> list[tuple[str, logging.Logger]]:
    known = sorted(logging.root.manager.loggerDict.items())
    return [
        (name, logger)
        for name, logger in known
        if isinstance(logger, logging.Logger)
        and (name == _OURS or name.startswith(f"{_OURS}."))
        and name.startswith(prefix)
    ]
