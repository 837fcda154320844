"""The microversions, one line each on what they changed, and the discovery documents.

Numbers and meaning as in Cinder's REST API version history.
"""

from typing import Any

from celaje.common.wsgi import Response
from celaje.common.wsgi.request import Request
from celaje.common.wsgi.versions import Versions, render

HISTORY = {
    (3, 0): "all of v2, with microversions",
    (3, 1): "upload to image takes visibility and protected",
    (3, 2): "the bootable filter takes true and false only",
    (3, 3): "user messages",
    (3, 4): "volumes can be filtered by glance_metadata",
    (3, 5): "messages have pages and sorting",
    (3, 6): "a consistency group's name and description can be emptied",
    (3, 7): "clusters; cluster in the service list",
    (3, 8): "managing existing volumes and snapshots",
    (3, 9): "backups can be updated",
    (3, 10): "volumes can be filtered by group_id",
    (3, 11): "group types and their specs",
    (3, 12): "summary of volumes",
    (3, 13): "generic volume groups; group_id of a volume",
    (3, 14): "group snapshots; group_snapshot_id of a snapshot",
    (3, 15): "ETag with volume metadata",
    (3, 16): "migration to a cluster",
    (3, 17): "manageable lists take a cluster",
    (3, 18): "project of a backup for administrators",
    (3, 19): "reset_status of group snapshots",
    (3, 20): "reset_status of groups",
    (3, 21): "provider_id of a volume for administrators",
    (3, 22): "snapshots can be filtered by metadata",
    (3, 23): "deleting a volume takes force",
    (3, 24): "clean-up of workers",
    (3, 25): "volumes in groups' answers",
    (3, 26): "failover of clusters",
    (3, 27): "attachments",
    (3, 28): "get_pools takes filters",
    (3, 29): "filters, sorting and pages for group snapshots",
    (3, 30): "snapshots can be sorted by name",
    (3, 31): "an unknown filter is refused",
    (3, 32): "log levels of services",
    (3, 33): "resource_filters tells which filters there are",
    (3, 34): "filters with ~ match a part",
    (3, 35): "get_pools can be filtered by volume type",
    (3, 36): "metadata in the summary of volumes",
    (3, 37): "backups can be sorted by name",
    (3, 38): "replication of groups",
    (3, 39): "limits of another project for administrators",
    (3, 40): "revert to the latest snapshot",
    (3, 41): "user_id of a snapshot",
    (3, 42): "a volume in use can be extended",
    (3, 43): "metadata of backups",
    (3, 44): "an attachment can be completed",
    (3, 45): "lists take with_count",
    (3, 46): "volumes from the compute service's volume-backed images",
    (3, 47): "volumes from backups",
    (3, 48): "shared_targets and service_uuid of a volume",
    (3, 49): "state of the back end in the service list",
    (3, 50): "multiattach",
    (3, 51): "backups in another zone",
    (3, 52): "types tell availability zones; filter by extra_specs",
    (3, 53): "bodies are held to their schemas",
    (3, 54): "attach mode of an attachment",
    (3, 55): "a transfer may take the snapshots along",
    (3, 56): "user_id of a backup",
    (3, 57): "projects of a transfer",
    (3, 58): "project_id of groups",
    (3, 59): "pages of transfers",
    (3, 60): "volumes can be filtered by created_at and updated_at",
    (3, 61): "cluster_name of a volume for administrators",
    (3, 62): "default types of projects",
    (3, 63): "volume_type_id of a volume",
    (3, 64): "encryption_key_id of volumes and backups",
    (3, 65): "consumes_quota of volumes and snapshots",
    (3, 66): "snapshots of volumes in use need no force",
    (3, 67): "URLs need no project id",
    (3, 68): "a volume can be written anew from an image",
    (3, 69): "shared_targets may be null",
    (3, 70): "encrypted volumes can be transferred",
    (3, 71): "os-extend_volume_completion",
}

VERSIONS = Versions("volume", HISTORY)

_UPDATED = "2023-08-31T00:00:00Z"


def _document(request: Request) -> dict[str, Any]:
    version = {
        "id": "v3.0",
        "status": "CURRENT",
        "version": render(VERSIONS.maximum),
        "min_version": render(VERSIONS.minimum),
        "updated": _UPDATED,
        "links": [
            {"rel": "describedby", "type": "text/html", "href": "https://docs.openstack.org/"},
            {"rel": "self", "href": f"{request.base_url}/v3/"},
        ],
        "media-types": [
            {"base": "application/json", "type": "application/vnd.openstack.volume+json;version=3"}
        ],
    }
    return {"versions": [version]}


def show_all(request: Request) -> Response:
    return Response(_document(request), status=300)


def show_v3(request: Request, **_: str) -> dict[str, Any]:
    return _document(request)
