"""A service's WSGI application: its route table behind the pipeline.

Made by each service's `api/` from its routes, policy, versions and dialect; hosted by granian, by a test's
client, or by another service's client in the same process.
"""

import contextlib
import logging
import re
from collections.abc import Callable, Iterable
from typing import Any

import falcon
import msgspec

from celaje.common import context, patience, trail
from celaje.common.errors import CelajeError, Forbidden, Invalid, MethodNotAllowed, NotFound, Unauthorized
from celaje.common.policy import Policy
from celaje.common.wsgi import pipeline
from celaje.common.wsgi.dialects import Dialect
from celaje.common.wsgi.request import Request
from celaje.common.wsgi.response import Response
from celaje.common.wsgi.router import Router
from celaje.common.wsgi.routes import Route
from celaje.common.wsgi.versions import Versions

log = logging.getLogger(__name__)

# A project's id: 32 hexadecimal digits, perhaps with a UUID's hyphens.
_PROJECT = "[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"

_encode = msgspec.json.Encoder(order=None).encode

Authenticator = Callable[[Request], None]


class Api:
    """`authenticate(request)` checks the token and fills `request.context` (see `common/tokens.py`).
    `project_below`: paths below it may have the caller's project id behind it, as older catalogs write
    them ("/v2.1": /v2.1/PROJECT/servers is /v2.1/servers); another project's is refused."""

    def __init__(
        self,
        service: Any,
        routes: Iterable[Route],
        *,
        service_type: str,
        policy: Policy,
        dialect: Dialect,
        authenticate: Authenticator,
        versions: Versions | None = None,
        public_endpoint: str | None = None,
        max_body: int = 114688,
        www_authenticate: str = "Keystone",
        extra_headers: tuple[str, ...] = (),
        malformed_body: str = "Malformed request body.",
        missing_body: str = "Malformed request body: a JSON body is missing.",
        lenient_media_types: tuple[str, ...] = (),
        trailing_slash: bool = True,
        project_below: str | None = None,
    ):
        self.service = service
        self.routes = list(routes)
        self.service_type = service_type
        self.policy = policy
        self.dialect = dialect
        self.authenticate = authenticate
        self.versions = versions or Versions(service_type, {})
        self.public_endpoint = public_endpoint.rstrip("/") if public_endpoint else None
        self.max_body = max_body
        self.www_authenticate = www_authenticate
        self.malformed_body = malformed_body
        self.missing_body = missing_body
        self.lenient_media_types = lenient_media_types
        self._request_id_headers = ("x-openstack-request-id", *extra_headers)
        # Looks at each finished request; metrics and the journal of requests hang on here.
        self.observers: list[Callable[[Request, int], None]] = []
        # How many SQL statements this thread has executed so far; the Service says from where.
        self.statements: Callable[[], int] = int
        self.component = f"{service_type}-api"
        self._in_project = re.compile(rf"{project_below}/({_PROJECT})(/.*)?") if project_below else None
        self._below = project_below
        self._app = falcon.App(router=Router())
        # Where a slash at the end is not ignored, /images/ names an image without an id: it is not found.
        self._app.req_options.strip_url_path_trailing_slash = trailing_slash
        # Falcon has handlers of its own for its errors; ours speak the dialect.
        self._app.add_error_handler(Exception, self._lost)
        self._app.add_error_handler(falcon.HTTPError, self._lost)
        self._actions: dict[str, list[Route]] = {}
        self._mount()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if self._in_project is not None:
            found = self._in_project.fullmatch(environ.get("PATH_INFO", ""))
            if found is not None:
                environ[pipeline.PROJECT_IN_PATH] = found[1]
                environ["PATH_INFO"] = f"{self._below}{found[2] or ''}"
        return self._app(environ, start_response)

    def _mount(self) -> None:
        paths: dict[str, dict[str, list[Route]]] = {}
        for route in self.routes:
            paths.setdefault(route.path, {}).setdefault(route.method, []).append(route)
            if route.action:
                self._actions.setdefault(route.path, []).append(route)
        for path, methods in paths.items():
            self._app.add_route(path, _Endpoint(self, methods))

    def actions_at(self, request: Request) -> list[Route]:
        route = request.route
        if route is None or route.action is None:
            return []
        return self._actions.get(route.path, [])

    def refuse_unscoped(self, request: Request) -> None:
        raise Unauthorized(
            "The token has no scope (project, domain or system), and this service asks for one."
        )

    def run(
        self, choices: list[Route], http: falcon.Request, answer: falcon.Response, parameters: dict[str, str]
    ) -> None:
        """One request, from the stages to the words of its answer."""
        request = Request(self, http)
        request.parameters = parameters
        request.route = choices[0]
        request.choices = choices
        request.statements_before = self.statements()
        with trail.kept() as request.trail:
            try:
                if any("\0" in value for value in parameters.values()):
                    # No resource's name has one, and PostgreSQL would not even look for it.
                    raise NotFound()
                with patience.answering():
                    for stage in pipeline.STAGES:
                        stage(request)
                    route = request.route
                    with context.using(request.context, self.component):
                        result = route.handler(request, **parameters)
                if route.rule is not None and not request.authorized:
                    raise Forbidden(action=route.rule)
                self._render(request, answer, route, result)
            except Exception as error:
                self._refuse(request, answer, error)
        self._finish(request, answer)

    def _render(self, request: Request, answer: falcon.Response, route: Route, result: Any) -> None:
        response = result if isinstance(result, Response) else Response(result)
        answer.status = response.status or route.status
        for name, value in response.headers.items():
            answer.set_header(name, value)
        if request.http.method == "HEAD" and response.stream is None:
            if response.body is not None:
                answer.set_header("Content-Type", "application/json")
                answer.content_length = len(_encode(response.body))
            return
        if response.stream is not None:
            answer.content_type = response.content_type
            answer.stream = response.stream
        elif response.text is not None:
            answer.content_type = response.content_type
            answer.data = response.text
        elif response.body is not None:
            answer.content_type = response.content_type
            answer.data = _encode(response.body)

    def _refuse(self, request: Request, answer: falcon.Response, error: Exception) -> None:
        if isinstance(error, falcon.HTTPError):
            error = _from_falcon(error)
        if not isinstance(error, CelajeError):
            with context.using(request.context, self.component):
                log.exception("%s %s failed unexpectedly", request.http.method, request.http.path)
            error = CelajeError("Unexpected error.")
        request.error = error
        status, body = self.dialect(error, request.context.request_id)
        if status >= 500 and error.kind == "internal":
            with context.using(request.context, self.component):
                log.error("%s %s answers %s: %s", request.http.method, request.http.path, status, error)
        answer.status = status
        answer.content_type = "application/json"
        answer.stream = None
        answer.data = _encode(body) if request.http.method != "HEAD" else None
        if status == 401:
            answer.set_header("WWW-Authenticate", self.www_authenticate)
        elif status == 503:
            answer.set_header("Retry-After", str(error.details.get("retry_after", 1)))
        elif status == 405 and error.details.get("allow"):
            answer.set_header("Allow", error.details["allow"])

    def _finish(self, request: Request, answer: falcon.Response) -> None:
        for name in self._request_id_headers:
            answer.set_header(name, request.context.request_id)
        if request.version is not None:
            for name, value in self.versions.headers(request.version).items():
                answer.set_header(name, value)
        for observe in self.observers:
            observe(request, answer.status_code)

    def _lost(self, http: falcon.Request, answer: falcon.Response, error: Exception, params: Any) -> None:
        """What never reached a route: unknown path, unknown method."""
        request = Request(self, http)
        request.trail = trail.Trail()
        request.statements_before = self.statements()
        pipeline.request_id(request)
        with contextlib.suppress(CelajeError):
            pipeline.version(request)
        self._refuse(request, answer, error)
        self._finish(request, answer)


class _Endpoint:
    """Falcon's resource for one path: a responder a method (see Router)."""

    def __init__(self, api: Api, methods: dict[str, list[Route]]):
        if "GET" in methods and "HEAD" not in methods:
            methods = {**methods, "HEAD": methods["GET"]}
        self.responders = {method: _responder(api, choices) for method, choices in methods.items()}


def _responder(api: Api, choices: list[Route]) -> Callable[..., None]:
    def respond(http: falcon.Request, answer: falcon.Response, **parameters: str) -> None:
        api.run(choices, http, answer, parameters)

    return respond


def _from_falcon(error: falcon.HTTPError) -> CelajeError:
    if isinstance(error, falcon.HTTPMethodNotAllowed):
        return MethodNotAllowed(allow=dict(error.headers or {}).get("Allow"))
    if error.status_code == 404:
        return NotFound("The resource could not be found.")
    return Invalid(error.description or error.title)
