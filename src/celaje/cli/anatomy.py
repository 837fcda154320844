"""What the services are made of, read from the tables in the code: routes, messages, states, flows, filters.

`celaje inspect` prints it, `tools/coverage_page.py` makes the coverage page from it. Starts nothing, and
imports no more of a service than the table that is asked for.
"""

import importlib
import importlib.util
import inspect
from collections.abc import Iterator
from typing import Any

# As celaje.cloud.SERVICES, which would import far more than a printed table needs.
SERVICES = ("identity", "placement", "image", "network", "volume", "compute")

Row = dict[str, Any]

# Dictionaries of states where a service has no StateTable for them.
_STATE_COLUMNS = {"LASTING": "server, vm_state", "PASSING": "server, task_state"}

# Where a scheduler's configuration lists what takes part.
_LISTED = {
    ("volume", "filters"): (None, "scheduler_default_filters"),
    ("volume", "weighers"): (None, "scheduler_default_weighers"),
    ("compute", "filters"): ("filter_scheduler", "enabled_filters"),
}


def routes(service: str) -> list[Row]:
    """method, path, action, since, until, rule, status, authorized ("pipeline" or "handler")."""
    return [
        {
            "method": route.method,
            "path": route.path,
            "action": route.action,
            "since": _version(route.since),
            "until": _version(route.until),
            "rule": route.rule,
            "status": route.status,
            "authorized": route.authorize,
        }
        for route in route_table(service)
    ]


def route_table(service: str) -> list[Any]:
    """The Route rows themselves."""
    module = importlib.import_module(f"celaje.{service}.api.routes")
    return module.ROUTES if hasattr(module, "ROUTES") else module.build(_configuration(service))


def operations(service: str) -> list[Row]:
    """Routes, those that differ in nothing but their body's schema by microversion as one, from the first
    that has it until the last."""
    found: dict[tuple[Any, ...], Row] = {}
    for row in routes(service):
        key = (row["method"], row["path"], row["action"], row["rule"])
        known = found.get(key)
        if known is None:
            found[key] = row
        else:
            known["since"] = _earlier(known["since"], row["since"])
            known["until"] = _later(known["until"], row["until"])
    return list(found.values())


def messages(service: str) -> list[Row]:
    """topic, message, arguments, kind, timeout (an option or seconds, calls only), since, about."""
    return [
        {
            "topic": table.topic,
            "message": message.name,
            "arguments": list(message.signature.parameters),
            "kind": message.kind,
            "timeout": message.timeout,
            "since": message.since,
            "about": _first_sentence(message.doc),
        }
        for table in message_tables(service)
        for message in table.messages()
    ]


def policy_rules(service: str) -> list[Any]:
    """The policy Rules that the service declares."""
    module = importlib.import_module(f"celaje.{service}.api.policies")
    return list(module.RULES if hasattr(module, "RULES") else module.POLICIES)


def message_tables(service: str) -> list[Any]:
    """The classes of the service's rpc.py; none where it has no messages."""
    from celaje.common.messaging.table import Messages

    return list(_classes(_module(service, "rpc"), Messages))


def states(service: str) -> list[Row]:
    """resource, state, owners (flows), deadline (option of [flows] or of the service), way_out, about."""
    from celaje.common.states import State, StateTable

    found = []
    for name, value in vars(_module(service, "states")).items():
        if isinstance(value, StateTable):
            found.append((value.resource, list(value.states.values())))
        elif name in _STATE_COLUMNS and isinstance(value, dict):
            found.append((_STATE_COLUMNS[name], [one for one in value.values() if isinstance(one, State)]))
    return [
        {
            "resource": resource,
            "state": state.name,
            "owners": _several(getattr(state, "owner", ())),
            "deadline": getattr(state, "deadline", "") or None,
            "way_out": _several(getattr(state, "way_out", ())),
            "about": state.about,
        }
        for resource, several in found
        for state in several
    ]


