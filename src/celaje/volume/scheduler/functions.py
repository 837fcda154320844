"""The language of `filter_function` and `goodness_function`: a formula over a back end and a request.

Called by DriverFilter and GoodnessWeigher. Numbers, quoted strings, `stats.free_capacity_gb`-like variables,
`+ - * / ^`, comparisons, `not and or` (`! & |`), `a ? b : c`, `abs min max`. Source: Cinder's administration
guide, "Driver filter and weighing for scheduler".
"""

import functools
import math
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from celaje.common.errors import Invalid

LONGEST = 4096
DEEPEST = 64
LARGEST_POWER = 1024

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d*)?|\.\d+)|(?P<name>[A-Za-z_][\w.\-]*(?<![.\-]))"
    r"|\"(?P<double>[^\"]*)\"|'(?P<single>[^']*)'|(?P<sign><=|>=|==|!=|<>|[-+*/^<>!&|?:(),]))"
)
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<>": operator.ne,
}
_FUNCTIONS: dict[str, tuple[int, Callable[..., float]]] = {"abs": (1, abs), "min": (2, min), "max": (2, max)}

Names = Mapping[str, Any]
Formula = Callable[[Names], Any]


class FormulaError(Invalid):
    """The formula does not parse, or cannot be worked out: an unknown name, a division by zero."""


def evaluate(formula: str, names: Names) -> Any:
    """The formula's value. `names` are mappings by their first word: stats, capabilities, volume, extra,
    qos. Raises FormulaError."""
    try:
        return parse(formula)(names)
    except (TypeError, ValueError, ArithmeticError, RecursionError) as error:
        raise FormulaError(f"'{formula}' cannot be worked out: {error}") from error


@functools.lru_cache(256)
def parse(formula: str) -> Formula:
    if len(formula) > LONGEST:
        raise FormulaError(f"A formula may have {LONGEST} characters, this one has {len(formula)}.")
    parser = _Parser(formula)
    parsed = parser.ternary()
    parser.end()
    return parsed


