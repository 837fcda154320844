"""Placement's query strings: resources, traits, aggregates, trees, and the groups they come in.

Used by the lists of providers and of allocation candidates. Words of refusals as the real service's.
"""

import re
from collections.abc import Mapping

from celaje.common.errors import Invalid
from celaje.common.wsgi import Request
from celaje.common.wsgi.routes import Version
from celaje.placement import errors
from celaje.placement.candidates import Group

_UUID = re.compile(r"^[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}$")
_GROUPED = re.compile(r"^(resources|required|member_of|in_tree)([a-zA-Z0-9_-]{1,64})?$")
_NUMBER = re.compile(r"^[1-9][0-9]*$")


def check_keys(request: Request, known: Mapping[str, Version]) -> None:
    """Refuse a key that the request's microversion does not know."""
    for key in request.query:
        since = known.get(key)
        if since is None or not request.at_least(*since):
            raise unexpected(key)


def unexpected(key: str) -> Invalid:
    return Invalid(
        "Invalid query string parameters: Additional properties are not allowed "
        f"('{key[:64]}' was unexpected)"
    )


def is_uuid(text: str) -> bool:
    return _UUID.fullmatch(text) is not None


def resources(text: str) -> dict[str, int]:
    """`VCPU:2,MEMORY_MB:512`"""
    form = (
        "Badly formed resources parameter. Expected resources query string parameter in form: "
        "?resources=VCPU:2,MEMORY_MB:1024. Got: "
    )
    if not text.strip():
        raise Invalid(f"{form}empty string.")
    found: dict[str, int] = {}
    for part in text.split(","):
        name, colon, amount = part.partition(":")
        if not colon or ":" in amount:
            raise Invalid(f"{form}{part[:100]}.")
        if not amount.strip().lstrip("-").isdecimal() or len(amount) > 18:
            raise Invalid(f"Requested resource {name} expected positive integer amount. Got: {amount[:20]}.")
        number = int(amount)
        if number < 1:
            raise Invalid(f"Requested resource {name} requires amount >= 1. Got: {number}.")
        found[name] = number
    return found


def traits(request: Request, key: str) -> tuple[list[set[str]], set[str]]:
    """`A,B,!C` and, repeated since 1.39, `in:A,B`: sets of which one each is required, and forbidden ones."""
    values = request.query_all(key)
    if not request.at_least(1, 39):
        values = values[-1:]
    required: list[set[str]] = []
    forbidden: set[str] = set()
    for value in values:
        if value.startswith("in:"):
            required.append(_any_trait(request, value))
            continue
        for name in (part.strip() for part in value.split(",")):
            if name.startswith("!") and request.at_least(1, 22):
                forbidden.add(name.lstrip("!"))
            elif name and not name.startswith("!"):
                required.append({name})
            else:
                form = (
                    "HW_CPU_X86_VMX,!CUSTOM_MAGIC"
                    if request.at_least(1, 22)
                    else "HW_CPU_X86_VMX,CUSTOM_MAGIC"
                )
                raise Invalid(
                    f"Invalid query string parameters: Expected 'required' parameter value of the form: "
                    f"{form}. Got: {value[:200]}"
                )
    if conflicting := sorted(forbidden & {name for names in required if len(names) == 1 for name in names}):
        raise Invalid(
            f"Conflicting required and forbidden traits found in the following traits keys: "
            f"{key}: ({', '.join(conflicting)})"
        )
    return required, forbidden


def _any_trait(request: Request, value: str) -> set[str]:
    if not request.at_least(1, 39):
        raise Invalid(
            "Invalid query string parameters: The format 'in:HW_CPU_X86_VMX,CUSTOM_MAGIC' only supported "
            f"since microversion 1.39. Got: {value[:200]}"
        )
    names = {part.strip() for part in value[3:].split(",")}
    if "" in names or any(name.startswith("!") for name in names):
        raise Invalid(
            "Invalid query string parameters: Expected 'required' parameter value of the form: "
            f"in:HW_CPU_X86_VMX,CUSTOM_MAGIC, without empty or forbidden traits. Got: {value[:200]}"
        )
    return names


def member_of(request: Request, key: str) -> tuple[list[set[str]], set[str]]:
    """`AGGREGATE`, `in:A,B`, since 1.24 repeated, since 1.32 `!A` and `!in:A,B`: sets of which one each is
    required, and forbidden ones."""
    values = request.query_all(key)
    if len(values) > 1 and not request.at_least(1, 24):
        raise Invalid(f"Multiple {key} parameters are not supported", code=errors.DUPLICATE_KEY)
    required: list[set[str]] = []
    forbidden: set[str] = set()
    for value in values:
        bare = value.removeprefix("!")
        names = set(bare.removeprefix("in:").split(",")) if bare.startswith("in:") else {bare}
        if "," in bare and not bare.startswith("in:"):
            raise Invalid(
                "Multiple values for 'member_of' must be prefixed with the 'in:' or '!in:' keyword using the "
                f"valid microversion. Got: {value[:200]}"
            )
        for name in names:
            if not is_uuid(name):
                raise Invalid(
                    "Invalid query string parameters: Expected 'member_of' parameter to contain valid "
                    f"UUID(s). Got: {name[:100]}"
                )
        if bare == value:
            required.append(names)
        elif request.at_least(1, 32):
            forbidden |= names
        else:
            raise Invalid(f"Forbidden {key} parameters are not supported in the specified microversion")
    return required, forbidden


def in_tree(text: str) -> str:
    if not is_uuid(text.strip()):
        raise Invalid(
            "Invalid query string parameters: Expected 'in_tree' parameter to be a format of uuid. "
            f"Got: {text[:100]}"
        )
    return text.strip()


_SINCE: dict[str, Version] = {
    "resources": (1, 10),
    "required": (1, 17),
    "member_of": (1, 21),
    "in_tree": (1, 31),
}


def groups(request: Request, others: Mapping[str, Version]) -> list[Group]:
    """The request groups of allocation candidates, the unsuffixed one first. `others` are the keys that are
    no group's."""
    found: dict[str, set[str]] = {}
    for key in request.query:
        if key in others:
            if not request.at_least(*others[key]):
                raise unexpected(key)
            continue
        match = _GROUPED.fullmatch(key)
        if not match or not request.at_least(*_SINCE[match[1]]):
            raise unexpected(key)
        suffix = match[2] or ""
        if suffix and not _suffix_known(request, suffix):
            raise unexpected(key)
        found.setdefault(suffix, set()).add(match[1])
    return [_group(request, suffix, found[suffix]) for suffix in sorted(found)]


def _suffix_known(request: Request, suffix: str) -> bool:
    if request.at_least(1, 33):
        return True
    return request.at_least(1, 25) and _NUMBER.fullmatch(suffix) is not None


def _group(request: Request, suffix: str, keys: set[str]) -> Group:
    group = Group(suffix)
    if "resources" in keys:
        group.resources = resources(request.query[f"resources{suffix}"])
    if "required" in keys:
        group.required, group.forbidden = traits(request, f"required{suffix}")
    if "member_of" in keys:
        group.member_of, group.forbidden_aggregates = member_of(request, f"member_of{suffix}")
    if "in_tree" in keys:
        group.in_tree = in_tree(request.query[f"in_tree{suffix}"])
    return group
