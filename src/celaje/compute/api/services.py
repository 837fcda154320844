"""Services: which schedulers, conductors and compute workers there are, up or down, enabled or not."""

import logging
from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.errors import CelajeError, Conflict, Invalid, NotFound
from celaje.common.wsgi import Request, Response
from celaje.compute.api.availability_zones import zone_of
from celaje.compute.api.inputs import as_boolean, check_query, closed
from celaje.compute.api.parameters import BOOLEAN, FQDN
from celaje.compute.db import aggregates, hypervisors

log = logging.getLogger(__name__)

Row = dict[str, Any]

_TEXT = {"type": "string", "minLength": 1, "maxLength": 255}
UPDATE = closed({"host": FQDN, "binary": _TEXT, "disabled_reason": _TEXT}, ["host", "binary"])
UPDATE_2_11 = closed(
    {"host": FQDN, "binary": _TEXT, "disabled_reason": _TEXT, "forced_down": BOOLEAN}, ["host", "binary"]
)
UPDATE_2_53 = closed(
    {
        "status": {"type": "string", "enum": ["enabled", "disabled"]},
        "disabled_reason": _TEXT,
        "forced_down": BOOLEAN,
    }
)


def view(request: Request, row: Row, of_hosts: dict[str, str]) -> Row:
    service = request.service
    shown = {
        "id": row["uuid"] if request.at_least(2, 53) else row["id"],
        "binary": row["binary"],
        "host": row["host"],
        "zone": zone_of(service.conf, row, of_hosts),
        "status": "disabled" if row["disabled"] else "enabled",
        "state": "up" if service.records.is_up(row) else "down",
        "updated_at": clock.iso(row["last_seen_at"], microseconds=True),
        "disabled_reason": row["disabled_reason"],
    }
    if request.at_least(2, 11):
        shown["forced_down"] = row["forced_down"]
    return shown


def index(request: Request) -> Row:
    check_query(request, ("host", "binary"))
    asked = request.query

    def find(tx: Transaction) -> tuple[list[Row], dict[str, str]]:
        rows = request.service.records.list(tx, binary=asked.get("binary"), host=asked.get("host"))
        return rows, aggregates.zones(tx)

    rows, of_hosts = request.service.database.read(find)
    return {"services": [view(request, row, of_hosts) for row in rows]}


def _named(tx: Transaction, request: Request) -> Row:
    host, binary = request.body["host"], request.body["binary"]
    row = request.service.records.find(tx, binary, host)
    if row is None:
        raise NotFound(f"Could not find binary {binary} on host {host}.")
    return row


def update_before(request: Request, service_id: str) -> Row:
    """Until 2.52: PUT /os-services/enable, disable, disable-log-reason, since 2.11 force-down."""
    action = service_id
    body = request.body
    shown = {"host": body["host"], "binary": body["binary"]}
    if action == "enable":
        values: Row = {"disabled": False, "disabled_reason": None}
        shown["status"] = "enabled"
    elif action in ("disable", "disable-log-reason"):
        reason = body.get("disabled_reason") if action == "disable-log-reason" else None
        if action == "disable-log-reason" and reason is None:
            raise Invalid("Missing disabled reason field")
        values = {"disabled": True, "disabled_reason": reason}
        shown["status"] = "disabled"
        if reason:
            shown["disabled_reason"] = reason
    elif action == "force-down" and request.at_least(2, 11):
        if "forced_down" not in body:
            raise Invalid("Missing forced_down field")
        values = {"forced_down": as_boolean(body["forced_down"])}
        shown["forced_down"] = values["forced_down"]
    else:
        raise NotFound("Unknown action")

    def unit(tx: Transaction) -> None:
        request.service.records.change(tx, _named(tx, request)["id"], **values)

    request.service.database.write(unit)
    request.service.aggregates_changed()
    return {"service": shown}


def _by_id(tx: Transaction, request: Request, service_id: str) -> Row:
    key = "uuid" if request.at_least(2, 53) else "id"
    for row in request.service.records.list(tx):
        if str(row[key]) == service_id.lower():
            return row
    raise NotFound(f"Service {service_id} could not be found.")


def _check_id(request: Request, service_id: str) -> None:
    if request.at_least(2, 53):
        if not hypervisors.is_uuid(service_id):
            raise Invalid(f"Invalid uuid {service_id[:64]}")
    elif not service_id.isascii() or not service_id.isdecimal():
        raise Invalid(f"id must be an integer, not {service_id[:64]}")


def update(request: Request, service_id: str) -> Row:
    """Since 2.53, of compute services only."""
    _check_id(request, service_id)
    body = request.body
    values: Row = {}
    if "status" in body:
        enabled = body["status"] == "enabled"
        if enabled and body.get("disabled_reason"):
            raise Invalid("Specifying 'disabled_reason' with status 'enabled' is invalid.")
        values["disabled"] = not enabled
        values["disabled_reason"] = None if enabled else body.get("disabled_reason")
    if "forced_down" in body:
        values["forced_down"] = as_boolean(body["forced_down"])
    if not values:
        raise Invalid("No updates were requested. Fields 'status' or 'forced_down' should be specified.")

    def unit(tx: Transaction) -> tuple[Row, dict[str, str]]:
        row = _by_id(tx, request, service_id)
        if row["binary"] != "nova-compute":
            raise Invalid(
                f"Updating a {row['binary']} service is not supported. Only nova-compute services can be "
                "updated."
            )
        request.service.records.change(tx, row["id"], **values)
        return {**row, **values}, aggregates.zones(tx)

    row, of_hosts = request.service.database.write(unit)
    request.service.aggregates_changed()
    return {"service": view(request, row, of_hosts)}


def delete(request: Request, service_id: str) -> Response:
    """A compute service goes with its hypervisors, their resource providers and its place in aggregates."""
    _check_id(request, service_id)

    def unit(tx: Transaction) -> list[str]:
        row = _by_id(tx, request, service_id)
        providers: list[str] = []
        if row["binary"] == "nova-compute":
            if aggregates.has_servers(tx, row["host"]):
                raise Conflict(
                    "Unable to delete compute service that is hosting instances. Migrate or delete the "
                    "instances first."
                )
            aggregates.forget_host(tx, row["host"])
            providers = hypervisors.forget_host(tx, row["host"])
        request.service.records.delete(tx, row["id"])
        return providers

    providers = request.service.database.write(unit)
    request.service.aggregates_changed()
    placement = request.service.ground.clients.placement.as_service()
    for uuid in providers:
        try:
            placement.remove_provider(uuid)
        except CelajeError as error:
            # The service is gone all the same; what is left at placement is told to the operator.
            log.error("The resource provider %s of a deleted compute service stays: %s", uuid, error)
    return Response(status=204)
