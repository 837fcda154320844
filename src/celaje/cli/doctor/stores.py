"""Checks of the databases: is there one, has it this version's schema, do the clocks of services agree."""

import sqlite3
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from celaje.cli.doctor.examination import ERROR, NOTE, WARNING, Examination, Finding
from celaje.common import clock, tokens
from celaje.common.errors import CelajeError

# Seconds that clocks may differ: tokens, leases and signs of life are compared across machines.
_SKEW = 5.0


def schemas(exam: Examination) -> Iterator[Finding]:
    """Reachable, and neither older nor newer than the code."""
    servers: dict[str, list[str]] = {}
    for name, conf in exam.confs.items():
        url = conf.database.connection
        if url and not url.startswith("sqlite:"):
            servers.setdefault(url, []).append(name)
            continue
        file = _sqlite(exam, name)
        if file.is_file():
            yield from _file(name, file)
    for names in servers.values():
        yield from Server(exam, names).findings()


def clocks(exam: Examination) -> Iterator[Finding]:
    """Signs of life that come from the future, or that have stopped."""
    for name, conf in exam.confs.items():
        url = conf.database.connection
        file = _sqlite(exam, name)
        if (not url or url.startswith("sqlite:")) and file.is_file():
            yield from _lives(exam, name, file)


def _sqlite(exam: Examination, name: str) -> Path:
    from celaje.common.db.address import address

    url = exam.confs[name].database.connection
    database = address(url, name).database if url and url.startswith("sqlite:") else None
    return Path(database) if database else exam.folder(name) / f"{name}.db"


def _file(name: str, file: Path) -> Iterator[Finding]:
    try:
        rows = _rows(file, "select version_num from alembic_version")
    except sqlite3.Error as error:
        yield Finding(
            ERROR, f"The database of {name} cannot be read: {error}.", str(file), f"{name} does not start."
        )
        return
    yield from _compared(name, str(rows[0]["version_num"]) if rows else None, str(file))


def _compared(name: str, found: str | None, where: str) -> Iterator[Finding]:
    from celaje.cloud import service_class
    from celaje.common.db.schema import revisions

    known = revisions(service_class(name).migrations)
    if found == known[-1]:
        return
    if found is None:
        yield Finding(
            NOTE, f"The database of {name} has no tables yet.", where, "The first start makes them.", ""
        )
    elif found in known:
        missing = len(known) - known.index(found) - 1
        yield Finding(
            WARNING,
            f"The database of {name} has schema {found}, the code needs {known[-1]}.",
            where,
            f"{missing} migrations are missing; celaje up runs them, a single service refuses to start.",
            "celaje db sync",
        )
    else:
        yield Finding(
            ERROR,
            f"The database of {name} has schema {found}, which this version does not know.",
            where,
            f"It knows up to {known[-1]} and will not start.",
            "Start the version that wrote it.",
        )


