"""The operator's policy files: YAML (or JSON, which is YAML) of `rule name: check`.

Read by `enforcer` at load and again when their stamp changes. Also the family's error.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from celaje.common import errors

# (path, mtime in ns, size, inode) of each file that there is.
Stamp = tuple[tuple[str, int, int, int], ...]


class PolicyError(errors.ConfigurationError):
    """A rule cannot be used: the words name the rule, the file where it has one, and the remedy."""

    text = "The policy cannot be used."


class OverrideFiles:
    """One file, and folders of more; the folders' files win over it, later ones over earlier ones, as in
    oslo.policy. What does not exist has no rules."""

    def __init__(
        self, path: str | os.PathLike[str] | None = None, folders: Iterable[str | os.PathLike[str]] = ()
    ):
        self._path = Path(path) if path is not None else None
        self._folders = [Path(folder) for folder in folders]

    def __str__(self) -> str:
        return ", ".join(str(path) for path in [self._path, *self._folders] if path is not None)

    def present(self) -> list[Path]:
        """The files that there are, in the order in which they count."""
        found = [self._path] if self._path is not None and self._path.exists() else []
        for folder in self._folders:
            try:
                # An editor's copies and hidden files are none of the operator's.
                inside = [path for path in folder.iterdir() if not path.name.startswith(".")]
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                raise PolicyError(f"{folder}: {error.strerror}") from error
            found += sorted(path for path in inside if path.is_file())
        return found

    def stamp(self) -> Stamp:
        """What changes when a file does, comes or goes."""
        found = []
        for path in self.present():
            try:
                status = path.stat()
            except FileNotFoundError:
                continue
            except OSError as error:
                raise PolicyError(f"{path}: {error.strerror}") from error
            found.append((str(path), status.st_mtime_ns, status.st_size, status.st_ino))
        return tuple(found)

    def read(self) -> dict[str, tuple[Any, str]]:
        """name -> (check, the file that says so). Raises PolicyError with the file's name."""
        return {name: (check, str(path)) for path in self.present() for name, check in _read(path).items()}


def _read(path: Path) -> Mapping[str, Any]:
    """The overrides of one file; an empty one has none."""
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
