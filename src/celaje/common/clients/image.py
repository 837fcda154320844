"""The image service's public API, as the other services' flows, handlers and workers use it."""

from collections.abc import Iterable, Mapping
from typing import Any

from celaje.common.errors import Conflict, Forbidden, NotFound, Unavailable
from celaje.common.rest import RestClient, operation
from celaje.common.rest.client import part

_PATCH = "application/openstack-images-v2.1-json-patch"


class ImageClient(RestClient):
    """Images are dictionaries as the API shows them."""

    service_type = "image"

    @operation
    def show(self, image_id: str) -> dict[str, Any]:
        """Raises NotFound also for an image that the user may not see."""
        return self.request("GET", _path(image_id)).body

    @operation
    def find(self, **filters: Any) -> list[dict[str, Any]]:
        """The first page of those that `filters` (of GET /v2/images) leave."""
        return self.request("GET", "/v2/images", query=filters).body["images"]

    @operation
    def properties_of(self, image_ids: list[str], names: list[str]) -> dict[str, dict[str, Any]]:
        """Of those of the images that there are, by id, the properties of these names. An administrator's
        question; no more than the images of one page."""
        found = {}
        for hidden in ("false", "true"):
            query = {"id": f"in:{','.join(image_ids)}", "visibility": "all", "os_hidden": hidden}
            for image in self.find(**query, limit=len(image_ids)):
                found[image["id"]] = {name: image[name] for name in names if name in image}
        return found

    @operation
    def create(self, image: Mapping[str, Any]) -> dict[str, Any]:
        """Register an image. Give it an `id` (run.new_uuid()): a repetition finds it by that."""
        try:
            return self.request("POST", "/v2/images", body=dict(image)).body
        except Conflict:
            if not image.get("id"):
                raise
            return self.show(image["id"])

    @operation
    def update(self, image_id: str, changes: list[dict[str, Any]]) -> dict[str, Any]:
        """`changes` are operations of a JSON patch: {"op": "add", "path": "/name", "value": ...}."""
        return self.request("PATCH", _path(image_id), body=changes, headers={"Content-Type": _PATCH}).body

    def upload(self, image_id: str, chunks: Iterable[bytes], size: int | None = None) -> None:
        """Send the data; nothing happens when the image has it already. For workers: chunks are no JSON.
        `size` in bytes, wherever it is known: over HTTP it tells a stream that broke off from one that ended.
        Raises Unavailable while an earlier attempt still holds the image."""
        headers = {"Content-Type": "application/octet-stream"}
        if size is not None:
            headers["X-OpenStack-Image-Size"] = str(size)
        try:
            self.request("PUT", f"{_path(image_id)}/file", headers=headers, stream=chunks)
        except Conflict:
            status = self.show(image_id)["status"]
            if status in ("saving", "importing"):
                raise Unavailable(f"Image {image_id} is still being written ({status}).") from None
            if status != "active":
                raise

    @operation
    def delete(self, image_id: str) -> None:
        """Nothing happens when it is gone."""
        try:
            self.request("DELETE", _path(image_id))
        except NotFound:
            return

    @operation
    def locations(self, image_id: str) -> list[dict[str, Any]]:
        """Where the data lies: [{"url": "file:///...", "metadata": {...}}]. For services only, so call it on
        `as_service()`; empty for whom the rule fetch_image_location does not allow it."""
        try:
            return self.request("GET", f"{_path(image_id)}/locations").body or []
        except (Forbidden, NotFound):
            return []

    def download_file(self, image_id: str) -> tuple[dict[str, str], Iterable[bytes]]:
        """Headers and the data in chunks as they come."""
        return self.download(f"{_path(image_id)}/file")

    def read(self, image_id: str) -> Iterable[bytes]:
        """The data in chunks as they come. For workers, which fetch through `common/image_cache.py`."""
        return self.download_file(image_id)[1]


def _path(image_id: str) -> str:
    return f"/v2/images/{part(image_id)}"
