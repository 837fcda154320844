"""The microversions of the compute API, one line each, and the documents by which clients find them."""

from typing import Any

from celaje.common.wsgi import Request, Versions
from celaje.common.wsgi.versions import render

HISTORY: dict[tuple[int, int], str] = {
    (2, 1): "the base",
    (2, 2): "key pairs have a type; create answers 201, delete 204",
    (2, 3): "more extended server attributes: hostname, root_device_name, user_data ...",
    (2, 4): "reserved (fixed ips)",
    (2, 5): "servers can be searched by ip6 by everybody",
    (2, 6): "remote-consoles replaces the get-console actions",
    (2, 7): "tenant access is refused for public flavors",
    (2, 8): "mks console",
    (2, 9): "servers show locked",
    (2, 10): "administrators name a user for key pairs",
    (2, 11): "services can be forced down",
    (2, 12): "reserved (networks)",
    (2, 13): "server groups show project_id and user_id",
    (2, 14): "evacuate without onSharedStorage; the password is not returned",
    (2, 15): "soft-affinity and soft-anti-affinity groups",
    (2, 16): "servers show host_status",
    (2, 17): "action trigger_crash_dump",
    (2, 18): "project_id in URLs is optional",
    (2, 19): "servers have a description",
    (2, 20): "volumes attach to and detach from shelved servers",
    (2, 21): "instance actions of deleted servers",
    (2, 22): "force_complete of a live migration",
    (2, 23): "migrations of one server; migration_type and links",
    (2, 24): "a live migration can be aborted",
    (2, 25): "block_migration auto; no disk_over_commit",
    (2, 26): "server tags",
    (2, 27): "the header OpenStack-API-Version",
    (2, 28): "hypervisors' cpu_info is an object",
    (2, 29): "evacuate with force",
    (2, 30): "live migration with force",
    (2, 31): "reserved (console)",
    (2, 32): "tags on devices at server creation",
    (2, 33): "pages of hypervisors",
    (2, 34): "live migration checks asynchronously",
    (2, 35): "pages of key pairs",
    (2, 36): "proxies to the image, network and volume services are gone",
    (2, 37): "networks auto and none; required at creation",
    (2, 38): "an unknown status filter is refused",
    (2, 39): "no image metadata in limits",
    (2, 40): "pages of usage",
    (2, 41): "aggregates have a uuid",
    (2, 42): "tags on devices are back",
    (2, 43): "reserved (proxies)",
    (2, 44): "proxies of fixed ips and virtual interfaces are gone",
    (2, 45): "createImage answers image_id in a body",
    (2, 46): "header X-Openstack-Request-Id",
    (2, 47): "servers embed their flavor",
    (2, 48): "diagnostics in one form",
    (2, 49): "tags on devices at attachment",
    (2, 50): "quota class sets show server groups",
    (2, 51): "volume-extended event; events of actions for users",
    (2, 52): "tags at server creation",
    (2, 53): "services and hypervisors by uuid",
    (2, 54): "rebuild can change the key pair",
    (2, 55): "flavors have a description",
    (2, 56): "migrate to a named host",
    (2, 57): "rebuild takes user_data; personality files are gone",
    (2, 58): "pages of instance actions; updated_at",
    (2, 59): "pages of migrations",
    (2, 60): "volumes for several servers",
    (2, 61): "flavors show extra specs",
    (2, 62): "instance actions' events show host and hostId",
    (2, 63): "trusted image certificates",
    (2, 64): "server groups have a policy and rules",
    (2, 65): "a queued live migration can be aborted",
    (2, 66): "changes-before",
    (2, 67): "volume types of block devices",
    (2, 68): "no force in evacuate and live migration",
    (2, 69): "servers of unreachable cells in lists",
    (2, 70): "attachments and interfaces show their tag",
    (2, 71): "servers show their groups",
    (2, 72): "ports with a resource request",
    (2, 73): "lock with a reason",
    (2, 74): "create on a named host",
    (2, 75): "unknown query parameters are refused; update answers all keys",
    (2, 76): "power-update event",
    (2, 77): "unshelve to a zone",
    (2, 78): "server topology",
    (2, 79): "attachments show delete_on_termination",
    (2, 80): "migrations show user and project",
    (2, 81): "images are cached by aggregate",
    (2, 82): "accelerator-request-bound event",
    (2, 83): "users filter by what only administrators could",
    (2, 84): "action events have details",
    (2, 85): "an attachment's delete_on_termination can be changed",
    (2, 86): "flavors' extra specs are checked",
    (2, 87): "rescue of servers that boot from a volume",
    (2, 88): "hypervisors without usage; uptime inside",
    (2, 89): "attachments show attachment_id and bdm_uuid",
    (2, 90): "hostname at creation and for users",
    (2, 91): "unshelve to a host",
    (2, 92): "key pairs need a public key; @ and . in names",
    (2, 93): "rebuild of servers that boot from a volume",
    (2, 94): "fully qualified hostnames",
    (2, 95): "an evacuated server stays stopped",
    (2, 96): "servers show the zone they are pinned to",
    (2, 97): "shares of the file service",
    (2, 98): "servers show the properties of their image",
    (2, 99): "spice-direct consoles",
    (2, 100): "servers show their scheduler hints",
    (2, 101): "attaching a volume is answered at once",
    (2, 102): "flavors filter by name; unknown query parameters are refused everywhere",
    (2, 103): "no os-volumes_boot",
    (2, 104): "update can pin a server to its zone and unpin it",
}


def versions() -> Versions:
    return Versions("compute", HISTORY, legacy_header="X-OpenStack-Nova-API-Version")


def _document(request: Request, with_media_types: bool) -> dict[str, Any]:
    known = request.api.versions
    document: dict[str, Any] = {
        "id": "v2.1",
        "status": "CURRENT",
        "version": render(known.maximum),
        "min_version": render(known.minimum),
        "updated": "2013-07-23T11:33:21Z",
        "links": [{"rel": "self", "href": f"{request.base_url}/v2.1/"}],
    }
    if with_media_types:
        document["links"].append(
            {"rel": "describedby", "type": "text/html", "href": "http://docs.openstack.org/"}
        )
        document["media-types"] = [
            {"base": "application/json", "type": "application/vnd.openstack.compute+json;version=2.1"}
        ]
    return document


def list_versions(request: Request) -> dict[str, Any]:
    return {"versions": [_document(request, False)]}


def show_version(request: Request) -> dict[str, Any]:
    return {"version": _document(request, True)}
