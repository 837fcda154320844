"""The identity service's public API, as the other services use it: who asks' catalog, and limits."""

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

    @operation
    def service_id(self, service_type: str) -> str | None:
        found = self.request("GET", "/v3/services", query={"type": service_type}).body["services"]
        return found[0]["id"] if found else None

    @operation
    def registered_limits(self, service_id: str) -> list[dict[str, Any]]:
        """[{"resource_name", "default_limit", "region_id"}]"""
        query = {"service_id": service_id}
        return self.request("GET", "/v3/registered_limits", query=query).body["registered_limits"]

    @operation
    def limits(self, service_id: str, project_id: str) -> list[dict[str, Any]]:
        """Those of one project: [{"resource_name", "resource_limit", "region_id"}]."""
        query = {"service_id": service_id, "project_id": project_id}
        return self.request("GET", "/v3/limits", query=query).body["limits"]
