"""The design's rules, held: who may import the database, messages and their receivers, states and owners."""

import ast
import importlib
import pkgutil
from pathlib import Path

import pytest

import celaje
from celaje.cloud import SERVICES, service_class
from celaje.common.messaging.table import Messages, check
from celaje.common.states import Passing

SOURCE = Path(celaje.__file__).parent
WITH_MESSAGES = ("volume", "compute", "network")


def modules(service):
    return sorted((SOURCE / service).rglob("*.py"))


def imported(path):
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_database(name):
    parts = name.split(".")
    return parts[0] in ("sqlalchemy", "alembic") or (parts[0] == "celaje" and "db" in parts)


@pytest.mark.parametrize("service", SERVICES)
def test_only_api_and_conductor_import_the_database(service):
    """Workers, schedulers and drivers get all they need in messages (design, rule 3)."""
    for path in modules(service):
        relative = path.relative_to(SOURCE / service)
        if relative.parts[0] in ("worker.py", "scheduler", "drivers", "stores"):
            found = sorted({name for name in imported(path) if is_database(name)})
            assert not found, f"{relative} imports {found}"


@pytest.mark.parametrize("service", SERVICES)
def test_services_know_each_other_by_rest_only(service):
    others = set(SERVICES) - {service}
    for path in modules(service):
        for name in imported(path):
            parts = name.split(".")
            if parts[0] == "celaje" and len(parts) > 1:
                assert parts[1] not in others, f"{path.relative_to(SOURCE)} imports {name}"


def test_time_and_identifiers_come_from_the_clock_alone():
    allowed = {"common/clock.py", "cli/up.py", "cli/all_in_one.py"}
    for path in sorted(SOURCE.rglob("*.py")):
        relative = str(path.relative_to(SOURCE))
        if relative in allowed:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                words = ast.unparse(node.func)
                assert words not in (
                    "time.time", "time.sleep", "time.monotonic", "uuid.uuid4", "uuid.uuid1", "datetime.now",
                    "datetime.datetime.now", "datetime.datetime.utcnow", "datetime.utcnow", "random.random",
                    "random.choice", "random.randint", "random.shuffle", "secrets.token_hex",
                    "secrets.token_urlsafe", "os.urandom",
                ), f"{relative}:{node.lineno} calls {words}"  # fmt: skip


def test_no_shell():
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                words = ast.unparse(node.func)
                where = f"{path.relative_to(SOURCE)}:{node.lineno}"
                assert words not in ("os.system", "os.popen", "subprocess.getoutput"), where
                shell = [keyword for keyword in node.keywords if keyword.arg == "shell"]
                assert not shell, where


def test_nothing_is_called_helpers():
    for path in SOURCE.rglob("*.py"):
        assert path.stem not in ("utils", "helpers", "misc", "common", "manager", "manager2"), path


@pytest.mark.parametrize("service", SERVICES)
def test_files_stay_small(service):
    for path in modules(service):
        if "migrations" in path.parts:
            continue  # as long as the tables that it makes
        assert len(path.read_text().splitlines()) <= 500, f"{path} wants a cut along its nouns"


@pytest.mark.parametrize("service", WITH_MESSAGES)
def test_senders_and_receivers_agree(cloud, service):
    """Each message's sender and the methods of whoever serves it have one signature."""
    running = cloud.running[service]
    served = [(listener._table, listener._endpoint) for listener in running._servers]
    for table, endpoint in served:
        assert check(table, type(endpoint)) == [], table
    module = importlib.import_module(f"celaje.{service}.rpc")
    tables = {
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Messages) and value.__module__ == module.__name__
    }
    assert tables <= {table for table, _ in served}, "a message table that nobody serves"


@pytest.mark.parametrize("service", SERVICES)
def test_every_route_has_a_rule_that_the_policy_knows(cloud, service):
    api = cloud.running[service].api
    for route in api.routes:
        if route.rule is not None:
            assert route.rule in api.policy, f"{route.name}: {route.rule}"


@pytest.mark.parametrize("service", SERVICES)
def test_every_passing_state_has_an_owner_that_exists(service):
    try:
        states = importlib.import_module(f"celaje.{service}.states")
    except ModuleNotFoundError:
        pytest.fail(f"{service} has no states.py") if service in WITH_MESSAGES else None
        return
    declared = {flow.name for flow in service_class(service).flows_declared}
    passing = [
        state
        for value in vars(states).values()
        for state in (
            value.states.values()
            if hasattr(value, "states")
            else value.values()
            if isinstance(value, dict)
            else ()
        )
        if isinstance(state, Passing)
    ]
    assert passing or service not in WITH_MESSAGES
    for state in passing:
        unknown = set(state.owners) - declared
        assert not unknown, f"{service} {state.name}: no flow {unknown}"


@pytest.mark.parametrize("service", SERVICES)
def test_every_deadline_is_an_option(cloud, service):
    conf = cloud.running[service].conf
    for flow in service_class(service).flows_declared:
        if isinstance(flow.deadline, str):
            assert getattr(conf.flows, flow.deadline) > 0


def test_every_module_says_what_it_is():
    for info in pkgutil.walk_packages([str(SOURCE)], "celaje."):
        path = SOURCE.parent / Path(*info.name.split("."))
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        if "migrations" in path.parts:
            continue
        assert ast.get_docstring(ast.parse(path.read_text())), f"{info.name} has no docstring"
