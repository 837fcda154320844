"""os-services/get-log and set-log (since 3.32): the levels of each process, asked of it by message."""

from typing import Any

from celaje.common.errors import CelajeError
from celaje.common.log import levels
from celaje.common.wsgi import Request, Response
from celaje.volume import errors
from celaje.volume.api import schemas
from celaje.volume.db import clusters

Row = dict[str, Any]

API, SCHEDULER, WORKER = "cinder-api", "cinder-scheduler", "cinder-volume"
BACKUP = "cinder-backup"
_BINARIES = (SCHEDULER, WORKER, BACKUP, API)
_WHO: dict[str, schemas.Schema] = {
    "binary": {"type": "string", "enum": [*_BINARIES, "", "*"]},
    "server": schemas.OPTIONAL_NAME,
    "prefix": schemas.OPTIONAL_NAME,
}
GET = schemas.record(_WHO)
SET = schemas.record({**_WHO, "level": {"type": ["string", "null"]}})


def get(request: Request) -> Row:
    prefix = request.body.get("prefix") or ""
    found = []
    if _asks_this(request):
        found.append({"binary": API, "host": request.service.conf.host, "levels": levels.levels(prefix)})
    for row in _processes(request):
        known = _process(request, row).get_log_levels(prefix=prefix)
        found.append({"binary": row["binary"], "host": row["host"], "levels": known})
    return {"log_levels": found}


def set_(request: Request) -> Response:
    prefix, level = request.body.get("prefix") or "", request.body.get("level") or ""
    if level.upper() not in levels.NAMES:
        raise errors.InvalidInput(reason=f"{level[:64]} is not a valid log level.")
    if _asks_this(request):
        levels.set_level(prefix, level)
    failed: CelajeError | None = None
    for row in _processes(request):
        try:
            _process(request, row).set_log_levels(prefix=prefix, level=level)
        except CelajeError as error:  # the others are set all the same
            failed = error
    if failed is not None:
        raise failed
    return Response(status=202)


def _asks_this(request: Request) -> bool:
    server = request.body.get("server")
    wanted = request.body.get("binary") in (None, "", "*", API)
    return wanted and server in (None, "", request.service.conf.host)


def _processes(request: Request) -> list[Row]:
    """The schedulers and workers that are up and meant."""
    binary, server = request.body.get("binary"), request.body.get("server")
    wanted = (SCHEDULER, WORKER, BACKUP) if binary in (None, "", "*") else (binary,)
    records = request.service.records
    return [
        row
        for row in request.service.database.read(records.list)
        if row["binary"] in (SCHEDULER, WORKER, BACKUP)
        and row["binary"] in wanted
        and records.is_up(row)
        and (not server or server in (row["host"], row["host"].partition("@")[0], clusters.of(row)))
    ]


def _process(request: Request, row: Row) -> Any:
    service = request.service
    to = {
        SCHEDULER: service.scheduler.to,
        WORKER: service.workers_of,
        BACKUP: service.backup_workers.to,
    }
    return to[row["binary"]](row["host"])
