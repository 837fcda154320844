"""`celaje inspect`: what it prints is what the tables hold."""

import importlib
import json

import pytest

from celaje.cli import anatomy, inspect, terminal
from celaje.cloud import SERVICES, service_class


def test_it_knows_every_service():
    assert sorted(anatomy.SERVICES) == sorted(SERVICES)


@pytest.mark.parametrize("service", SERVICES)
def test_every_flow_and_message_is_there(service):
    declared = service_class(service).flows_declared
    assert [row["flow"] for row in anatomy.flows(service)] == [flow.name for flow in declared]
    assert all(row["default"] for row in anatomy.flows(service))
    if importlib.util.find_spec(f"celaje.{service}.rpc"):
        assert {row["kind"] for row in anatomy.messages(service)} >= {"call", "cast"}
        assert all(row["timeout"] for row in anatomy.messages(service) if row["kind"] == "call")


def test_a_service_without_messages_has_none():
    assert anatomy.messages("placement") == []
    assert anatomy.states("placement") == []


def test_operations_are_routes_with_their_versions_joined():
    rows = anatomy.operations("volume")
    (one,) = [row for row in rows if (row["method"], row["path"]) == ("POST", "/v3/volumes")]
    assert (one["since"], one["until"]) == (None, None)


@pytest.mark.parametrize("service", SERVICES)
def test_joined_routes_are_all_routes(service):
    """Two paths that differ by the project alone are shown as one; nothing else is left out."""
    rows = anatomy.operations(service)
    joined = inspect._joined(rows)
    shown = set()
    for row in joined:
        for path in (
            row["path"].replace("[/{project_id}]", ""),
            row["path"].replace("[", "").replace("]", ""),
        ):
            shown.add((row["method"], path, row["action"]))
    assert shown == {(row["method"], row["path"], row["action"]) for row in rows}
    resources = [row["resource"] for row in joined]
    assert len([one for one, _ in inspect.groupby(resources)]) == len(set(resources))


@pytest.mark.parametrize("service", SERVICES)
def test_what_a_flow_is_about_is_no_description_of_its_arguments(service):
    assert not [row["flow"] for row in anatomy.flows(service) if row["about"].startswith("`")]


@pytest.mark.parametrize("table", list(anatomy.TABLES))
@pytest.mark.parametrize("width", [60, 80, 160])
def test_it_fits_into_a_terminal(monkeypatch, capsys, table, width):
    monkeypatch.setattr(terminal, "width", lambda: width)
    inspect.command([table], standalone_mode=False)
    lines = capsys.readouterr().out.splitlines()
    plain = [inspect.click.unstyle(line) for line in lines]
    too_long = [line for line in plain if len(line) > width and len(line.split()) > 2]
    assert not too_long


def test_json_is_the_whole_table(celaje):
    said = celaje("inspect", "states", "volume", "--json")
    rows = json.loads(said.stdout)["volume"]
    assert ("volume", "available") in {(row["resource"], row["state"]) for row in rows}


def test_an_unknown_service(celaje):
    said = celaje("inspect", "routes", "weather")
    assert said.returncode == 1
    assert "compute" in said.stderr
