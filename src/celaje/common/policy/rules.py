"""A policy rule as a service declares it: the default that an operator's file may override.

Services list them; `enforcer.Policy` compiles them.
"""

from dataclasses import dataclass

SCOPES = ("system", "domain", "project")


@dataclass(frozen=True, slots=True)
class Rule:
    """One operation, or one named expression that other rules use through `rule:name`.

    `scope_types` are the kinds of token that may try at all ("system", "domain", "project"); an empty
    tuple lets every kind try, which is right for named expressions.
    """

    name: str
    check: str
    description: str = ""
    scope_types: tuple[str, ...] = ("project",)

    def __post_init__(self) -> None:
        wrong = [scope for scope in self.scope_types if scope not in SCOPES]
        if wrong:
            raise ValueError(f"Policy rule {self.name}: unknown scope types {wrong}, known are {SCOPES}.")
