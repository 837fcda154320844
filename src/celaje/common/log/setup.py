"""Logging set up from the configuration, once a process.

Called by the life cycle of a service and by the command line; hangs one handler on the root logger.
"""

import logging
import logging.handlers
import os
import threading
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


def setup(conf: Any, stream: TextIO | None = None, *, also: TextIO | None = None) -> logging.Handler:
    """Log as `debug`, `log_file`, `log_dir`, `log_rotation_type` and `use_json` of `conf` say; `stream` goes
    before the file, `also` gets every line beside it.

    Calling it again replaces what an earlier call set up and leaves other handlers alone. Raises
    ConfigurationError when the file cannot be opened.
    """
    handlers = [_handler(conf, stream), *([logging.StreamHandler(also)] if also is not None else [])]
    root = logging.getLogger()
    for former in [each for each in root.handlers if each.get_name() == "celaje"]:
        root.removeHandler(former)
        former.close()
    for handler in handlers:
        handler.set_name("celaje")
        handler.setFormatter(JsonLines() if conf.use_json else PlainLines())
        handler.addFilter(SecretFilter())
    # First in the row, so that handlers of others get records whose secrets are already masked.
    root.handlers[:0] = handlers
    root.setLevel(logging.INFO)
    logging.getLogger("celaje").setLevel(logging.DEBUG if conf.debug else logging.INFO)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    return handlers[0]


def _handler(conf: Any, stream: TextIO | None) -> logging.Handler:
    if stream is not None or not conf.log_file:
        return logging.StreamHandler(stream)
    path = os.path.join(conf.log_dir or "", conf.log_file)
    try:
        if conf.log_rotation_type == "size":
            return BoundedFile(path, conf.max_logfile_size_mb << 20, conf.max_logfile_count)
        # Watched: logrotate may move the file away under a running service.
        return logging.handlers.WatchedFileHandler(path, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"log_file {path}: {error.strerror}.") from error


class BoundedFile(logging.handlers.RotatingFileHandler):
    """A file of at most `size` bytes and `count` older ones; for its owner only: it tells who asked what.

    Lines are written together, at most DELAY seconds late, warnings at once: a line of its own before each
    commit of a database on the same disk would have to be brought to the disk with it, which doubles what a
    small request costs.
    """

    DELAY = 0.2

    def __init__(self, path: str, size: int, count: int):
        super().__init__(path, maxBytes=size, backupCount=count, encoding="utf-8")
        self._written = os.path.getsize(path)
        self._waiting = threading.Event()
        self._ended = threading.Event()
        threading.Thread(target=self._write_out, name="log", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record) + "\n"
            if self._written and self._written + len(line) > self.maxBytes:
                self.doRollover()
                self._written = 0
            if self.stream is None:  # closed by a roll-over that failed
                self.stream = self._open()
            self.stream.write(line)
            self._written += len(line)
            if record.levelno >= logging.WARNING:
                self.flush()
            else:
                self._waiting.set()
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        self._ended.set()
        self._waiting.set()
        super().close()

    def _write_out(self) -> None:
        # Not by the clock in force: a cloud whose time stands still has a log to read all the same.
        while self._waiting.wait() and not self._ended.wait(self.DELAY):
            self._waiting.clear()
            self.flush()

    def _open(self) -> Any:
        return open(self.baseFilename, self.mode, encoding=self.encoding, opener=_for_the_owner)


def flush() -> None:
    """Write out what waits, before the process ends."""
    for handler in logging.getLogger().handlers:
        handler.flush()


def _for_the_owner(path: str, flags: int) -> int:
    opened = os.open(path, flags, 0o600)
    # One that is there already may be of an older version, which let others read it.
    os.fchmod(opened, 0o600)
    return opened
