"""The operator's policy file: YAML (or JSON, which is YAML) of `rule name: check`.

Read by `enforcer` at load and again when the file's stamp changes. Also the family's error.
"""

import os
from collections.abc import Mapping
from typing import Any

from celaje.common import errors

Stamp = tuple[int, int, int]


class PolicyError(errors.ConfigurationError):
    """A rule cannot be used: the words name the rule, the file where it has one, and the remedy."""

    text = "The policy cannot be used."


def stamp(path: str | os.PathLike[str] | None) -> Stamp | None:
    """What changes when the file does; None while there is no file. One stat call."""
    if path is None:
        return None
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise PolicyError(f"{path}: {error.strerror}") from error
    return (status.st_mtime_ns, status.st_size, status.st_ino)


def read(path: str | os.PathLike[str]) -> Mapping[str, Any]:
    """The overrides of the file; an empty file has none. Raises PolicyError with the file's name."""
    import yaml

    try:
        with open(path, encoding="utf-8") as file:
            data = yaml.safe_load(file)
    except OSError as error:
        raise PolicyError(f"{path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise PolicyError(f"{path}: not readable as YAML: {error}") from error
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise PolicyError(f"{path}: expected lines of 'rule name: check', found a {type(data).__name__}.")
    for name, check in data.items():
        if not isinstance(name, str):
            raise PolicyError(f"{path}: the rule name {name!r} is not a string; put it in quotes.")
        if check is None:
            raise PolicyError(f'{path}: rule {name} has no check; write "@" to allow everyone, "!" nobody.')
    return data
