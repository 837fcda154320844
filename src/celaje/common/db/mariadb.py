"""How tables are created on MariaDB (and MySQL): text compared by its characters, and room for long text.

Imported by the server pool; SQLAlchemy calls it for every CREATE TABLE, of the metadata and of migrations.
"""

from typing import Any

from sqlalchemy import LargeBinary, Text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import CreateTable

# As SQLite and PostgreSQL compare: "A" is not "a", "a " is not "a".
COLLATION = "utf8mb4_nopad_bin"
_COLLATION_OF_MYSQL = "utf8mb4_0900_bin"


@compiles(CreateTable, "mysql", "mariadb")
def _create_table(element: CreateTable, compiler: Any, **options: Any) -> str:
    text: str = compiler.visit_create_table(element, **options).rstrip()
    if "CHARSET" in text.upper():
        return text
    collation = COLLATION if getattr(compiler.dialect, "is_mariadb", True) else _COLLATION_OF_MYSQL
    return f"{text} ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE={collation}"


@compiles(Text, "mysql", "mariadb")
def _text(_element: Text, _compiler: Any, **_options: Any) -> str:
    # Their TEXT ends at 64 KiB; arguments of a flow with user data are longer.
    return "MEDIUMTEXT"


@compiles(LargeBinary, "mysql", "mariadb")
def _blob(_element: LargeBinary, _compiler: Any, **_options: Any) -> str:
    return "MEDIUMBLOB"
