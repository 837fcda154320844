"""Levels of the loggers of a process, asked by message: scheduler and workers derive from both classes.

Its API asks on behalf of an operator (volume's `os-services/get-log` and `set-log`).
"""

from celaje.common.log import levels
from celaje.common.messaging.table import Messages, call


class LogMessages(Messages):
    """What an operator asks of one process, whichever part of the service runs in it."""

    topic = "log-levels"

    @call(timeout="rpc_response_timeout")
    def get_log_levels(self, prefix: str) -> dict[str, str]:
        """{logger: level} of the loggers whose names begin with `prefix`."""
        raise NotImplementedError

    @call(timeout="rpc_response_timeout")
    def set_log_levels(self, prefix: str, level: str) -> None:
        """Until the process ends."""


class LogLevels:
    """The endpoint's part."""

    def get_log_levels(self, prefix: str) -> dict[str, str]:
        return levels.levels(prefix)

    def set_log_levels(self, prefix: str, level: str) -> None:
        levels.set_level(prefix, level)
