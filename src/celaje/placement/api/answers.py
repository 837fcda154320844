"""Answers as placement gives them: with the time of the last change, never to be cached. Used by every
handler that has a body."""

import datetime
from email.utils import format_datetime
from typing import Any

from celaje.common import clock
from celaje.common.wsgi import Request, Response


def fresh(
    request: Request,
    body: Any,
    changed: datetime.datetime | None = None,
    *,
    status: int | None = None,
    location: str | None = None,
) -> Response:
    """`changed`: the newest change among what is shown; None when the rows do not tell."""
    headers = {"Location": location} if location else {}
    if request.at_least(1, 15):
        moment = (changed or clock.now()).replace(tzinfo=datetime.UTC, microsecond=0)
        headers["Last-Modified"] = format_datetime(moment, usegmt=True)
        headers["Cache-Control"] = "no-cache"
    return Response(body, status=status, headers=headers)


def path(request: Request, *parts: str) -> str:
    """A link to a resource. Placement gives paths, below its mount point, not URLs."""
    return "/".join([request.http.root_path, *parts])
