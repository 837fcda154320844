"""The limit of a read: SQLAlchemy Core's get-one and msgspec's encoding behind the same server, no more.

Run by granian in a process of its own; CELAJE_BENCH_DATABASE is the volume service's file.
"""

import os

import msgspec
from sqlalchemy import MetaData, Table, bindparam, create_engine, select

_engine = create_engine(
    f"sqlite:///{os.environ['CELAJE_BENCH_DATABASE']}",
    isolation_level="AUTOCOMMIT",
    connect_args={"check_same_thread": False},
)
_volumes = Table("volumes", MetaData(), autoload_with=_engine)
_one = select(_volumes).where(_volumes.c.id == bindparam("row"))
_encoder = msgspec.json.Encoder(enc_hook=str)


def app(environ, start_response):
    volume_id = environ["PATH_INFO"].rpartition("/")[2]
    with _engine.connect() as connection:
        row = connection.execute(_one, {"row": volume_id}).mappings().first()
    body = _encoder.encode({"volume": dict(row)})
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
