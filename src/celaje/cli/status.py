"""`celaje status`: what is up, asked from outside by the public APIs alone."""

import http.client
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from celaje.cli.failure import Failure
from celaje.cli.state import StateDirectory, default_state, read_record

# Where each service tells its versions without a token.
DISCOVERY = {
    "identity": "/identity/v3",
    "image": "/image/versions",
    "volume": "/volume/",
    "compute": "/compute/",
    "placement": "/placement/",
    "network": "/network/",
}


@click.command("status")
@click.option("--state", type=click.Path(path_type=Path), help="The cloud's folder.")
@click.option("--url", help="Ask this address instead of the one that the folder names.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def command(state: Path | None, url: str | None, as_json: bool) -> None:
    """Tell from outside what is up."""
    folder = state or default_state()
    record = read_record(folder)
    url = url or (record or {}).get("url")
    if not url or (record and not StateDirectory(folder).held()):
        raise Failure(f"No cloud runs on {folder}.", "Start one: celaje up", code=3)
    answers = {name: _ask(url, path) for name, path in DISCOVERY.items()}
    services = _workers(folder, url)
    if as_json:
        click.echo(json.dumps({"url": url, "apis": answers, "services": services}))
    else:
        _print(url, answers, services)
        if not services:
            click.echo(
                "  What runs behind the APIs could not be asked: no login with the folder's clouds.yaml.\n"
            )
    if not all(answer["up"] for answer in answers.values()):
        raise SystemExit(1)


def _ask(url: str, path: str) -> dict[str, Any]:
    try:
        status, _, _ = _request(url, "GET", path)
    except OSError as error:
        return {"up": False, "why": str(error)}
    return {"up": status in (200, 300), "why": f"status {status}"}


def _request(
    url: str, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], Any]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=5)
    try:
        connection.request(
            method,
            path,
            json.dumps(body) if body is not None else None,
            {"Content-Type": "application/json", **(headers or {})},
        )
        response = connection.getresponse()
        raw = response.read()
        found = {name.lower(): value for name, value in response.getheaders()}
        return response.status, found, json.loads(raw) if raw else None
    finally:
        connection.close()


def _workers(folder: Path, url: str) -> list[dict[str, str]]:
    """Schedulers, conductors and workers, as the services' own lists show them to the admin."""
    import yaml

    try:
        auth = yaml.safe_load((folder / "clouds.yaml").read_text())["clouds"]["celaje"]["auth"]
    except (OSError, KeyError, TypeError):
        return []
    login = {
        "auth": {
            "identity": {
                "methods": ["password"],
                "password": {
                    "user": {
                        "name": auth["username"],
                        "password": auth["password"],
                        "domain": {"id": "default"},
                    }
                },
            },
            "scope": {"project": {"name": auth["project_name"], "domain": {"id": "default"}}},
        }
    }
    try:
        status, headers, answer = _request(url, "POST", "/identity/v3/auth/tokens", login)
        if status != 201:
            return []
        token = {"X-Auth-Token": headers["x-subject-token"]}
        project = answer["token"]["project"]["id"]
        _, _, compute = _request(url, "GET", "/compute/v2.1/os-services", headers=token)
        _, _, volume = _request(url, "GET", f"/volume/v3/{project}/os-services", headers=token)
        _, _, network = _request(url, "GET", "/network/v2.0/agents", headers=token)
    except (OSError, KeyError, TypeError, ValueError):
        return []
    found = [
        {"binary": row["binary"], "host": row["host"], "state": row["state"], "status": row["status"]}
        for answer in (compute, volume)
        for row in (answer or {}).get("services", [])
    ]
    found += [
        {
            "binary": row["binary"],
            "host": row["host"],
            "state": "up" if row["alive"] else "down",
            "status": "enabled" if row["admin_state_up"] else "disabled",
        }
        for row in (network or {}).get("agents", [])
    ]
    return found


def _print(url: str, answers: dict[str, dict[str, Any]], services: list[dict[str, str]]) -> None:
    click.echo(f"\n  {url}\n")
    for name, answer in answers.items():
        mark = click.style("up", fg="green") if answer["up"] else click.style("down", fg="red", bold=True)
        why = "" if answer["up"] else f"  {answer['why']}"
        click.echo(f"  {name:22}{mark}{why}")
    if services:
        click.echo("")
    for row in services:
        color = "green" if row["state"] == "up" else "red"
        note = "" if row["status"] == "enabled" else "  disabled"
        click.echo(f"  {row['binary']:22}{click.style(row['state'], fg=color):8} {row['host']}{note}")
    click.echo("")
