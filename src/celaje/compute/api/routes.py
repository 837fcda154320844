"""The compute API's table of contents: method, URL, policy rule, handler, since which microversion.

Servers and what hangs on them stand here; flavors, key pairs and the other resources in
`resource_routes.py`. Read by `service.py`.
"""

from typing import Any

from celaje.common.wsgi import Route
from celaje.compute.api import (
    assisted_volume_snapshots,
    external_events,
    instance_actions,
    interfaces,
    ips,
    server_create,
    server_extras,
    server_metadata,
    server_tags,
    servers,
    versions,
    volume_attachments,
)
from celaje.compute.api import server_actions as act
from celaje.compute.api import server_part_schemas as parts
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


def _of_server(  # noqa: PLR0917
    method: str, path: str, rule: str, handler: Any, status: int = 200, schema: Any = None, **more: Any
) -> Route:
    """A resource below a server; the rule is asked about the server, once it is loaded."""
    return Route(
        method,
        f"{_SERVER}{path}",
        f"{_P}{rule}",
        handler,
        status,
        schema=schema,
        authorize="handler",
        **more,
    )


def _by_version(  # noqa: PLR0917
    changes: tuple[int, ...], make: Any, method: str, path: str, rule: str, handler: Any, status: int = 200
) -> list[Route]:
    """The same row for each form of its body."""
    return [
        _of_server(method, path, rule, handler, status, schema, since=since, until=until)
        for since, until, schema in schemas.ranges(changes, make)
    ]


_VOLUMES = "/os-volume_attachments"
_VOLUME = "/os-volume_attachments/{volume_id}"
_V = "os-volumes-attachments:"
_I = "os-attach-interfaces:"
_T = "os-server-tags:"
_M = "server-metadata:"
_SINCE_TAGS: Any = {"since": (2, 26)}

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
    _action("lock", "os-lock-server:lock", act.lock, wrapped("lock", parts.LOCK_REASON), since=(2, 73)),
    _action("unlock", "os-lock-server:unlock", act.unlock),
    _action(
        "os-resetState",
        "os-admin-actions:reset_state",
        act.reset_state,
        body("os-resetState", {"state": {"enum": ["active", "error"]}}, ("state",)),
    ),
    _action("os-getConsoleOutput", "os-console-output", act.console_output, parts.CONSOLE, 200),
    _action("forceDelete", "os-deferred-delete:force", act.force_delete),
    _action(
        "changePassword",
        "os-admin-password",
        act.change_password,
        body("changePassword", {"adminPass": {"type": "string"}}, ("adminPass",)),
    ),
    _action(
        "addSecurityGroup",
        "os-security-groups:add",
        server_extras.add_security_group,
        wrapped("addSecurityGroup", parts.GROUP),
    ),
    _action(
        "removeSecurityGroup",
        "os-security-groups:remove",
        server_extras.remove_security_group,
        wrapped("removeSecurityGroup", parts.GROUP),
    ),
    # What hangs on a server.
    _of_server("GET", "/metadata", f"{_M}index", server_metadata.index),
    _of_server("POST", "/metadata", f"{_M}create", server_metadata.create, 200, parts.METADATA),
    _of_server("PUT", "/metadata", f"{_M}update_all", server_metadata.update_all, 200, parts.METADATA),
    _of_server("GET", "/metadata/{key}", f"{_M}show", server_metadata.show),
    _of_server("PUT", "/metadata/{key}", f"{_M}update", server_metadata.update, 200, parts.META),
    _of_server("DELETE", "/metadata/{key}", f"{_M}delete", server_metadata.delete, 204),
    _of_server("GET", "/tags", f"{_T}index", server_tags.index, **_SINCE_TAGS),
    _of_server("PUT", "/tags", f"{_T}update_all", server_tags.update_all, 200, parts.TAGS, **_SINCE_TAGS),
    _of_server("DELETE", "/tags", f"{_T}delete_all", server_tags.delete_all, 204, **_SINCE_TAGS),
    _of_server("GET", "/tags/{tag}", f"{_T}show", server_tags.show, 204, **_SINCE_TAGS),
    _of_server("PUT", "/tags/{tag}", f"{_T}update", server_tags.update, 201, body="none", **_SINCE_TAGS),
    _of_server("DELETE", "/tags/{tag}", f"{_T}delete", server_tags.delete, 204, **_SINCE_TAGS),
    _of_server("GET", "/ips", "ips:index", ips.index),
    _of_server("GET", "/ips/{network}", "ips:show", ips.show),
    _of_server("GET", _VOLUMES, f"{_V}index", volume_attachments.index),
    *_by_version((49, 79), parts.attachment, "POST", _VOLUMES, f"{_V}create", volume_attachments.create),
    _of_server("GET", _VOLUME, f"{_V}show", volume_attachments.show),
    *_by_version(
        (85,), parts.changed_attachment, "PUT", _VOLUME, f"{_V}update", volume_attachments.update, 202
    ),
    _of_server("DELETE", _VOLUME, f"{_V}delete", volume_attachments.delete, 202),
    _of_server("GET", "/os-interface", f"{_I}list", interfaces.index),
    *_by_version((49,), parts.interface, "POST", "/os-interface", f"{_I}create", interfaces.create),
    _of_server("GET", "/os-interface/{port_id}", f"{_I}show", interfaces.show),
    _of_server("DELETE", "/os-interface/{port_id}", f"{_I}delete", interfaces.delete, 202),
    _of_server("GET", "/os-instance-actions", "os-instance-actions:list", instance_actions.index),
    _of_server("GET", "/os-instance-actions/{request_id}", "os-instance-actions:show", instance_actions.show),
    _of_server("GET", "/os-server-password", "os-server-password:show", server_extras.show_password),
    _of_server(
        "DELETE", "/os-server-password", "os-server-password:clear", server_extras.clear_password, 204
    ),
    _of_server("GET", "/os-security-groups", "os-security-groups:list", server_extras.list_security_groups),
    _of_server(
        "GET", "/migrations", "servers:migrations:index", server_extras.list_migrations, since=(2, 23)
    ),
    _of_server(
        "GET",
        "/migrations/{migration_id}",
        "servers:migrations:show",
        server_extras.show_migration,
        since=(2, 23),
    ),
    Route("GET", "/v2.1/os-migrations", f"{_P}os-migrations:index", server_extras.all_migrations),
    *(
        Route(
            "POST",
            "/v2.1/os-server-external-events",
            f"{_P}os-server-external-events:create",
            external_events.create,
            200,
            since,
            until,
            schema=schema,
        )
        for since, until, schema in schemas.ranges((51, 76, 82, 93), parts.events)
    ),
    Route(
        "POST",
        "/v2.1/os-assisted-volume-snapshots",
        f"{_P}os-assisted-volume-snapshots:create",
        assisted_volume_snapshots.create,
        200,
        schema=parts.ASSISTED_SNAPSHOT,
    ),
    *RESOURCE_ROUTES,
]