class Server:
    """A PostgreSQL or MariaDB that services share, by one `connection` of theirs."""

    def __init__(self, exam: Examination, names: list[str]):
        self._confs = exam.confs
        self._names = names
        self._conf = exam.confs[names[0]]
        self._where = exam.where(names[0], "database", "connection")

    def findings(self) -> Iterator[Finding]:
        limit: int | None = None
        for at, name in enumerate(self._names):
            try:
                stamp, limit, skew = self._ask(name)
            except CelajeError as error:
                yield self._refused(error, self._names if _is_away(error) else [name])
                if _is_away(error):
                    return
                continue
            yield from _compared(name, stamp, self._where)
            if at == 0:
                yield from skewed(skew, self._where)
        if limit is not None:
            yield from self._crowded(limit)

    def _ask(self, name: str) -> tuple[str | None, int, float]:
        """The schema's stamp, how many connections the server takes, by how much its clock is ahead."""
        from celaje.common.db import Database
        from celaje.common.db.schema import stamp_of

        database = Database(self._conf.database.connection, service=name, max_pool_size=1, max_overflow=1)
        try:
            database.wait_for_server(max_retries=0)
            with database.engine.connect() as connection:
                postgres = connection.dialect.name == "postgresql"
                limit = "show max_connections" if postgres else "select @@max_connections"
                time = (
                    "select extract(epoch from clock_timestamp())"
                    if postgres
                    else "select unix_timestamp(now(6))"
                )
                most = int(connection.exec_driver_sql(limit).scalar_one())
                theirs = float(connection.exec_driver_sql(time).scalar_one())
                return stamp_of(connection), most, theirs - tokens.seconds(clock.now())
        finally:
            database.close()

    def _refused(self, error: CelajeError, names: list[str]) -> Finding:
        return Finding(
            ERROR,
            f"{', '.join(names)}: {error.message}",
            self._where,
            _retries(self._conf, error),
            "Start the database server." if _is_away(error) else "Mend the connection.",
        )

    def _crowded(self, limit: int) -> Iterator[Finding]:
        confs = [self._confs[name] for name in self._names]
        wanted = sum(conf.database.max_pool_size + conf.database.max_overflow for conf in confs)
        if wanted > limit:
            yield Finding(
                WARNING,
                f"{len(confs)} services may open {wanted} connections, the server takes {limit}.",
                self._where,
                "Under load it refuses some, and requests are answered 503. Each more process adds to it.",
                "Lower [database] max_overflow, or raise max_connections of the server.",
            )


def skewed(seconds: float, where: str) -> Iterator[Finding]:
    """A server's clock that is `seconds` ahead of ours."""
    if abs(seconds) > _SKEW:
        order = "ahead of" if seconds > 0 else "behind"
        yield Finding(
            ERROR,
            f"The clock of the database server is {abs(seconds):.0f} s {order} this machine's.",
            where,
            "Leases, deadlines and tokens are compared across machines.",
            "Let NTP set all clocks; timedatectl tells.",
        )


def _is_away(error: CelajeError) -> bool:
    return error.kind != "configuration"


def _retries(conf: Any, error: CelajeError) -> str:
    if not _is_away(error):
        return "No attempt mends it: the service ends at once."
    tries, pause = conf.database.max_retries, conf.database.retry_interval
    if tries < 0:
        return f"At its start a service tries every {pause} s, for ever."
    return (
        f"At its start a service tries {tries + 1} times, every {pause} s, and ends after {tries * pause} s."
    )


def _lives(exam: Examination, name: str, file: Path) -> Iterator[Finding]:
    conf = exam.confs[name]
    try:
        rows = _rows(file, "select binary, host, last_seen_at, forced_down from services")
    except sqlite3.Error:
        return  # a service without messages has no such table
    now = clock.now()
    running = _runs(exam)
    for row in rows:
        ago = (now - datetime.fromisoformat(str(row["last_seen_at"]))).total_seconds()
        who = f"{row['binary']} on {row['host']}"
        if ago < -_SKEW:
            yield Finding(
                ERROR,
                f"{who} was seen {-ago:.0f} s in the future.",
                str(file),
                "Two machines' clocks differ, or this one was set back: leases and tokens end wrongly.",
                "Let NTP set all clocks; timedatectl tells.",
            )
        elif running and ago > conf.service.service_down_time and not row["forced_down"]:
            yield Finding(
                WARNING,
                f"{who} has given no sign of life for {ago:.0f} s.",
                str(file),
                "Its work waits until it is back.",
                "Look into its log; remove its record if it will not come back.",
            )


def _runs(exam: Examination) -> bool:
    from celaje.cli.state import StateDirectory

    return exam.state is not None and StateDirectory(exam.state).held()


def _rows(file: Path, query: str) -> list[Any]:
    with sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=5) as connection:
        connection.row_factory = sqlite3.Row
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.interrupt()