class _Parser:
    """By recursive descent, a method a level of precedence, loosest first."""

    def __init__(self, formula: str):
        self._formula = formula
        self._tokens = list(self._split(formula))
        self._next = 0
        self._depth = 0

    def _split(self, formula: str) -> Any:
        position, end = 0, len(formula.rstrip())
        while position < end:
            found = _TOKEN.match(formula, position)
            if found is None:
                raise FormulaError(f"'{formula}': {formula[position : position + 10]!r} is not understood.")
            kind = str(found.lastgroup)
            yield ("text" if kind in ("double", "single") else kind), found.group(kind)
            position = found.end()

    def _take(self, *signs: str) -> str | None:
        """The next token if it is one of these signs or words."""
        if self._next < len(self._tokens):
            kind, word = self._tokens[self._next]
            if kind in ("sign", "name") and word.lower() in signs:
                self._next += 1
                return str(word).lower()
        return None

    def _need(self, sign: str) -> None:
        if self._take(sign) is None:
            raise FormulaError(f"'{self._formula}': {sign} is missing.")

    def end(self) -> None:
        if self._next < len(self._tokens):
            raise FormulaError(f"'{self._formula}': {self._tokens[self._next][1]!r} is too much.")

    def ternary(self) -> Formula:
        self._depth += 1
        if self._depth > DEEPEST:
            raise FormulaError("The formula is nested too deeply.")
        condition = self._or()
        if self._take("?"):
            yes = self.ternary()
            self._need(":")
            no = self.ternary()
            self._depth -= 1
            return lambda names: yes(names) if condition(names) else no(names)
        self._depth -= 1
        return condition

    def _or(self) -> Formula:
        left = self._and()
        while self._take("or", "|"):
            left = _either(left, self._and())
        return left

    def _and(self) -> Formula:
        left = self._not()
        while self._take("and", "&"):
            left = _both(left, self._not())
        return left

    def _not(self) -> Formula:
        negations = 0
        while self._take("not", "!"):
            negations += 1
        found = self._comparison()
        if not negations:
            return found
        return lambda names: bool(found(names)) is (negations % 2 == 0)

    def _comparison(self) -> Formula:
        left = self._sum()
        while sign := self._take(*_COMPARISONS):
            left = _joined(_COMPARISONS[sign], left, self._sum(), numbers=False)
        return left

    def _sum(self) -> Formula:
        left = self._product()
        while sign := self._take("+", "-"):
            left = _joined(operator.add if sign == "+" else operator.sub, left, self._product())
        return left

    def _product(self) -> Formula:
        left = self._power()
        while sign := self._take("*", "/"):
            left = _joined(operator.mul if sign == "*" else operator.truediv, left, self._power())
        return left

    def _power(self) -> Formula:
        left = self._signed()
        if self._take("^"):
            return _joined(_raised, left, self._power_of())
        return left

    def _power_of(self) -> Formula:
        self._depth += 1
        if self._depth > DEEPEST:
            raise FormulaError("The formula is nested too deeply.")
        found = self._power()
        self._depth -= 1
        return found

    def _signed(self) -> Formula:
        negative = False
        while sign := self._take("+", "-"):
            negative ^= sign == "-"
        found = self._operand()
        return (lambda names: -_number(found(names))) if negative else found

    def _operand(self) -> Formula:
        if self._take("("):
            inner = self.ternary()
            self._need(")")
            return inner
        if self._next >= len(self._tokens):
            raise FormulaError(f"'{self._formula}' ends too early.")
        kind, word = self._tokens[self._next]
        self._next += 1
        if kind == "number":
            number = float(word)
            return lambda names: number
        if kind == "text":
            return lambda names: word
        if kind == "name":
            if word in _FUNCTIONS and self._take("("):
                return self._call(word)
            return _constant(word) or (lambda names: _look_up(names, word))
        raise FormulaError(f"'{self._formula}': {word!r} is at the wrong place.")

    def _call(self, name: str) -> Formula:
        count, function = _FUNCTIONS[name]
        arguments = [self.ternary()]
        while self._take(","):
            arguments.append(self.ternary())
        self._need(")")
        if len(arguments) != count:
            raise FormulaError(f"{name} takes {count} arguments, not {len(arguments)}.")
        return lambda names: function(*(_number(each(names)) for each in arguments))


def _constant(word: str) -> Formula | None:
    truth = {"true": True, "false": False}.get(word.lower())
    return None if truth is None else lambda names: truth


def _either(left: Formula, right: Formula) -> Formula:
    return lambda names: bool(left(names)) or bool(right(names))


def _both(left: Formula, right: Formula) -> Formula:
    return lambda names: bool(left(names)) and bool(right(names))


def _joined(
    join: Callable[[Any, Any], Any], left: Formula, right: Formula, *, numbers: bool = True
) -> Formula:
    if numbers:
        return lambda names: join(_number(left(names)), _number(right(names)))

    def compare(names: Names) -> Any:
        one, other = left(names), right(names)
        try:
            one, other = _number(one), _number(other)
        except (TypeError, ValueError):
            one, other = str(one), str(other)
        return join(one, other)

    return compare


def _raised(base: float, exponent: float) -> float:
    if abs(exponent) > LARGEST_POWER:
        raise ValueError(f"the exponent {exponent:g} is too large")
    found = base**exponent
    if isinstance(found, complex):
        raise ValueError(f"{base:g} ^ {exponent:g} is not a number")
    return found


def _number(value: Any) -> float:
    found = float(value)
    if math.isnan(found):
        raise ValueError("not a number")
    return found


def _look_up(names: Names, path: str) -> Any:
    found: Any = names
    for word in path.split("."):
        if not isinstance(found, Mapping) or word not in found:
            raise FormulaError(f"{path} is not known here.")
        found = found[word]
    if isinstance(found, Mapping):
        raise FormulaError(f"{path} is no value: say which of {', '.join(found)}.")
    return found
