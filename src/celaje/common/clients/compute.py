"""The compute service's public API, as the other services' flows and handlers use it."""

from typing import Any

from celaje.common.errors import CelajeError, NotFound
from celaje.common.rest import RestClient, operation
from celaje.common.rest.client import part


class EventsRefused(CelajeError):
    """Compute took none of the events; `details['codes']` has its answer for each."""

    text = "The compute service refused the events: {codes}."


class ComputeClient(RestClient):
    service_type = "compute"

    @operation
    def server_external_events(
        self, events: list[dict[str, Any]], version: str = "2.51"
    ) -> list[dict[str, Any]]:
        """Tell compute of something that happened to servers: [{"name", "server_uuid", "tag"?, "status"?}].
        Returns the events with the code of each; a server that compute does not know (404) is left to the
        caller. Sending one twice is harmless."""
        answer = self.request(
            "POST", "/v2.1/os-server-external-events", body={"events": events}, version=version
        )
        return (answer.body or {}).get("events", [])

    @operation
    def volume_extended(self, server_ids: list[str], volume_id: str) -> list[dict[str, Any]]:
        """The servers' hosts make the volume larger in the guests; raises EventsRefused if none will."""
        told = self.server_external_events(
            [
                {"name": "volume-extended", "server_uuid": server_id, "tag": volume_id}
                for server_id in server_ids
            ]
        )
        if told and all(event.get("code", 200) >= 400 for event in told):
            raise EventsRefused(codes=", ".join(str(event.get("code")) for event in told))
        return told

    @operation
    def assist_snapshot(self, volume_id: str, copy_id: str, file: str, form: str) -> dict[str, Any]:
        """The host that has the volume open copies it, as it is now, into the empty `file` beside it, and
        says so by the snapshot action os-update_snapshot_status of `copy_id`. Again is harmless."""
        info = {"snapshot_id": copy_id, "type": form, "new_file": file}
        body = {"snapshot": {"volume_id": volume_id, "create_info": info}}
        answer = self.request("POST", "/v2.1/os-assisted-volume-snapshots", body=body)
        return dict(answer.body["snapshot"])

    @operation
    def swap_volume(self, server_id: str, volume_id: str, new_volume_id: str) -> None:
        """The server's host brings the data of an attached volume to the other, and says so by the volume
        action os-migrate_volume_completion. Again is harmless."""
        path = f"/v2.1/servers/{part(server_id)}/os-volume_attachments/{part(volume_id)}"
        self.request("PUT", path, body={"volumeAttachment": {"volumeId": new_volume_id}})

    @operation
    def server(self, server_id: str) -> dict[str, Any] | None:
        """The server in full, with what administrators see; None when there is none."""
        try:
            return dict(self.request("GET", f"/v2.1/servers/{part(server_id)}").body["server"])
        except NotFound:
            return None

    @operation
    def volume_attachment(self, server_id: str, volume_id: str) -> dict[str, Any] | None:
        """How a server uses a volume, {"attachment_id", "volumeId", "device", ...}; None when it does not,
        or is not there."""
        path = f"/v2.1/servers/{part(server_id)}/os-volume_attachments/{part(volume_id)}"
        try:
            answer = self.request("GET", path, version="2.89")
        except NotFound:
            return None
        return answer.body["volumeAttachment"]
