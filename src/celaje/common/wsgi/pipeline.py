"""The way of a request, stage by stage, as `STAGES` lists it:

    request id -> limits -> version -> token -> body -> action -> served -> policy -> schema
        -> handler -> view -> error dialect

Each stage is a function of the Request; it raises a domain error or returns. The Api runs them, calls the
route's handler, renders its answer and words the error (`api.py`, `dialects.py`).
"""

import re
from collections.abc import Callable

import msgspec

from celaje.common.context import RequestContext
from celaje.common.errors import Invalid, NotFound, TooLarge, UnsupportedMediaType
from celaje.common.wsgi import validation
from celaje.common.wsgi.request import Request

_GLOBAL_ID = re.compile(r"^req-[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$")
_decode = msgspec.json.Decoder().decode


# The WSGI environment's key of a project id that the path had (see Api, `project_below`).
PROJECT_IN_PATH = "celaje.project_in_path"


class ForeignPath(Invalid):
    text = (
        "Malformed request URL: URL's project_id '{named}' doesn't match Context's project_id '{project_id}'."
    )


class MalformedBody(Invalid):
    text = "Malformed request body."


class UnknownAction(Invalid):
    text = "There is no such action: {action}"


def request_id(request: Request) -> None:
    """A fresh id of our own; the caller's, if it has the form of one, is kept as the global id."""
    inbound = request.header("X-Openstack-Request-Id")
    given = inbound if inbound and _GLOBAL_ID.match(inbound) else None
    request.context = RequestContext(global_request_id=given)


def limits(request: Request) -> None:
    route = request.route
    if route is None or route.body != "json":
        return
    largest = route.max_body or request.api.max_body
    if (request.http.content_length or 0) > largest:
        raise TooLarge("Request is too large.")


def version(request: Request) -> None:
    versions = request.api.versions
    if versions.history:
        legacy = request.header(versions.legacy_header) if versions.legacy_header else None
        request.version = versions.negotiate(request.header("OpenStack-API-Version"), legacy)
    choices = request.choices
    if len(choices) > 1 and choices[0].action is None:
        # Several rows of one operation: the one that the asked microversion has.
        request.route = next((route for route in choices if route.serves(request.version)), choices[0])


def token(request: Request) -> None:
    """Who asks. A route without a rule is open to all; a token sent along is ignored there."""
    route = request.route
    if route is None or route.rule is None:
        return
    request.api.authenticate(request)
    named = request.http.env.get(PROJECT_IN_PATH)
    if named is not None and named != request.context.project_id:
        raise ForeignPath(named=named, project_id=request.context.project_id)
    if route.scope == "scoped" and not (
        request.context.project_id or request.context.domain_id or request.context.system_scope
    ):
        request.api.refuse_unscoped(request)


def body(request: Request) -> None:
    """Read and decode a JSON body, bounded."""
    route = request.route
    http = request.http
    if route is None or route.body != "json" or route.method in ("GET", "HEAD"):
        return
    largest = route.max_body or request.api.max_body
    raw = http.bounded_stream.read(largest + 1) if http.content_length else _chunked(request, largest)
    if len(raw) > largest:
        raise TooLarge("Request is too large.")
    if not raw.strip():
        return
    media = (http.content_type or "").partition(";")[0].strip().lower()
    if media and media not in route.media_types and media not in request.api.lenient_media_types:
        raise UnsupportedMediaType(content_type=media)
    try:
        request.body = _decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedBody(request.api.malformed_body) from error


def _chunked(request: Request, largest: int) -> bytes:
    if "chunked" not in (request.header("Transfer-Encoding") or "").lower():
        return b""
    return request.http.stream.read(largest + 1)


def action(request: Request) -> None:
    """Where several operations share a URL, the body's key tells which it is."""
    choices = request.api.actions_at(request)
    if not choices:
        return
    if not isinstance(request.body, dict) or len(request.body) != 1:
        raise MalformedBody("Malformed request body: it must hold exactly one action.")
    name = next(iter(request.body))
    named = [route for route in choices if route.action == name]
    fits = [route for route in named if route.serves(request.version)]
    if named and not fits:
        raise NotFound("The resource could not be found.")
    if not fits:
        raise UnknownAction(action=str(name)[:64])
    request.route = fits[0]


def served(request: Request) -> None:
    """A route that this microversion does not have yet, or has no more, is not found."""
    route = request.route
    if route is not None and not route.serves(request.version):
        raise NotFound("The resource could not be found.")


def schema(request: Request) -> None:
    route = request.route
    if route is None:
        return
    if route.query is not None:
        validation.check_query(route.query, route.query_validator, request.query_pairs)
    if route.schema is not None:
        if request.body is None:
            if route.optional_body:
                return
            raise MalformedBody(request.api.missing_body)
        validation.check_body(route.schema, route.body_validator, request.body, request.api.service_type)


def policy(request: Request) -> None:
    """The route's rule, against the caller's own project. A handler that loads a resource checks it again
    against that (`Request.authorize`); where the rule makes no sense before, only there."""
    route = request.route
    if route is not None and route.rule is not None and route.authorize == "pipeline":
        request.authorize()


STAGES: tuple[Callable[[Request], None], ...] = (
    request_id,
    limits,
    version,
    token,
    body,
    action,
    served,
    policy,
    schema,
)
