"""Moments that clients send: ISO 8601, in UTC unless they say otherwise, and not past."""

import datetime

from celaje.common import clock
from celaje.identity.errors import Invalid


def future(text: str | None, field: str = "expires_at") -> datetime.datetime | None:
    """Raises Invalid for what is no moment or has been."""
    if text is None:
        return None
    try:
        found = datetime.datetime.fromisoformat(text)
        if found.tzinfo is not None:
            found = found.astimezone(datetime.UTC).replace(tzinfo=None)
    except (ValueError, OverflowError) as error:
        raise Invalid(
            f"Invalid input for field '{field}': {text[:40]!r} is not a 'date-time'. It must be in ISO 8601 "
            "extended format, such as 2030-01-01T00:00:00.000000Z."
        ) from error
    if found <= clock.now():
        raise Invalid(f"Invalid input for field '{field}': {text[:40]} is in the past.")
    return found
