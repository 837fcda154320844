"""A backup's record: what another cloud, or this one after it lost its database, needs to know it again.

For administrators only: whoever imports a record reads that backup's data.
"""

import base64
import binascii
import json
from typing import Any

import jsonschema_rs

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.wsgi import Request
from celaje.volume import errors
from celaje.volume.api import backup_hosts, schemas
from celaje.volume.api import backups as api
from celaje.volume.db import backups

Row = dict[str, Any]

IMPORT = schemas.wrapped(
    "backup-record",
    schemas.record(
        {
            "backup_service": {"type": "string", "minLength": 1, "maxLength": 255},
            "backup_url": {"type": "string", "minLength": 1},
        },
        ("backup_service", "backup_url"),
    ),
)
# Clients look for the beginning, which is that of Cinder's own drivers.
SERVICE = "cinder.backup.drivers.celaje"
_KEPT = (
    *("id", "volume_id", "parent_id", "container", "size", "name", "description", "object_count", "metadata"),
    *("availability_zone", "encryption_key_id", "volume_type_id", "location", "volume_kept"),
)
_RECORD = jsonschema_rs.validator_for(
    {
        "type": "object",
        "properties": {
            "id": schemas.UUID,
            "volume_id": schemas.UUID,
            "parent_id": schemas.OPTIONAL_UUID,
            "container": {"type": "string", "minLength": 1, "maxLength": 255},
            "size": {"type": "integer", "minimum": 1, "maximum": schemas.LARGEST_INTEGER},
            "object_count": {"type": "integer", "minimum": 0, "maximum": schemas.LARGEST_INTEGER},
            "name": schemas.OPTIONAL_NAME,
            "description": schemas.DESCRIPTION,
            "metadata": schemas.METADATA,
            "availability_zone": {"type": ["string", "null"], "maxLength": 255},
            "encryption_key_id": schemas.OPTIONAL_UUID,
            "volume_type_id": schemas.OPTIONAL_UUID,
            "location": {"type": "string", "minLength": 1, "maxLength": 512},
            "volume_kept": {
                "type": "object",
                "properties": {
                    "name": schemas.OPTIONAL_NAME,
                    "description": schemas.LONG_DESCRIPTION,
                    "metadata": schemas.METADATA,
                    "image_metadata": {
                        "type": ["object", "null"],
                        "additionalProperties": {"type": "string"},
                    },
                },
                "additionalProperties": False,
            },
        },
        "required": list(_KEPT),
    }
)


def export(request: Request, backup_id: str) -> Row:
    row = request.service.database.read(lambda tx: api.find(request, tx, backup_id))
    if row["status"] != "available":
        raise errors.InvalidBackup(reason=f"Backup status must be available and not {row['status']}.")
    record = json.dumps({key: row[key] for key in _KEPT}).encode()
    url = base64.b64encode(record).decode()
    return {"backup-record": {"backup_service": SERVICE, "backup_url": url}}


def import_(request: Request) -> Row:
    """The row; whether its data is there is the flow's to see."""
    record = _read(request.body["backup-record"])

    def unit(tx: Transaction) -> Row:
        if backups.get(tx, record["id"]) is not None:
            raise errors.InvalidBackup(reason="Backup already exists in database.")
        if record["parent_id"] and backups.get(tx, record["parent_id"]) is None:
            raise errors.InvalidBackup(reason=f"Its parent {record['parent_id']} must be imported first.")
        now = clock.now()
        row: Row = {
            **{key: record[key] for key in _KEPT},
            "project_id": request.context.project_id,
            "user_id": request.context.user_id,
            "snapshot_id": None,
            "status": "creating",
            "fail_reason": None,
            "host": backup_hosts.for_new(request, tx, None),
            "data_timestamp": now,
            "created_at": now,
        }
        row["flow_id"] = request.service.flows.submit(
            tx, "backup.import", resource=("backup", row["id"]), arguments={"backup": backups.for_worker(row)}
        )
        backups.insert(tx, row)
        return row

    return {"backup": api.summary(request, request.service.database.write(unit))}


def _read(given: Row) -> Row:
    if given["backup_service"] != SERVICE:
        raise errors.InvalidBackup(reason=f"This cloud reads records of {SERVICE} only.")
    try:
        record = json.loads(base64.b64decode(given["backup_url"], validate=True))
    except (binascii.Error, ValueError, RecursionError):
        raise errors.InvalidInput(reason="Can't parse backup record.") from None
    wrong = next(_RECORD.iter_errors(record), None)
    if wrong is not None:
        raise errors.InvalidInput(reason=f"Can't parse backup record: {wrong.message[:200]}")
    return dict(record)
