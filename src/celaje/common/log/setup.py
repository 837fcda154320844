"""Logging set up from the configuration, once a process.

Called by the life cycle of a service and by the command line; hangs one handler on the root logger.
"""

import logging
import logging.handlers
import os
from typing import Any, TextIO

from celaje.common.errors import ConfigurationError
from celaje.common.log.lines import JsonLines, PlainLines
from celaje.common.log.mask import SecretFilter

# Libraries that say at INFO what a service's own log says better.
QUIET = (
    "sqlalchemy",
    "alembic",
    "urllib3",
    "requests",
    "keystoneauth",
    "oslo_config",
    "pika",
    "amqp",
    "granian",
)


def get(name: str) -> logging.Logger:
    """The logger of a module, always below `celaje`."""
    return logging.getLogger(name if name == "celaje" or name.startswith("celaje.") else f"celaje.{name}")


def setup(conf: Any, stream: TextIO | None = None) -> logging.Handler:
    """Log as `debug`, `log_file`, `log_dir` and `use_json` of `conf` say; `stream` goes before the file.

    Calling it again replaces what an earlier call set up and leaves other handlers alone. Raises
    ConfigurationError when the file cannot be opened.
    """
    handler = _handler(conf, stream)
    handler.set_name("celaje")
    handler.setFormatter(JsonLines() if conf.use_json else PlainLines())
    handler.addFilter(SecretFilter())
    root = logging.getLogger()
    for former in [each for each in root.handlers if each.get_name() == "celaje"]:
        root.removeHandler(former)
        former.close()
    # First in the row, so that handlers of others get records whose secrets are already masked.
    root.handlers.insert(0, handler)
    root.setLevel(logging.INFO)
    logging.getLogger("celaje").setLevel(logging.DEBUG if conf.debug else logging.INFO)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    return handler


def _handler(conf: Any, stream: TextIO | None) -> logging.Handler:
    if stream is not None or not conf.log_file:
        return logging.StreamHandler(stream)
    path = os.path.join(conf.log_dir or "", conf.log_file)
    try:
        # Watched: logrotate may move the file away under a running service.
        return logging.handlers.WatchedFileHandler(path, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"log_file {path}: {error.strerror}.") from error
