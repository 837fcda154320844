"""A value inside a JSON column as text, in each database's own words. Used by the filters on metadata."""

from typing import Any

from sqlalchemy import String
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class json_value(FunctionElement[str]):
    """json_value(column, key): the string under `key`, NULL when there is none."""

    type = String()
    inherit_cache = True


@compiles(json_value)
def _by_path(element: Any, compiler: Any, **options: Any) -> str:
    column, key = element.clauses
    name = compiler.process(key, **options)
    return f"json_extract({compiler.process(column, **options)}, '$.\"' || {name} || '\"')"


@compiles(json_value, "mysql", "mariadb")
def _by_concat(element: Any, compiler: Any, **options: Any) -> str:
    column, key = element.clauses
    path = f"CONCAT('$.\"', {compiler.process(key, **options)}, '\"')"
    return f"JSON_UNQUOTE(JSON_EXTRACT({compiler.process(column, **options)}, {path}))"


@compiles(json_value, "postgresql")
def _by_operator(element: Any, compiler: Any, **options: Any) -> str:
    column, key = element.clauses
    found = compiler.process(column, **options)
    return f"(CAST({found} AS jsonb) ->> CAST({compiler.process(key, **options)} AS text))"
