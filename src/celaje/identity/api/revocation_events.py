"""GET /v3/OS-REVOKE/events: what other processes read to close the gap of a lost message."""

import datetime
from typing import Any

from celaje.common.errors import Invalid
from celaje.common.tokens import seconds
from celaje.common.wsgi import Request
from celaje.identity import revoking
from celaje.identity.api import views


def index(request: Request) -> dict[str, Any]:
    """`since`: only events from that time on."""
    text = request.query.get("since")
    since = 0.0
    if text:
        try:
            since = seconds(datetime.datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=None))
        except ValueError as error:
            raise Invalid(f"invalid date format {text[:40]}") from error
    events = request.service.database.read(revoking.events_since, since)
    return views.collection(request, "events", events)