def flows(service: str) -> list[Row]:
    """flow, version, deadline (an option of [flows], or seconds), default (its seconds), about, where."""
    declared = declared_flows(service)
    options = _options(service, "flows") if declared else {}
    return [
        {
            "flow": flow.name,
            "version": flow.version,
            "deadline": flow.deadline,
            "default": options[flow.deadline].default if flow.deadline in options else flow.deadline,
            "about": _first_sentence(_about_flow(flow)),
            "where": flow.function.__module__,
        }
        for flow in declared
    ]


def declared_flows(service: str) -> list[Any]:
    """The Flow objects; none where the service has no flows."""
    return list(getattr(_module(service, "conductor"), "FLOWS", []))


def filters(service: str) -> list[Row]:
    """kind ("filter" or "weigher"), name, default (on without configuration; of a weigher: its multiplier,
    0 if it is not listed), about."""
    rows = []
    for kind in ("filters", "weighers"):
        module = _module(service, f"scheduler.{kind}")
        base = getattr(module, kind[:-1].capitalize(), None)
        if base is None:
            continue
        listed = _listed(service, kind)
        for found in _classes(module, base):
            is_on = listed is None or found.__name__ in listed
            rows.append(
                {
                    "kind": kind[:-1],
                    "name": found.__name__,
                    "default": is_on if kind == "filters" else _multiplier(service, found) if is_on else 0,
                    "about": _first_sentence(_words(found)),
                }
            )
    return rows


TABLES = {"routes": routes, "rpc": messages, "states": states, "flows": flows, "filters": filters}


def _module(service: str, name: str) -> Any:
    """The module, or None: a service without messages lacks the file."""
    full = f"celaje.{service}.{name}"
    try:
        found = importlib.util.find_spec(full)
    except ModuleNotFoundError:
        found = None
    return importlib.import_module(full) if found else _Nothing


class _Nothing:
    """Stands for a module that the service does not have."""


def _configuration(service: str) -> Any:
    from celaje.common.conf import load

    return load(service, importlib.import_module(f"celaje.{service}.conf").OPTIONS)


def _options(service: str, group: str | None) -> dict[Any, Any]:
    declared = importlib.import_module(f"celaje.{service}.conf").OPTIONS
    return {option.dest: option for option in declared.get(group, ())}


def _listed(service: str, kind: str) -> list[str] | None:
    if (service, kind) not in _LISTED:
        return None
    group, name = _LISTED[service, kind]
    return _options(service, group)[name].default


def _multiplier(service: str, weigher: Any) -> Any:
    for group in (None, "filter_scheduler"):
        options = _options(service, group)
        if weigher.option in options:
            return options[weigher.option].default
    return None


def _classes(module: Any, base: type) -> Iterator[Any]:
    for value in vars(module).values():
        own = isinstance(value, type) and value.__module__ == module.__name__
        if own and issubclass(value, base) and value is not base:
            yield value


def _words(thing: Any) -> str:
    """Its own docstring; of a function without one, that of its file, which is the flow's."""
    own = inspect.cleandoc(thing.__doc__ or "")
    if own or isinstance(thing, type):
        return own
    return inspect.cleandoc(importlib.import_module(thing.__module__).__doc__ or "")


def _about_flow(flow: Any) -> str:
    """What its docstring says it does, or its file's where that only speaks of arguments."""
    own = inspect.cleandoc(flow.function.__doc__ or "")
    if own and not own.startswith("`"):
        return own
    text = inspect.cleandoc(importlib.import_module(flow.function.__module__).__doc__ or "")
    words = " ".join(text.split()).removeprefix(f"Flow {flow.name}").lstrip(":. ")
    return words[:1].upper() + words[1:]


def _first_sentence(text: str) -> str:
    words = " ".join(text.split())
    end = words.find(". ")
    return words[: end + 1] if end >= 0 else words


def _version(version: tuple[int, int] | None) -> str | None:
    return None if version is None else f"{version[0]}.{version[1]}"


def _earlier(one: str | None, other: str | None) -> str | None:
    return min(one, other, key=_numbers) if one and other else None


def _later(one: str | None, other: str | None) -> str | None:
    return max(one, other, key=_numbers) if one and other else None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def _several(value: Any) -> list[str]:
    return [value] if isinstance(value, str) and value else list(value or ())
