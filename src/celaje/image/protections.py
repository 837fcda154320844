"""Property protections: who may create, read, change and delete which of an image's properties.

An operator's file has a section a pattern of names, the first that fits counts, and in it for each operation
roles, "@" (everybody) or "!" (nobody) — or, with property_protection_rule_format = policies, a policy rule.
Called by the handlers of images; what no section names is nobody's, as Glance has it.
"""

import configparser
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oslo_config import cfg

from celaje.common.errors import ConfigurationError
from celaje.common.wsgi import Request
from celaje.image.errors import NotAllowed
from celaje.image.patch import RESERVED_PREFIX

OPTIONS = [
    cfg.StrOpt("property_protection_file", help="File of property protections; without one there are none."),
    cfg.StrOpt(
        "property_protection_rule_format",
        default="roles",
        choices=["roles", "policies"],
        help="What the file names for each operation: roles, or a rule of the policy.",
    ),
]
_OPERATIONS = ("create", "read", "update", "delete")


@dataclass(frozen=True)
class _Section:
    pattern: re.Pattern[str]
    allowed: dict[str, tuple[str, ...]]


class Protections:
    """`path` None: everything is allowed."""

    def __init__(self, path: str | None, rule_format: str):
        self._sections = None if path is None else _read(Path(path), rule_format)
        self._by_rules = rule_format == "policies"

    @property
    def active(self) -> bool:
        return self._sections is not None

    def allows(self, request: Request, operation: str, name: str) -> bool:
        if self._sections is None or name.startswith(RESERVED_PREFIX):
            return True
        section = next((one for one in self._sections if one.pattern.match(name)), None)
        if section is None:
            return False
        allowed = section.allowed[operation]
        if "@" in allowed or "!" in allowed:
            return "@" in allowed
        if self._by_rules:
            return any(request.allows(rule, {"project_id": request.context.project_id}) for rule in allowed)
        return bool({role.lower() for role in request.context.roles} & set(allowed))

    def check(self, request: Request, operation: str, name: str) -> None:
        if not self.allows(request, operation, name):
            raise NotAllowed(f"Property '{name[:255]}' is protected")

    def check_change(
        self, request: Request, before: dict[str, str], after: dict[str, str], named: Collection[str] = ()
    ) -> None:
        """Every property that is another one, comes or goes, or was named: whoever could set a value to what
        it is could find out what it is."""
        if self._sections is None:
            return
        for name in before.keys() | after.keys():
            if name not in before:
                self.check(request, "create", name)
            elif name not in after:
                self.check(request, "delete", name)
            elif before[name] != after[name] or name in named:
                self.check(request, "update", name)

    def shown(self, request: Request, image: dict[str, Any]) -> dict[str, Any]:
        """The image with those of its properties that the caller may read."""
        if self._sections is None:
            return image
        kept = {
            name: value for name, value in image["properties"].items() if self.allows(request, "read", name)
        }
        return {**image, "properties": kept}


def _read(path: Path, rule_format: str) -> list[_Section]:
    parser = configparser.ConfigParser(interpolation=None)
    try:
        with path.open(encoding="utf-8") as file:
            parser.read_file(file)
    except (OSError, UnicodeError, configparser.Error) as error:
        raise ConfigurationError(f"property_protection_file {path}: {error}") from error
    return [_section(path, name, parser[name], rule_format) for name in parser.sections()]


def _section(path: Path, name: str, values: Any, rule_format: str) -> _Section:
    try:
        pattern = re.compile(name)
    except re.error as error:
        raise ConfigurationError(f"{path}: [{name}] is no regular expression: {error}.") from error
    allowed = {}
    for operation in _OPERATIONS:
        if operation not in values:
            raise ConfigurationError(f"{path}: [{name}] does not say who may {operation}.")
        words = tuple(word.strip().lower() for word in values[operation].split(",") if word.strip())
        if rule_format == "policies":
            words = tuple(word.strip() for word in values[operation].split(",") if word.strip())
            if len(words) > 1:
                raise ConfigurationError(f"{path}: [{name}] {operation} names more than one rule.")
        if {"@", "!"} <= set(words):
            raise ConfigurationError(f"{path}: [{name}] {operation} is for everybody and for nobody.")
        allowed[operation] = words
    return _Section(pattern, allowed)
