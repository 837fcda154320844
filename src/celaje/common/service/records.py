"""Service records: which schedulers, conductors and workers there are, and who is up.

Workers report to their conductor by cast (they have no database), the conductor writes here; the API's
service lists and the schedulers' "is it up" read here. Options `report_interval`, `service_down_time`.
"""

import datetime
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    or_,
    select,
    update,
)

from celaje.common import clock
from celaje.common.db import DuplicateRow, Json, Moment, Transaction, fetch_all, fetch_one
from celaje.common.messaging.receivers import FIRST, Receiver
from celaje.common.outage import Outage

Row = dict[str, Any]


def service_table(metadata: MetaData) -> Table:
    return Table(
        "services",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("uuid", String(36), nullable=False, unique=True),
        Column("binary", String(64), nullable=False),
        Column("host", String(255), nullable=False),
        Column("topic", String(255), nullable=False),
        Column("availability_zone", String(255), nullable=False),
        Column("disabled", Boolean, nullable=False),
        Column("disabled_reason", String(255)),
        Column("forced_down", Boolean, nullable=False),
        Column("report_count", Integer, nullable=False),
        Column("details", Json),
        Column("created_at", Moment, nullable=False),
        Column("updated_at", Moment),
        Column("last_seen_at", Moment, nullable=False),
        UniqueConstraint("host", "binary"),
    )


def _life(details: Row, seen: datetime.datetime) -> Row:
    """What is remembered of one process that reports: when it did, and what it understands."""
    life: Row = {key: details[key] for key in ("rpc_version", "flows") if key in details}
    life["seen"] = clock.iso(seen)
    return life


class ServiceRecords:
    """Silent for `down_time` seconds is down. While one of `outages` lasted nobody could be heard, so that
    time does not count. `now` is `Database.now`: who writes when somebody was heard and who looks at it may
    be on machines whose clocks differ."""

    def __init__(
        self,
        table: Table,
        down_time: float,
        outages: Sequence[Outage] = (),
        now: Callable[[], datetime.datetime] = clock.now,
    ):
        self.table = table
        self.now = now
        self._outages = outages
        self._down_time = datetime.timedelta(seconds=down_time)

    def report(
        self,
        tx: Transaction,
        *,
        binary: str,
        host: str,
        topic: str,
        availability_zone: str,
        details: dict[str, Any] | None = None,
    ) -> bool:
        """Note that the service lives. True when it was not up before: what waits for it may go on."""
        now = self.now()
        services = self.table
        found = self.find(tx, binary, host)
        if found is None:
            try:
                with tx.attempt():
                    tx.execute(
                        services.insert().values(
                            uuid=clock.new_uuid(),
                            binary=binary,
                            host=host,
                            topic=topic,
                            availability_zone=availability_zone,
                            disabled=False,
                            forced_down=False,
                            report_count=0,
                            details=details,
                            created_at=now,
                            last_seen_at=now,
                        )
                    )
            except DuplicateRow:  # two conductors heard of it at once
                return False
            return True
        boots = self._boots(found, now)
        boot = (details or {}).get("boot")
        came_up = not self.is_up(found) or (bool(boot) and boot not in boots)
        if boot and boots.keys() - {boot}:
            # Several processes under one name: what one of them says is no news of another's.
            details = {**(details or {}), "boots": {**boots, boot: _life(details or {}, now)}}
        values: Row = {"report_count": found["report_count"] + 1, "last_seen_at": now, "details": details}
        tx.execute(update(services).where(services.c.id == found["id"]).values(**values))
        return came_up

    def _boots(self, row: Row, now: datetime.datetime) -> dict[str, Row]:
        """The lives under this name that have been heard of lately: when, and what they understand."""
        details = row["details"] or {}
        boots = details.get("boots") or {}
        if not boots and details.get("boot"):
            boots = {details["boot"]: _life(details, row["last_seen_at"])}
        oldest = now - self._down_time
        return {
            boot: life
            for boot, life in boots.items()
            if datetime.datetime.fromisoformat(life["seen"]) >= oldest
        }

    def receivers(self, tx: Transaction, topic: str) -> list[Receiver]:
        """Everybody who has reported for `topic`, each life that was heard of lately by itself."""
        found = []
        for row in fetch_all(tx, select(self.table).where(self.table.c.topic == topic)):
            details = row["details"] or {}
            # A compute worker serves several hosts under one name on the bus.
            server, up = details.get("worker") or row["host"], self.is_up(row)
            lives = list(self._boots(row, self.now()).values()) or [_life(details, row["last_seen_at"])]
            found += [
                Receiver(server, life.get("rpc_version", FIRST), up, life.get("flows", {})) for life in lives
            ]
        return found

    def is_up(self, row: Row) -> bool:
        if row["forced_down"]:
            return False
        silent = self.now() - row["last_seen_at"]
        if silent > self._down_time:
            settling = self._down_time.total_seconds()
            unheard = max((outage.unheard(settling) for outage in self._outages), default=0.0)
            silent -= datetime.timedelta(seconds=unheard)
        return silent <= self._down_time

    def find(self, tx: Transaction, binary: str, host: str) -> Row | None:
        services = self.table
        return fetch_one(tx, select(services).where(services.c.binary == binary, services.c.host == host))

    def list(self, tx: Transaction, *, binary: str | None = None, host: str | None = None) -> list[Row]:
        """`host` is a service's own, or that of the node that it is on (`host` of `host@backend`)."""
        statement = select(self.table).order_by(self.table.c.id)
        if binary:
            statement = statement.where(self.table.c.binary == binary)
        if host:
            own = self.table.c.host
            statement = statement.where(or_(own == host, own.startswith(f"{host}@", autoescape=True)))
        return fetch_all(tx, statement)

    def change(self, tx: Transaction, record_id: int, **values: Any) -> None:
        """`disabled`, `disabled_reason`, `forced_down`."""
        values["updated_at"] = self.now()
        tx.execute(update(self.table).where(self.table.c.id == record_id).values(**values))

    def delete(self, tx: Transaction, record_id: int) -> None:
        tx.execute(self.table.delete().where(self.table.c.id == record_id))
