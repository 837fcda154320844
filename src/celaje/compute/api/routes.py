"""The compute API's table of contents: method, URL, policy rule, handler, since which microversion.

Servers and what hangs on them stand here; flavors, key pairs and the other resources in
`resource_routes.py`. Read by `service.py`.
"""

from typing import Any

from celaje.common.wsgi import Route
from celaje.compute.api import server_actions as act
from celaje.compute.api import server_create, servers, versions
from celaje.compute.api import server_schemas as schemas
from celaje.compute.api.parameters import action, body, wrapped
from celaje.compute.api.resource_routes import ROUTES as RESOURCE_ROUTES

_P = "os_compute_api:"
_SERVERS = "/v2.1/servers"
_SERVER = "/v2.1/servers/{server_id}"


def _action(name: str, rule: str, handler: Any, schema: Any = None, status: int = 202, **more: Any) -> Route:
    """An action of a server; its rule is asked about the server itself, once it is loaded."""
    return Route(
        "POST",
        f"{_SERVER}/action",
        f"{_P}{rule}",
        handler,
        status,
        action=name,
        schema=schema or action(name),
        authorize="handler",
        **more,
    )


_LOCK_REASON = {
    "oneOf": [
        {"type": "null"},
        {
            "type": "object",
            "properties": {"locked_reason": {"type": "string", "minLength": 1, "maxLength": 255}},
            "additionalProperties": False,
        },
    ]
}
_LENGTH = {"type": ["integer", "string", "null"], "pattern": "^-?[0-9]+$", "minimum": -1}
_CONSOLE = wrapped(
    "os-getConsoleOutput",
    {"type": ["object", "null"], "properties": {"length": _LENGTH}, "additionalProperties": False},
)

ROUTES: list[Route] = [
    Route("GET", "/", None, versions.list_versions, scope="any"),
    Route("GET", "/v2.1", None, versions.show_version, scope="any"),
    # Servers.
    Route("GET", _SERVERS, f"{_P}servers:index", servers.index),
    Route("GET", f"{_SERVERS}/detail", f"{_P}servers:detail", servers.detail),
    *(
        Route("POST", _SERVERS, f"{_P}servers:create", server_create.create, 202, since, until, schema=schema)
        for since, until, schema in schemas.create_ranges()
    ),
    Route("GET", _SERVER, f"{_P}servers:show", servers.show, authorize="handler"),
    *(
        Route(
            "PUT",
            _SERVER,
            f"{_P}servers:update",
            servers.update,
            200,
            since,
            until,
            schema=schema,
            authorize="handler",
        )
        for since, until, schema in schemas.update_ranges()
    ),
    Route("DELETE", _SERVER, f"{_P}servers:delete", servers.delete, 204, authorize="handler"),
    # Actions.
    _action("os-start", "servers:start", act.start),
    _action("os-stop", "servers:stop", act.stop),
    _action(
        "reboot",
        "servers:reboot",
        act.reboot,
        body("reboot", {"type": {"enum": ["HARD", "Hard", "hard", "SOFT", "Soft", "soft"]}}, ("type",)),
    ),
    _action("pause", "os-pause-server:pause", act.pause),
    _action("unpause", "os-pause-server:unpause", act.unpause),
    _action("suspend", "os-suspend-server:suspend", act.suspend),
    _action("resume", "os-suspend-server:resume", act.resume),
    _action("lock", "os-lock-server:lock", act.lock, until=(2, 72)),
    _action("lock", "os-lock-server:lock", act.lock, wrapped("lock", _LOCK_REASON), since=(2, 73)),
    _action("unlock", "os-lock-server:unlock", act.unlock),
    _action(
        "os-resetState",
        "os-admin-actions:reset_state",
        act.reset_state,
        body("os-resetState", {"state": {"enum": ["active", "error"]}}, ("state",)),
    ),
    _action("os-getConsoleOutput", "os-console-output", act.console_output, _CONSOLE, 200),
    _action("forceDelete", "os-deferred-delete:force", act.force_delete),
    _action(
        "changePassword",
        "os-admin-password",
        act.change_password,
        body("changePassword", {"adminPass": {"type": "string"}}, ("adminPass",)),
    ),
    *RESOURCE_ROUTES,
]
