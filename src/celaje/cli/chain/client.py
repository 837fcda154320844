"""How long the client waits: `api_timeout` in clouds.yaml, which openstacksdk hands to its session.

Used by `celaje timeouts`. Source: openstacksdk's configuration documentation.
"""

import os
from pathlib import Path
from typing import Any

from celaje.common.errors import ConfigurationError


def timeout(file: Path, cloud: str) -> tuple[float | None, str]:
    """Seconds (None: the client waits for ever) and where that stands. Raises ConfigurationError."""
    import yaml

    try:
        root = yaml.compose(file.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{file} cannot be read: {error}") from error
    described = _at(_at(root, "clouds"), cloud)
    if described is None:
        raise ConfigurationError(f"{file} describes no cloud {cloud}.")
    for node, whose in ((described, cloud), (_at(root, "client"), "client")):
        for key in ("api_timeout", "timeout"):
            value = _at(node, key)
            if value is not None:
                place = f"{file}:{value.start_mark.line + 1}"
                try:
                    return float(value.value), place
                except (TypeError, ValueError):
                    raise ConfigurationError(f"{place}: {whose}.{key} is not a number of seconds.") from None
    return None, f"{file}: no api_timeout"


def usual(state: Path | None) -> Path | None:
    """The clouds.yaml that a client in this shell would read first, else that of the state directory."""
    named = os.environ.get("OS_CLIENT_CONFIG_FILE")
    places = [Path(named)] if named else []
    places += [Path("clouds.yaml"), Path.home() / ".config/openstack/clouds.yaml"] if not state else []
    places += [state / "clouds.yaml"] if state else []
    return next((path.absolute() for path in places if path.is_file()), None)


def clouds(file: Path) -> list[str]:
    import yaml

    try:
        found = yaml.safe_load(file.read_text())
        return list(found["clouds"])
    except (OSError, KeyError, TypeError, yaml.YAMLError):
        return []


def _at(node: Any, key: str) -> Any:
    """The value node of a mapping's key; None for what is not there."""
    pairs = node.value if node is not None and node.id == "mapping" else ()
    return next((value for name, value in pairs if name.value == key), None)
