"""The policy of one service: its rules, the operator's overrides, and the decision.

Made once at start from the service's rules; asked by the WSGI pipeline and by handlers. The compiled set
is replaced as a whole on a reload, so readers need no lock.
"""

import difflib
import logging
import os
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from celaje.common import errors
from celaje.common.context import RequestContext
from celaje.common.policy.checks import Check, compile_check
from celaje.common.policy.overrides import OverrideFiles, PolicyError
from celaje.common.policy.parser import Node, SyntaxProblem, named_rules, parse
from celaje.common.policy.rules import Rule

LOG = logging.getLogger(__name__)

_ROLE = re.compile(r"\brole:([\w.\-]+)")

Expression = str | Sequence[str | Sequence[str]]

# From files: name -> (its expression, the file).
Overrides = Mapping[str, tuple[Any, str]]


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A rule in force: its text, its closure, who may try, where the text came from."""

    text: str
    check: Check
    scope_types: tuple[str, ...]
    origin: str
    refers_to: tuple[str, ...]


class Policy:
    """Decides. `overrides` (from code) win over the files of `folders`, which win over the file at `path`,
    which wins over the defaults.

    A file that does not exist yet is no error: it counts from the `refresh` after it appears. `enforce_scope`
    False: a token of another scope than a rule means may try all the same, as with oslo.policy's option.
    Raises PolicyError for anything that cannot be compiled.
    """

    def __init__(
        self,
        rules: Iterable[Rule],
        overrides: Mapping[str, Expression] | None = None,
        path: str | os.PathLike[str] | None = None,
        *,
        folders: Iterable[str | os.PathLike[str]] = (),
        enforce_scope: bool = True,
    ):
        self._defaults: dict[str, Rule] = {}
        for rule in rules:
            if rule.name in self._defaults:
                raise PolicyError(f"Policy rule {rule.name} is declared twice.")
            self._defaults[rule.name] = rule
        self._overrides = dict(overrides or {})
        self._files = OverrideFiles(path, folders)
        self._enforce_scope = enforce_scope
        self._stamp = self._files.stamp()
        self._rules = self._load()

    def __contains__(self, rule: object) -> bool:
        return rule in self._rules

    def __iter__(self) -> Iterator[str]:
        return iter(self._rules)

    def allows(self, rule: str, target: Mapping[str, Any], context: RequestContext) -> bool:
        """Whether the context's token has a scope that may try `rule`, and its check holds on `target`."""
        compiled = self._find(rule)
        credentials = _credentials(context)
        if not self._is_in_scope(compiled, credentials):
            return False
        return compiled.check(target, credentials)

    def _is_in_scope(self, compiled: _Compiled, credentials: Mapping[str, Any]) -> bool:
        if not compiled.scope_types or not self._enforce_scope:
            return True
        return _scope(credentials) in compiled.scope_types

    def enforce(self, rule: str, target: Mapping[str, Any], context: RequestContext) -> None:
        """Raise errors.Forbidden unless allowed. Its details tell why: `action`, `check` (text), `origin`
        of the check, `roles` and `scope` of the caller, `scope_types` wanted, `reason` check|scope, `needs`
        (the roles of which one more would do)."""
        if self.allows(rule, target, context):
            return
        compiled = self._find(rule)
        credentials = _credentials(context)
        scope = _scope(credentials)
        reason = "check" if self._is_in_scope(compiled, credentials) else "scope"
        needs = self._roles_that_would_do(rule, target, context) if reason == "check" else []
        words = f"Policy doesn't allow {rule} to be performed."
        if needs:
            words += f" It takes the role {' or '.join(needs)}."
        elif reason == "scope":
            words += f" It takes a token of scope {' or '.join(compiled.scope_types)}; this one's is {scope}."
        raise errors.Forbidden(
            words,
            action=rule,
            reason=reason,
            check=compiled.text,
            origin=compiled.origin,
            roles=list(context.roles),
            scope=scope,
            scope_types=list(compiled.scope_types),
            needs=needs,
        )

    def _roles_that_would_do(
        self, rule: str, target: Mapping[str, Any], context: RequestContext
    ) -> list[str]:
        """Of the roles that the rule speaks of, those with one of which it would hold."""
        texts = " ".join(text for text, _ in self.explain(rule).values())
        check = self._find(rule).check
        return [
            role
            for role in sorted(set(_ROLE.findall(texts)))
            if check(target, _credentials(context.but(roles=(*context.roles, role))))
        ]

    def explain(self, rule: str) -> dict[str, tuple[str, str]]:
        """The rule and every rule it leads to: name -> (check text, origin). For `celaje why`."""
        found: dict[str, tuple[str, str]] = {}
        pending = [rule]
        while pending:
            name = pending.pop(0)
            if name not in found:
                compiled = self._find(name)
                found[name] = (compiled.text, compiled.origin)
                pending.extend(compiled.refers_to)
        return found

    def refresh(self) -> bool:
        """Load again if the file changed (a stat call otherwise); True if it did and now counts.

        A file that cannot be used is logged, and the rules in force stay: an editor's half-written file
        must neither open nor close a running service.
        """
        try:
            now = self._files.stamp()
            if now == self._stamp:
                return False
            self._stamp = now
            self._rules = self._load()
        except PolicyError as error:
            LOG.error("The policy stays as it was: %s", error)
            return False
        LOG.info("Policy loaded again from %s", self._files)
        return True

    def sample(self) -> str:
        """All default rules as a commented YAML file, to copy single lines from."""
        import yaml

        blocks = []
        for rule in self._defaults.values():
            lines = [f"# {line}" for line in textwrap.wrap(rule.description, 100)]
            if rule.scope_types:
                lines.append(f"# Intended scope: {', '.join(rule.scope_types)}")
            entry = yaml.safe_dump({rule.name: rule.check}, default_style='"', width=10_000).strip()
            blocks.append("\n".join([*lines, f"#{entry}"]))
        return "\n\n".join(blocks) + "\n"

    def _find(self, rule: str) -> _Compiled:
        try:
            return self._rules[rule]
        except KeyError:
            raise PolicyError(
                f"The service has no policy rule {rule}.{_nearest(rule, self._rules)}"
            ) from None

    def _expression(self, name: str, file: Overrides) -> Expression:
        if name in self._overrides:
            return self._overrides[name]
        return file[name][0] if name in file else self._defaults[name].check

    def _load(self) -> dict[str, _Compiled]:
        file = self._files.read() if self._stamp else {}
        names = dict.fromkeys([*self._defaults, *file, *self._overrides])
        trees: dict[str, Node] = {}
        for name in names:
            try:
                trees[name] = parse(self._expression(name, file))
            except SyntaxProblem as problem:
                raise PolicyError(f"Policy rule {name} ({self._origin(name, file)}): {problem}.") from None
        self._refuse_unknown(trees, file)
        return self._compile(trees, file)

    def _origin(self, name: str, file: Overrides) -> str:
        if name in self._overrides:
            return "override"
        return file[name][1] if name in file else "default"

    def _refuse_unknown(self, trees: Mapping[str, Node], file: Overrides) -> None:
        """A name that neither the service declares nor another rule uses is a slip of the pen; one that is
        used is the operator's own named expression."""
        used = {reference for tree in trees.values() for reference in named_rules(tree)}
        for name in trees:
            if name not in self._defaults and name not in used:
                raise PolicyError(
                    f"Policy rule {name} ({self._origin(name, file)}) is not a rule of this service, and no"
                    f" rule refers to it.{_nearest(name, self._defaults)}"
                )

    def _compile(self, trees: Mapping[str, Node], file: Overrides) -> dict[str, _Compiled]:
        """Depth first, so that a reference is the referenced closure itself and costs no lookup."""
        checks: dict[str, Check] = {}
        trail: list[str] = []

        def resolve(name: str) -> Check:
            if name in checks:
                return checks[name]
            if name not in trees:
                where = f"{trail[-1]} ({self._origin(trail[-1], file)})"
                raise PolicyError(
                    f"Policy rule {where} refers to rule:{name}, which does not exist.{_nearest(name, trees)}"
                )
            if name in trail:
                raise PolicyError(f"Policy rules refer to each other in a circle: {_circle(trail, name)}.")
            trail.append(name)
            try:
                checks[name] = compile_check(trees[name], resolve)
            except SyntaxProblem as problem:
                raise PolicyError(f"Policy rule {name} ({self._origin(name, file)}): {problem}.") from None
            trail.pop()
            return checks[name]

        return {
            name: _Compiled(
                text=_as_text(self._expression(name, file)),
                check=resolve(name),
                scope_types=self._defaults[name].scope_types if name in self._defaults else (),
                origin=self._origin(name, file),
                refers_to=tuple(named_rules(trees[name])),
            )
            for name in trees
        }


def _as_text(expression: Expression) -> str:
    if isinstance(expression, str):
        return expression
    return " or ".join(
        inner if isinstance(inner, str) else f"({' and '.join(inner)})" for inner in expression if inner
    )


def _circle(trail: list[str], name: str) -> str:
    return " -> ".join([*trail[trail.index(name) :], name])


def _nearest(name: str, names: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(names), n=1)
    return f" Did you mean {close[0]}?" if close else ""


def _credentials(context: RequestContext) -> dict[str, Any]:
    credentials = context.credentials()
    if credentials["system_scope"]:
        # Rules written before the rename say `system:all`; oslo.policy serves both names.
        credentials["system"] = credentials["system_scope"]
    return credentials


def _scope(credentials: Mapping[str, Any]) -> str:
    """The token's kind, as oslo.policy tells them: neither system nor domain counts as project."""
    if credentials["system_scope"]:
        return "system"
    return "domain" if credentials["domain_id"] else "project"
