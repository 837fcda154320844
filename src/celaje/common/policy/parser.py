"""The policy language: text (or the old list of lists) to a tree.

Called by `enforcer` at load; makes plain nodes that `checks` compiles. Grammar, loosest first:
`or`, `and`, `not`, then `( ... )`, `@`, `!` or `kind:match`. The words are case-insensitive.
"""

import functools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

# Deeper than any rule that a person could read; keeps a broken file from exhausting the stack.
DEEPEST = 50

_WORDS = ("and", "or", "not")


class SyntaxProblem(ValueError):
    """The text is not an expression of the policy language; the words say where it broke."""


@dataclass(frozen=True, slots=True)
class Constant:
    """`@` (everyone) or `!` (nobody)."""

    value: bool


@dataclass(frozen=True, slots=True)
class Term:
    """`kind:match`."""

    kind: str
    match: str


@dataclass(frozen=True, slots=True)
class Not:
    part: "Node"


@dataclass(frozen=True, slots=True)
class All:
    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Either:
    parts: tuple["Node", ...]


Node = Constant | Term | Not | All | Either


def parse(expression: str | Sequence[str | Sequence[str]]) -> Node:
    """The tree of a check as it stands in a default or a file; an empty one allows everyone.

    Raises SyntaxProblem. (oslo.policy logs such a rule and denies; at load a plain error is kinder.)
    """
    if isinstance(expression, str):
        return _parsed(expression) if expression else Constant(True)
    return _from_lists(expression)


@functools.lru_cache(2048)
def _parsed(text: str) -> Node:
    """Trees are never changed, and a service's hundreds of rules have a dozen different texts."""
    return _Parser(text).parse()


def named_rules(node: Node) -> Iterator[str]:
    """The names that the tree refers to by `rule:`, in order of appearance."""
    match node:
        case Term("rule", name):
            yield name
        case Not(part):
            yield from named_rules(part)
        case All(parts) | Either(parts):
            for part in parts:
                yield from named_rules(part)


def _term(text: str) -> Node:
    if text == "@":
        return Constant(True)
    if text == "!":
        return Constant(False)
    kind, colon, match = text.partition(":")
    if not colon:
        raise SyntaxProblem(f"{text!r} is no check; checks look like role:admin or project_id:%(project_id)s")
    if not kind:
        raise SyntaxProblem(f"{text!r} has nothing before its colon")
    return Term(kind, match)


def _joined(make: type[All] | type[Either], parts: Sequence[Node]) -> Node:
    return parts[0] if len(parts) == 1 else make(tuple(parts))


def _from_lists(outer: Iterable[str | Sequence[str]]) -> Node:
    """The form before 2012: the outer list is joined by `or`, inner lists by `and`."""
    if not isinstance(outer, list | tuple):
        raise SyntaxProblem(f"a check is a string or a list, not {type(outer).__name__}")
    if not outer:
        return Constant(True)
    choices: list[Node] = []
    for inner in outer:
        if not inner:
            continue
        terms = [inner] if isinstance(inner, str) else inner
        if not isinstance(terms, list | tuple) or not all(isinstance(term, str) for term in terms):
            raise SyntaxProblem(f"{inner!r} is neither a check nor a list of checks")
        choices.append(_joined(All, [_term(term) for term in terms]))
    return _joined(Either, choices) if choices else Constant(False)


def _tokens(text: str) -> Iterator[str]:
    """Words, checks and single parentheses. A check may hold parentheses inside (`%(name)s`), but neither
    begins nor ends with one, so only those at the ends of a word are structure."""
    for word in re.split(r"\s+", text.strip()):
        core = word.lstrip("(")
        yield from "(" * (len(word) - len(core))
        check = core.rstrip(")")
        if check:
            yield check
        yield from ")" * (len(core) - len(check))


class _Parser:
    """Recursive descent over the tokens of one expression."""

    def __init__(self, text: str):
        self._text = text
        self._left = list(_tokens(text))[::-1]
        self._depth = 0

    def parse(self) -> Node:
        node = self._either()
        if self._left:
            raise self._unexpected(self._left[-1])
        return node

    def _unexpected(self, token: str | None) -> SyntaxProblem:
        return SyntaxProblem(f"unexpected {'end' if token is None else repr(token)} in {self._text!r}")

    def _accepts(self, word: str) -> bool:
        if self._left and self._left[-1].lower() == word:
            self._left.pop()
            return True
        return False

    def _either(self) -> Node:
        parts = [self._all()]
        while self._accepts("or"):
            parts.append(self._all())
        return _joined(Either, parts)

    def _all(self) -> Node:
        parts = [self._single()]
        while self._accepts("and"):
            parts.append(self._single())
        return _joined(All, parts)

    def _single(self) -> Node:
        self._depth += 1
        if self._depth > DEEPEST:
            raise SyntaxProblem(f"nested deeper than {DEEPEST} levels: {self._text[:60]!r}...")
        try:
            if self._accepts("not"):
                return Not(self._single())
            if self._accepts("("):
                node = self._either()
                if not self._accepts(")"):
                    raise self._unexpected(self._left[-1] if self._left else None)
                return node
            token = self._left.pop() if self._left else None
            if token is None or token == ")" or token.lower() in _WORDS:
                raise self._unexpected(token)
            if len(token) > 1 and token[0] == token[-1] and token[0] in "'\"":
                raise SyntaxProblem(f"{token} is a bare string, not a check")
            return _term(token)
        finally:
            self._depth -= 1
