"""A request on its way through the pipeline, and what handlers ask of it."""

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import falcon

from celaje.common.context import RequestContext
from celaje.common.errors import CelajeError, Invalid
from celaje.common.trail import Trail
from celaje.common.wsgi.routes import Route, Version

if TYPE_CHECKING:
    from celaje.common.wsgi.api import Api


# Until the first stage has given the request its id.
NOBODY = RequestContext(request_id="")


class Request:
    """Handlers are called as `handler(request, **path_parameters)`. `service` is the service object behind
    the API (its database, flows, clients); `body` the decoded and validated JSON, `stream` a raw one."""

    __slots__ = (
        "_query",
        "api",
        "authorized",
        "body",
        "choices",
        "context",
        "error",
        "http",
        "parameters",
        "route",
        "statements_before",
        "token",
        "trail",
        "version",
    )

    def __init__(self, api: "Api", http: falcon.Request):
        self.api = api
        self.http = http
        self.context = NOBODY
        self.route: Route | None = None
        self.choices: list[Route] = []
        self.parameters: dict[str, str] = {}
        self.version: Version | None = None
        self.token: Any = None
        self.body: Any = None
        self.authorized = False
        # What is told of it afterwards: its hops, its refusal, the SQL that its thread had done before.
        self.trail: Trail | None = None
        self.error: CelajeError | None = None
        self.statements_before = 0
        self._query: list[tuple[str, str]] | None = None

    @property
    def service(self) -> Any:
        return self.api.service

    @property
    def stream(self) -> Any:
        """The raw body: `read(size)`."""
        return self.http.bounded_stream if self.http.content_length is not None else self.http.stream

    @property
    def seconds(self) -> float:
        """Since it came."""
        return self.trail.seconds if self.trail is not None else 0.0

    def header(self, name: str) -> str | None:
        return self.http.get_header(name)

    @property
    def query_pairs(self) -> list[tuple[str, str]]:
        if self._query is None:
            text = self.http.query_string
            try:
                self._query = (
                    parse_qsl(text, keep_blank_values=True, max_num_fields=1000, errors="strict")
                    if text
                    else []
                )
            except ValueError as error:
                raise Invalid("The query string cannot be read.") from error
        return self._query

    @property
    def query(self) -> dict[str, str]:
        """The query string; of a repeated key the last value."""
        return dict(self.query_pairs)

    def query_all(self, name: str) -> list[str]:
        return [value for key, value in self.query_pairs if key == name]

    def at_least(self, *version: int) -> bool:
        """Whether the request speaks microversion `at_least(3, 27)` or later."""
        return self.version is not None and self.version >= version

    def allows(self, rule: str, target: dict[str, Any] | None = None) -> bool:
        return self.api.policy.allows(rule, self.target(target), self.context)

    def authorize(self, target: dict[str, Any] | None = None, rule: str | None = None) -> None:
        """Check the route's rule, or `rule`, against a resource (its project_id, user_id ...). Raises
        Forbidden."""
        self.authorized = True
        name = rule or (self.route.rule if self.route else None)
        if name is not None:
            self.api.policy.enforce(name, self.target(target), self.context)

    def target(self, target: dict[str, Any] | None) -> dict[str, Any]:
        if target is not None:
            return target
        return {"project_id": self.context.project_id, "user_id": self.context.user_id}

    @property
    def base_url(self) -> str:
        """The service's root as the client sees it, without a slash at the end: from `public_endpoint`, or
        from the request (of what a balancer says, see `proxy_headers`)."""
        if self.api.public_endpoint:
            return self.api.public_endpoint
        return f"{self.http.scheme}://{self.http.netloc}{self.http.root_path}"

    @property
    def url(self) -> str:
        return f"{self.base_url}{self.http.path}"
