"""The placement service's public API, as the other services' flows and handlers use it.

All of it acts as the service itself: `clients.placement.as_service()`. Every operation may be repeated.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from celaje.common.errors import Conflict, NotFound
from celaje.common.rest import RestClient
from celaje.common.rest.client import operation, part

Body = dict[str, Any]
T = TypeVar("T")

# How often a change is tried again after somebody else's came first.
_ATTEMPTS = 5


class PlacementClient(RestClient):
    service_type = "placement"
    # 1.38: claims with the consumer's generation and type.
    version = "1.38"

    @operation
    def ensure_provider(self, uuid: str, name: str, parent_uuid: str | None = None) -> Body:
        """The provider {"uuid", "name", "generation", ...}, made or renamed if need be. Raises Conflict when
        another provider has the name."""
        path = f"/resource_providers/{part(uuid)}"
        body = {"name": name, "parent_provider_uuid": parent_uuid}
        try:
            found = self.request("GET", path).body
        except NotFound:
            try:
                return self.request("POST", "/resource_providers", body={"uuid": uuid, **body}).body
            except Conflict:
                # Another worker's flow may have made it just now; if it is the name that is taken, the
                # look below says so.
                found = self._after_conflict(path, name)
        if found["name"] == name:
            return found
        return self.request("PUT", path, body={"name": name}).body

    def _after_conflict(self, path: str, name: str) -> Body:
        try:
            return self.request("GET", path).body
        except NotFound:
            raise Conflict(f"Another resource provider has the name {name}.") from None

    @operation
    def remove_provider(self, uuid: str) -> None:
        """One that is gone is no error. Raises Conflict while something is allocated of it."""
        try:
            self.request("DELETE", f"/resource_providers/{part(uuid)}")
        except NotFound:
            return

    @operation
    def set_inventory(self, uuid: str, inventories: Mapping[str, Mapping[str, Any]]) -> Body:
        """Make `inventories` (class -> {"total", and where they are not the defaults "reserved",
        "min_unit", "max_unit", "step_size", "allocation_ratio"}) all that the provider has. Custom classes
        are made as needed. Raises Conflict for a class that is in use and would go."""
        path = f"/resource_providers/{part(uuid)}/inventories"
        self._ensure_each("resource_classes", inventories)

        def change() -> Body:
            found = self.request("GET", path).body
            if _same(found["inventories"], inventories):
                return found
            body = {
                "resource_provider_generation": found["resource_provider_generation"],
                "inventories": inventories,
            }
            return self.request("PUT", path, body=body).body

        return _again(change)

    @operation
    def set_traits(self, uuid: str, traits: Iterable[str]) -> None:
        """Make `traits` all that the provider has; custom ones are made as needed."""
        path = f"/resource_providers/{part(uuid)}/traits"
        wanted = sorted(set(traits))
        self._ensure_each("traits", wanted)

        def change() -> None:
            found = self.request("GET", path).body
            if sorted(found["traits"]) == wanted:
                return
            generation = found["resource_provider_generation"]
            self.request("PUT", path, body={"resource_provider_generation": generation, "traits": wanted})

        _again(change)

    @operation
    def set_aggregates(self, uuid: str, aggregates: Iterable[str]) -> None:
        """Make `aggregates` (uuids) all that the provider is in."""
        path = f"/resource_providers/{part(uuid)}/aggregates"
        wanted = sorted(set(aggregates))

        def change() -> None:
            found = self.request("GET", path).body
            if sorted(found["aggregates"]) == wanted:
                return
            generation = found["resource_provider_generation"]
            self.request("PUT", path, body={"resource_provider_generation": generation, "aggregates": wanted})

        _again(change)

    @operation
    def claim(  # noqa: PLR0917
        self,
        consumer_uuid: str,
        provider_uuid: str,
        resources: Mapping[str, int],
        project_id: str,
        user_id: str,
        consumer_type: str = "INSTANCE",
    ) -> None:
        """Let the consumer have exactly `resources` (class -> amount) of the provider, in place of whatever
        it had. Amounts of 0 are left out. Raises Conflict when the provider cannot give them."""
        wanted = {name: amount for name, amount in resources.items() if amount > 0}
        body: Body = {
            "allocations": {provider_uuid: {"resources": wanted}} if wanted else {},
            "project_id": project_id,
            "user_id": user_id,
            "consumer_generation": None,
            "consumer_type": consumer_type,
        }
        path = f"/allocations/{part(consumer_uuid)}"

        def put(generation: int | None) -> None:
            self.request("PUT", path, body={**body, "consumer_generation": generation})

        try:
            # The usual case, a consumer that has nothing, is one request.
            put(None)
        except Conflict:
            found = self.request("GET", path).body
            if not found["allocations"]:
                raise
            has = {uuid: one["resources"] for uuid, one in found["allocations"].items()}
            if has == ({provider_uuid: wanted} if wanted else {}):
                return
            put(found["consumer_generation"])

    @operation
    def release(self, consumer_uuid: str) -> None:
        """Give back all that the consumer has. Nothing to give back is no error."""
        try:
            self.request("DELETE", f"/allocations/{part(consumer_uuid)}")
        except NotFound:
            return

    @operation
    def usages(self, provider_uuid: str) -> dict[str, int]:
        """Class -> amount used of the provider."""
        return self.request("GET", f"/resource_providers/{part(provider_uuid)}/usages").body["usages"]

    def allocations(self, consumer_uuid: str) -> dict[str, dict[str, int]]:
        """Provider uuid -> class -> amount that the consumer has."""
        found = self.request("GET", f"/allocations/{part(consumer_uuid)}").body["allocations"]
        return {uuid: one["resources"] for uuid, one in found.items()}

    def provider_allocations(self, provider_uuid: str) -> dict[str, dict[str, int]]:
        """Consumer uuid -> class -> amount that it has of the provider."""
        path = f"/resource_providers/{part(provider_uuid)}/allocations"
        found = self.request("GET", path).body["allocations"]
        return {uuid: one["resources"] for uuid, one in found.items()}

    def _ensure_each(self, collection: str, names: Iterable[str]) -> None:
        for name in names:
            if name.startswith("CUSTOM_"):
                self.request("PUT", f"/{collection}/{part(name)}")


def _again(change: Callable[[], T]) -> T:
    """Read and write until no other writer came between."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return change()
        except Conflict as conflict:
            if "in use" in conflict.message:
                raise
    return change()


def _same(found: Mapping[str, Mapping[str, Any]], wanted: Mapping[str, Mapping[str, Any]]) -> bool:
    return found.keys() == wanted.keys() and all(
        found[name].get(key) == value for name, record in wanted.items() for key, value in record.items()
    )
