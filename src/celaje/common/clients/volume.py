"""The volume service's public API, as the other services' flows and handlers use it."""

import contextlib
from typing import Any

from celaje.common import clock, context
from celaje.common.errors import Conflict, Invalid, NotFound, Unavailable
from celaje.common.rest import RestClient
from celaje.common.rest.client import operation, part

Body = dict[str, Any]

# How often and how long one step looks at a volume before it lets the flow sleep.
_LOOK_EVERY = 0.02
_LOOK_FOR = 2.0


class VolumeStillPassing(Unavailable):
    text = "Volume {volume} is still {status}."


class VolumeUnusable(Conflict):
    text = "Volume {volume} is {status}, not {wanted}."


class VolumeClient(RestClient):
    service_type = "volume"
    # 3.48: attachments with mode and connector in one; 3.71 the completion of an extension.
    version = "3.71"

    def volume(self, volume_id: str) -> Body:
        return self.request("GET", f"/v3/volumes/{part(volume_id)}").body["volume"]

    def snapshot(self, snapshot_id: str) -> Body:
        return self.request("GET", f"/v3/snapshots/{part(snapshot_id)}").body["snapshot"]

    @operation
    def create_volume(self, volume: Body) -> Body:
        """Make a volume, or find the one of this name that an earlier try made. Names are the caller's, and
        unique."""
        if _repeated():
            query = {"name": volume["name"]}
            found = self.request("GET", "/v3/volumes/detail", query=query).body["volumes"]
            if found:
                return found[0]
        return self.request("POST", "/v3/volumes", body={"volume": volume}).body["volume"]

    @operation
    def await_volume(self, volume_id: str, wanted: str, only: str | None = None) -> Body:
        """The volume once it has the status `wanted`. Raises VolumeUnusable when it ends elsewhere, and
        VolumeStillPassing (the flow waits) when it takes its time. `only`: the name by which it was made. Two
        conductors at once may have made two, since Cinder takes no key that would forbid it."""
        end = clock.monotonic() + _LOOK_FOR
        while True:
            volume = self.volume(volume_id)
            status = volume["status"]
            if status == wanted:
                if only is not None and _repeated():
                    self._delete_named(only, but=volume_id)
                return volume
            if not status.endswith("ing") and status != "reserved":
                raise VolumeUnusable(volume=volume_id, status=status, wanted=wanted)
            if clock.monotonic() >= end:
                raise VolumeStillPassing(volume=volume_id, status=status)
            clock.sleep(_LOOK_EVERY)

    @operation
    def delete_volume(self, volume_id: str) -> None:
        """A volume that is gone is no error."""
        try:
            self.request("DELETE", f"/v3/volumes/{part(volume_id)}")
        except NotFound:
            return

    @operation
    def delete_volume_named(self, name: str) -> None:
        """Delete what `create_volume` may have made; nothing to do when it has not."""
        self._delete_named(name)

    def _delete_named(self, name: str, but: str | None = None) -> None:
        for volume in self.request("GET", "/v3/volumes/detail", query={"name": name}).body["volumes"]:
            if volume["id"] == but:
                continue
            if but is not None and volume["status"] == "creating":
                raise VolumeStillPassing(volume=volume["id"], status=volume["status"])
            self.delete_volume(volume["id"])

    @operation
    def create_attachment(self, volume_id: str, server_id: str, connector: Body | None = None) -> Body:
        """Reserve the volume for the server (and connect it, with a connector), or find the attachment that
        an earlier try made."""
        if _repeated():
            found = self._attachments(volume_id, server_id)
            if found:
                return found[0]
        body: Body = {"volume_uuid": volume_id, "instance_uuid": server_id}
        if connector is not None:
            body["connector"] = connector
        return self.request("POST", "/v3/attachments", body={"attachment": body}).body["attachment"]

    @operation
    def update_attachment(self, attachment_id: str, connector: Body) -> Body:
        """Connect: the answer has connection_info."""
        answer = self.request(
            "PUT", f"/v3/attachments/{part(attachment_id)}", body={"attachment": {"connector": connector}}
        )
        return answer.body["attachment"]

    def passphrase(self, attachment_id: str) -> str:
        """What opens an encrypted volume that is connected; for the service itself only."""
        path = f"/v3/attachments/{part(attachment_id)}/encryption"
        return self.request("GET", path).body["encryption"]["passphrase"]

    @operation
    def complete_attachment(self, attachment_id: str) -> None:
        """The volume is plugged: it becomes in-use."""
        self.request("POST", f"/v3/attachments/{part(attachment_id)}/action", body={"os-complete": {}})

    @operation
    def delete_attachment(self, attachment_id: str) -> bool:
        """Whether it was there; one that is gone is no error."""
        try:
            self.request("DELETE", f"/v3/attachments/{part(attachment_id)}")
        except NotFound:
            return False
        return True

    @operation
    def delete_attachments_of(self, volume_id: str, server_id: str) -> None:
        """Take back what `create_attachment` may have made."""
        for attachment in self._attachments(volume_id, server_id):
            self.delete_attachment(attachment["id"])

    @operation
    def begin_detaching(self, volume_id: str, attachment_id: str | None = None) -> None:
        """in-use -> detaching, so that nobody else begins; again is no error. Nor is an attachment that is
        gone, by os-force_detach: then there is nothing to begin."""
        try:
            self._action(volume_id, {"os-begin_detaching": None})
        except (Conflict, Invalid, NotFound):
            if attachment_id is not None and not self._has_attachment(attachment_id):
                return
            if self.volume(volume_id)["status"] != "detaching":
                raise

    def _has_attachment(self, attachment_id: str) -> bool:
        try:
            self.request("GET", f"/v3/attachments/{part(attachment_id)}")
        except NotFound:
            return False
        return True

    @operation
    def roll_detaching(self, volume_id: str) -> None:
        """What its attachments say is its state again; a volume that is gone is no error."""
        with contextlib.suppress(NotFound):
            self._action(volume_id, {"os-roll_detaching": None})

    @operation
    def size_to_reach(self, volume_id: str) -> int:
        """GiB that the volume has, or that its extension in progress leads to."""
        volume = self.volume(volume_id)
        asked = (volume.get("metadata") or {}).get("extend_new_size")
        return max(int(asked or 0), volume["size"])

    @operation
    def complete_extend(self, volume_id: str, error: bool) -> None:
        """Tell that the server sees the volume's new size, or that it could not be shown. A back end that
        extends by itself waits for nobody: then there is nothing to tell."""
        try:
            self._action(volume_id, {"os-extend_volume_completion": {"error": error}})
        except Invalid:
            if self.volume(volume_id)["status"] == "extending":
                raise

    @operation
    def report_copy(self, copy_id: str, error: bool) -> None:
        """Tell that the copy of an attached volume is there, or that it came to nothing. When nobody waits
        for it any more there is nothing to tell."""
        told = {"status": "error"} if error else {"status": "creating", "progress": "90%"}
        path = f"/v3/snapshots/{part(copy_id)}/action"
        try:
            self.request("POST", path, body={"os-update_snapshot_status": told})
        except (NotFound, Invalid):
            return

    @operation
    def complete_migration(self, volume_id: str, new_volume_id: str, error: bool) -> None:
        """Tell that a server uses the data of `new_volume_id` in the place of the volume's, or that it came
        to nothing: when nobody waits for that any more there is nothing to tell. A success that is refused
        raises the refusal, unless an earlier try had it."""
        told = {"new_volume": new_volume_id, "error": error}
        try:
            self._action(volume_id, {"os-migrate_volume_completion": told})
        except (NotFound, Invalid, Conflict):
            if not error and self.volume(volume_id)["os-vol-mig-status-attr:name_id"] != new_volume_id:
                raise

    def _action(self, volume_id: str, body: Body) -> None:
        self.request("POST", f"/v3/volumes/{part(volume_id)}/action", body=body)

    def _attachments(self, volume_id: str, server_id: str) -> list[Body]:
        # Of whatever project, for those who see all: the service itself asks, too.
        query = {"volume_id": volume_id, "instance_id": server_id, "all_tenants": "true"}
        return self.request("GET", "/v3/attachments", query=query).body["attachments"]


def _repeated() -> bool:
    """Whether this step may have been done before: only then is it worth looking."""
    step = context.current().step
    return step is not None and step.attempt > 1
