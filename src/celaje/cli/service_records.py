"""`celaje service list|disable|enable`: the workers of a running cloud, by its public APIs, as its admin.

The login is that of a clouds.yaml, as the `openstack` command reads it.
"""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click

from celaje.cli.failure import Failure

Row = dict[str, Any]

# What the binaries' names begin with, and who lists them.
_OWNERS = {"nova-": "compute", "cinder-": "volume"}


def login(function: Any) -> Any:
    function = click.option(
        "--cloud", envvar="OS_CLOUD", default="celaje", show_default=True, help="Its name in clouds.yaml."
    )(function)
    return click.option(
        "--clouds",
        envvar="OS_CLIENT_CONFIG_FILE",
        type=click.Path(path_type=Path, dir_okay=False),
        help="clouds.yaml; default: ./clouds.yaml, then the one of the state directory.",
    )(function)


@click.command("list")
@login
def list_command(clouds: Path | None, cloud: str) -> None:
    """Show schedulers, conductors and workers: who is up, who is disabled."""
    from celaje.cli import terminal

    rows = _Records(clouds, cloud).all()
    wide = max((len(row["binary"]) for row in rows), default=0)
    far = max((len(row["host"]) for row in rows), default=0)
    for row in rows:
        shown = (
            terminal.good(f"{row['state']:5}") if row["state"] == "up" else terminal.bad(f"{row['state']:5}")
        )
        reason = f"  {row['disabled_reason']}" if row.get("disabled_reason") else ""
        click.echo(f"  {row['binary']:{wide}}  {row['host']:{far}}  {shown}  {row['status']}{reason}")


@click.command("disable")
@click.argument("binary")
@click.argument("host")
@click.option("--reason", help="Shown beside it.")
@login
def disable(binary: str, host: str, reason: str | None, clouds: Path | None, cloud: str) -> None:
    """Give a worker no more work: celaje service disable nova-compute HOST.

    What it has goes on; what waits for one that never comes back is failed at its deadline.
    """
    _Records(clouds, cloud).change(binary, host, "disabled", reason)
    click.echo(f"  {binary} on {host} is disabled")


@click.command("enable")
@click.argument("binary")
@click.argument("host")
@login
def enable(binary: str, host: str, clouds: Path | None, cloud: str) -> None:
    """Give a worker work again."""
    _Records(clouds, cloud).change(binary, host, "enabled", None)
    click.echo(f"  {binary} on {host} is enabled")


class _Records:
    def __init__(self, clouds: Path | None, cloud: str):
        from celaje.common.rest import RestClient
        from celaje.common.rest.catalog import Endpoints

        auth = _auth(clouds, cloud)
        options = SimpleNamespace(
            auth_url=auth.get("auth_url"),
            username=auth.get("username"),
            password=auth.get("password"),
            project_name=auth.get("project_name", "admin"),
            user_domain_name=auth.get("user_domain_name", "Default"),
            project_domain_name=auth.get("project_domain_name", "Default"),
            region_name=None,
            interface="public",
            cafile=auth.get("cacert"),
            http_connect_timeout=30.0,
        )
        endpoints = Endpoints(SimpleNamespace(keystone_authtoken=options), None)
        if endpoints.credentials is None:
            raise Failure(f"The entry {cloud} needs auth_url, username and password.")
        self._clients = {
            name: RestClient(endpoints.to(name), endpoints.credentials, own=True)
            for name in ("compute", "volume", "network")
        }
        for name, client in self._clients.items():
            client.service_type = name

    def all(self) -> list[Row]:
        rows = [*self._services("compute"), *self._services("volume")]
        for agent in self._ask("network", "GET", "/v2.0/agents")["agents"]:
            rows.append(
                {
                    "binary": agent["binary"],
                    "host": agent["host"],
                    "state": "up" if agent["alive"] else "down",
                    "status": "enabled" if agent["admin_state_up"] else "disabled",
                }
            )
        return rows

    def change(self, binary: str, host: str, status: str, reason: str | None) -> None:
        owner = next((name for start, name in _OWNERS.items() if binary.startswith(start)), None)
        known = [row for row in self.all() if row["binary"] == binary and row["host"] == host]
        if owner is None or not known:
            raise Failure(f"There is no {binary} on {host}.", "Look: celaje service list")
        verb = "enable" if status == "enabled" else "disable"
        body: Row = {"host": host, "binary": binary}
        if reason and verb == "disable":
            verb, body["disabled_reason"] = "disable-log-reason", reason
        path = "/v2.1" if owner == "compute" else "/v3"
        self._ask(owner, "PUT", f"{path}/os-services/{verb}", body)

    def _services(self, owner: str) -> list[Row]:
        path = "/v2.1" if owner == "compute" else "/v3"
        return self._ask(owner, "GET", f"{path}/os-services")["services"]

    def _ask(self, owner: str, method: str, path: str, body: Any = None) -> Any:
        from celaje.common.errors import CelajeError

        try:
            return self._clients[owner].request(method, path, body=body).body
        except CelajeError as error:
            raise Failure(error.message) from error


def _auth(clouds: Path | None, cloud: str) -> Row:
    import yaml

    from celaje.cli.state import default_state

    places = [clouds] if clouds else [Path("clouds.yaml"), default_state() / "clouds.yaml"]
    file = next((place for place in places if place.exists()), None)
    if file is None:
        raise Failure(f"There is no {places[0]}.", "Name the login's file with --clouds.")
    try:
        entry = (yaml.safe_load(file.read_text()) or {}).get("clouds", {})[cloud]
        return {**entry["auth"], "cacert": entry.get("cacert")}
    except (OSError, yaml.YAMLError, AttributeError, TypeError) as error:
        raise Failure(f"{file} cannot be read: {error}") from error
    except KeyError as error:
        raise Failure(f"{file} has no {error} for the cloud {cloud}.") from error
