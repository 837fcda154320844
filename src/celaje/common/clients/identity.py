"""The identity service's public API, as the other services use it: the catalog of who asks."""

from typing import Any

from celaje.common.rest import RestClient
from celaje.common.rest.client import operation


class IdentityClient(RestClient):
    service_type = "identity"

    @operation
    def catalog(self) -> list[dict[str, Any]]:
        """Of the current user's token: [{"type", "endpoints": [{"interface", "region_id", "url"}]}]."""
        return self.request("GET", "/v3/auth/catalog").body["catalog"]

    @operation
    def endpoint(self, service_type: str, region: str, interface: str) -> str | None:
        for service in self.catalog():
            if service["type"] != service_type:
                continue
            for found in service["endpoints"]:
                if found["interface"] == interface and region in (found["region_id"], found.get("region")):
                    return found["url"]
        return None
