"""How long to wait before the next attempt to reach a broker, by the operator's four options.

One for each link; the same arithmetic as the table of timeouts (`celaje timeouts`) tells.
"""

from celaje.common.messaging.rabbit.address import Settings


class Backoff:
    """`rabbit_retry_interval`, then longer by `rabbit_retry_backoff` each time up to `rabbit_interval_max`;
    over after `rabbit_max_retries` attempts unless that is 0."""

    def __init__(self, settings: Settings):
        self._settings = settings
        self.attempts = 0

    @property
    def exhausted(self) -> bool:
        return bool(self._settings.max_retries) and self.attempts >= self._settings.max_retries

    def failed(self) -> float:
        """Count a failed attempt; the seconds to wait before the next."""
        settings = self._settings
        wait = settings.retry_interval + self.attempts * settings.retry_backoff
        self.attempts += 1
        return min(wait, settings.interval_max)

    def succeeded(self) -> None:
        self.attempts = 0
