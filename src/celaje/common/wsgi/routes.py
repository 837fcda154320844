"""One row of a service's table of contents: method, URL, policy rule, handler, and since when.

Read by the pipeline, by `celaje inspect routes`, by the coverage page, by the persona matrix test and by the
property test over all routes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import jsonschema_rs

Handler = Callable[..., Any]
Version = tuple[int, int]

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True)
class Route:
    """`rule` None: no token is asked for (discovery, login). `scope` "any" lets an unscoped token in.
    `authorize` "handler": the rule speaks of the resource (its owner, its project), so the handler checks
    it once it has loaded that; the pipeline makes sure that it did.
    `schema` is the JSON Schema of the body, `query` that of the query string (values as strings).
    `action` names the body's single key where several operations share a URL. `since`/`until` bound the
    microversions in which the row is there; of rows for one operation the first that fits is taken.
    `body` is how the body is read: "json", "raw" (a stream that the handler consumes) or "none".
    `status` is the success code. `max_body` overrides the service's limit for a JSON body, in bytes; with
    `optional_body` a request may come without one, and the handler finds None."""

    method: str
    path: str
    rule: str | None
    handler: Handler
    status: int = 200
    since: Version | None = None
    until: Version | None = None
    action: str | None = None
    schema: Mapping[str, Any] | None = None
    query: Mapping[str, Any] | None = None
    body: Literal["json", "raw", "none"] = "json"
    media_types: tuple[str, ...] = ("application/json",)
    scope: Literal["scoped", "any"] = "scoped"
    authorize: Literal["pipeline", "handler"] = "pipeline"
    max_body: int | None = None
    optional_body: bool = False

    def __post_init__(self) -> None:
        if self.method not in _METHODS:
            raise ValueError(f"{self.method} {self.path}: no such method")
        if not self.path.startswith("/"):
            raise ValueError(f"{self.path}: a path begins with /")

    @property
    def name(self) -> str:
        """How logs, metrics and the coverage page call the operation."""
        suffix = f" {self.action}" if self.action else ""
        return f"{self.method} {self.path}{suffix}"

    def serves(self, version: Version | None) -> bool:
        if version is None:
            return True
        if self.since is not None and version < self.since:
            return False
        return self.until is None or version <= self.until

    # Compiled when the first request needs them: hundreds of schemas would cost a part of the start.
    @cached_property
    def body_validator(self) -> Any:
        return None if self.schema is None else jsonschema_rs.validator_for(dict(self.schema))

    @cached_property
    def query_validator(self) -> Any:
        return None if self.query is None else jsonschema_rs.validator_for(dict(self.query))
