"""How each service words an error: domain error in, status and JSON body out. Applied once, at the edge.

Sources: the error bodies that the API references show, and answers of the real services.
"""

from collections.abc import Callable
from typing import Any

from celaje.common.errors import CelajeError, NotFound

Body = dict[str, Any]
Dialect = Callable[[CelajeError, str], tuple[int, Body]]

STATUS = {
    "invalid": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "not_acceptable": 406,
    "conflict": 409,
    "gone": 410,
    "precondition_failed": 412,
    "too_large": 413,
    "unsupported_media_type": 415,
    "range_not_satisfiable": 416,
    "over_quota": 403,
    "internal": 500,
    "not_implemented": 501,
    "unavailable": 503,
}

TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    409: "Conflict",
    410: "Gone",
    412: "Precondition Failed",
    413: "Request Entity Too Large",
    415: "Unsupported Media Type",
    416: "Requested Range Not Satisfiable",
    429: "Too Many Requests",
    500: "Internal Server Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
}

_FAULTS = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    406: "notAcceptable",
    409: "conflictingRequest",
    413: "overLimit",
    415: "badMediaType",
    429: "overLimit",
    501: "notImplemented",
    503: "serviceUnavailable",
}


def status_of(error: CelajeError, **special: int) -> int:
    return special.get(error.kind) or STATUS.get(error.kind, 500)


def words(error: CelajeError, status: int) -> str:
    """What may leave: an unexpected error keeps its details in the log."""
    if status == 500 and error.kind not in STATUS:
        return "Unexpected API Error. The log has more under this request id."
    return error.message


def _fault(status: int, error: CelajeError) -> tuple[int, Body]:
    name = _FAULTS.get(status, "computeFault")
    body: Body = {"code": status, "message": words(error, status)}
    if status == 413 and error.kind == "over_quota":
        body["retryAfter"] = "0"
    return status, {name: body}


def compute(error: CelajeError, request_id: str) -> tuple[int, Body]:
    if error.kind == "unauthorized":
        return middleware(error, request_id)
    return _fault(status_of(error), error)


def volume(error: CelajeError, request_id: str) -> tuple[int, Body]:
    if error.kind == "unauthorized":
        return middleware(error, request_id)
    if error.kind == "method_not_allowed":
        # Cinder's router knows methods and paths together only.
        return _fault(404, NotFound("The resource could not be found."))
    status, body = _fault(status_of(error, over_quota=413), error)
    if error.kind == "over_quota":
        # Cinder's outermost layer words these, with the error's name in front; clients look for it.
        body["overLimit"]["message"] = f"{type(error).__name__}: {error.message}"
    return status, body


def middleware(error: CelajeError, request_id: str) -> tuple[int, Body]:
    """keystonemiddleware's own answer, which the services put in front of theirs."""
    return 401, {"error": {"code": 401, "title": "Unauthorized", "message": error.message}}


def identity(error: CelajeError, request_id: str) -> tuple[int, Body]:
    status = status_of(error)
    body: Body = {"code": status, "message": words(error, status), "title": TITLES.get(status, "Error")}
    return status, {"error": {**error.details.get("shown", {}), **body}}


_NEUTRON_TYPES = {
    "Forbidden": "PolicyNotAuthorized",
    "Invalid": "HTTPBadRequest",
    "MalformedBody": "HTTPBadRequest",
    "ValidationFailed": "HTTPBadRequest",
    "BadMarker": "HTTPBadRequest",
    "NotFound": "HTTPNotFound",
    "MethodNotAllowed": "HTTPMethodNotAllowed",
    "UnsupportedMediaType": "HTTPUnsupportedMediaType",
    "TooLarge": "HTTPRequestEntityTooLarge",
}


def network(error: CelajeError, request_id: str) -> tuple[int, Body]:
    status = status_of(error, over_quota=409)
    if error.kind == "unauthorized":
        return middleware(error, request_id)
    # Clients read the type: what the pipeline refuses itself gets Neutron's names too.
    name = type(error).__name__
    kind = error.details.get("neutron_type") or _NEUTRON_TYPES.get(name, name)
    return status, {"NeutronError": {"type": kind, "message": words(error, status), "detail": ""}}


def placement(error: CelajeError, request_id: str) -> tuple[int, Body]:
    status = status_of(error)
    if error.kind == "unauthorized":
        return middleware(error, request_id)
    body: Body = {
        "status": status,
        "title": TITLES.get(status, "Error"),
        "detail": words(error, status),
        "code": error.details.get("code", "placement.undefined_code"),
        "request_id": request_id,
    }
    if error.kind == "not_acceptable" and "maximum" in error.details:
        body |= {"max_version": error.details["maximum"], "min_version": error.details["minimum"]}
    return status, {"errors": [body]}


def image(error: CelajeError, request_id: str) -> tuple[int, Body]:
    """Glance answers with webob's page; clients read only its text. JSON-speaking clients get JSON."""
    status = status_of(error, over_quota=413)
    # Glance lets keystonemiddleware only look at the token, and refuses by itself.
    title = "Request Range Not Satisfiable" if status == 416 else TITLES.get(status, "Error")
    return status, {
        "message": f"{words(error, status)}<br /><br />\n\n\n",
        "code": f"{status} {title}",
        "title": title,
    }
