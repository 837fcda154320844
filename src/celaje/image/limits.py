"""Unified limits: what identity lets a project have of images, as oslo.limit reads it.

Asked for by the handlers before their transaction, compared with the rows in it (`quota.py`).
"""

import threading
from typing import Any

from celaje.common.clients.identity import IdentityClient
from celaje.common.errors import Unavailable

#: Resource -> what it counts. Sizes are in MiB.
RESOURCES = {
    "image_size_total": "MiB of data in all stores",
    "image_stage_total": "MiB of data in the staging area",
    "image_count_total": "images",
    "image_count_uploading": "images whose data is on its way",
}
UNLIMITED = -1


class Limits:
    """`enabled` False: identity is not asked, and nothing is limited here."""

    def __init__(self, identity: IdentityClient, *, enabled: bool):
        self.enabled = enabled
        self._identity = identity
        self._lock = threading.Lock()
        self._service_id: str | None = None

    def of(self, project_id: str | None) -> dict[str, int]:
        """Limits by resource: the project's own, else the registered one, else none at all is allowed (0);
        -1 is no limit."""
        if not self.enabled:
            return dict.fromkeys(RESOURCES, UNLIMITED)
        service_id = self._service()
        found = dict.fromkeys(RESOURCES, 0)
        registered = self._identity.registered_limits(service_id)
        own = self._identity.limits(service_id, project_id) if project_id else []
        for rows, key in ((registered, "default_limit"), (own, "resource_limit")):
            for row in rows:
                if row["resource_name"] in found:
                    found[row["resource_name"]] = row[key]
        return found

    def _service(self) -> str:
        with self._lock:
            if self._service_id is None:
                self._service_id = self._identity.service_id("image")
                if self._service_id is None:
                    raise Unavailable("Identity knows no image service, so it has no limits for one.")
            return self._service_id


def usage_of(limits: dict[str, int], used: dict[str, int]) -> dict[str, Any]:
    return {name: {"usage": used[name], "limit": limits[name]} for name in RESOURCES}
