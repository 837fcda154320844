"""`[database] connection` as operators write it, made into the URL that the drivers want.

Called by Database. OpenStack's URLs (`mysql+pymysql://...?charset=utf8`, `postgresql://...`) work as they
are.
"""

import importlib.util

import sqlalchemy
from sqlalchemy import URL

from celaje.common.db.errors import BadConnection, DriverMissing

# Back end -> the driver that Celaje is made for, its extra.
_DRIVERS = {
    "postgresql": ("psycopg", "postgres"),
    "mysql": ("pymysql", "mysql"),
    "mariadb": ("pymysql", "mysql"),
}


def address(connection: str, service: str = "") -> URL:
    """`{service}` in the URL stands for the service's type, so that one configuration file gives every
    service a database of its own. Raises BadConnection, DriverMissing."""
    try:
        url = sqlalchemy.make_url(connection.replace("{service}", service.replace("-", "_")))
    except (sqlalchemy.exc.ArgumentError, ValueError):
        # Without the text: it may hold a password.
        raise BadConnection(cause="it is not an SQLAlchemy URL") from None
    backend = url.get_backend_name()
    if backend == "sqlite":
        return url
    if backend not in _DRIVERS:
        raise BadConnection(cause=f"{backend} is not sqlite, postgresql or mysql") from None
    driver, extra = _DRIVERS[backend]
    if importlib.util.find_spec(driver) is None:
        raise DriverMissing(library=driver, extra=extra)
    url = url.set(drivername=f"{backend}+{driver}")
    if driver == "pymysql":
        # MySQL's "utf8" is a part of Unicode only.
        url = url.update_query_dict({"charset": "utf8mb4"})
    return url
