"""Column types and the metadata that every service's tables are declared with."""

import datetime
from typing import Any

import msgspec
from sqlalchemy import DateTime, MetaData, Text
from sqlalchemy.types import TypeDecorator

_encode = msgspec.json.encode
_decode = msgspec.json.decode


class Json(TypeDecorator[Any]):
    """Any JSON value in a text column; None stays NULL."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> str | None:
        return None if value is None else _encode(value).decode()

    def process_result_value(self, value: Any, dialect: Any) -> Any:
        return None if value is None else _decode(value)


class Moment(TypeDecorator[datetime.datetime]):
    """A naive UTC datetime with microseconds, whatever the database."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Any) -> Any:
        if dialect.name in ("mysql", "mariadb"):
            from sqlalchemy.dialects.mysql import DATETIME

            return dialect.type_descriptor(DATETIME(fsp=6))
        return dialect.type_descriptor(DateTime())


def new_metadata() -> MetaData:
    """Metadata with fixed constraint names, so that migrations can name what they change."""
    return MetaData(
        naming_convention={
            "ix": "ix_%(column_0_N_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
