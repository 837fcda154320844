"""The rules by which what an identity provider says becomes a user, groups and projects here.

A mapping's rule has requirements of the assertion (`remote`) and, where they all hold, what follows
(`local`), with {0}, {1} ... standing for the values that the requirements let through. Source: Identity API
v3, OS-FEDERATION, "Mappings"; schema versions 1.0, 2.0 (domains of projects and users) and 3.0 (projects as
JSON).
"""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jsonschema_rs
import msgspec

from celaje.common.errors import Unauthorized
from celaje.common.wsgi import validation
from celaje.identity.errors import Invalid

Row = dict[str, Any]

VERSIONS = ("1.0", "2.0", "3.0")
_PLACE = re.compile(r"\{(\d+)\}")
_ONLY_PLACE = re.compile(r"\{?(\d+)\}?")

_DOMAIN = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "name": {"type": "string"}},
    "additionalProperties": False,
}


def _projects(version: str) -> Row:
    properties: Row = {
        "name": {"type": "string"},
        "roles": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": {"type": "string"}},
                "additionalProperties": False,
            },
        },
    }
    if version != "1.0":
        properties["domain"] = _DOMAIN
    return {
        "type": "array",
        "items": {
            "type": "object",
            "required": ["name", "roles"],
            "properties": properties,
            "additionalProperties": False,
        },
    }


def _requirement(kind: str | None) -> Row:
    properties: Row = {"type": {"type": "string"}}
    if kind is not None:
        properties |= {kind: {"type": "array"}, "regex": {"type": "boolean"}}
    return {
        "type": "object",
        "required": ["type", kind] if kind else ["type"],
        "properties": properties,
        "additionalProperties": False,
    }


def _group(required: list[str], properties: Row) -> Row:
    return {
        "type": "object",
        "required": required,
        "properties": properties,
        "additionalProperties": False,
    }


def schema(version: str) -> Row:
    """What a mapping of this version looks like."""
    text = {"type": "string"}
    local: Row = {
        "user": {
            "type": "object",
            "properties": {
                "id": text,
                "name": text,
                "email": text,
                "domain": _DOMAIN,
                "type": {"type": "string", "enum": ["ephemeral", "local"]},
            },
            "additionalProperties": False,
        },
        "projects": _projects(version),
        "group": {
            "oneOf": [
                _group(["id"], {"id": text}),
                _group(["name", "domain"], {"name": text, "domain": _DOMAIN}),
            ]
        },
        "groups": text,
        "group_ids": text,
        "domain": _DOMAIN,
    }
    if version == "3.0":
        local["projects_json"] = text
    kinds = (None, "any_one_of", "not_any_of", "blacklist", "whitelist")
    rule = {
        "type": "object",
        "required": ["local", "remote"],
        "additionalProperties": False,
        "properties": {
            "local": {
                "type": "array",
                "items": {"type": "object", "properties": local, "additionalProperties": False},
            },
            "remote": {
                "type": "array",
                "minItems": 1,
                "items": {"oneOf": [_requirement(kind) for kind in kinds]},
            },
        },
    }
    return {
        "type": "object",
        "required": ["rules"],
        "properties": {
            "rules": {"type": "array", "minItems": 1, "items": rule},
            "schema_version": {"type": "string", "enum": list(VERSIONS)},
        },
    }


@functools.cache
def _validator(version: str) -> Any:
    return jsonschema_rs.validator_for(schema(version))


def check(mapping: Row, version: str) -> None:
    """Raises Invalid for a mapping that is none, and for patterns that cannot be compiled."""
    if version not in VERSIONS:
        raise Invalid(f"{version[:16]!r} is not one of {', '.join(VERSIONS)}.")
    validation.check_body(schema(version), _validator(version), mapping, "identity")
    for rule in mapping["rules"]:
        for requirement in rule["remote"]:
            if requirement.get("regex"):
                _compiled(_values(requirement))


def _values(requirement: Row) -> list[Any]:
    return next(
        (requirement[k] for k in ("any_one_of", "not_any_of", "blacklist", "whitelist") if k in requirement),
        [],
    )


def _compiled(patterns: list[Any]) -> list[re.Pattern[str]]:
    try:
        return [re.compile(str(pattern)) for pattern in patterns]
    except re.error as error:
        raise Invalid(f"Invalid regular expression in the mapping: {error}.") from error


class NotMapped(Unauthorized):
    """The assertion fits no rule, or a rule asks for what it does not have."""

    text = "Could not map any federated user properties to identity values."


@dataclass(slots=True)
class Mapped:
    """`user` has id, name, email, domain, type; `group_names` have name and domain; `projects` name, roles
    and maybe a domain."""

    user: Row = field(default_factory=dict)
    group_ids: list[str] = field(default_factory=list)
    group_names: list[Row] = field(default_factory=list)
    projects: list[Row] = field(default_factory=list)


def evaluate(rules: list[Row], version: str, assertion: Mapping[str, str]) -> Mapped:
    """What the rules make of an assertion, whose lists have ";" between their values."""
    values = {name: text.split(";") for name, text in assertion.items()}
    found: list[Row] = []
    for rule in rules:
        places = _places(rule["remote"], values)
        if places is not None:
            found += [_filled(local, places) for local in rule["local"]]
    if not found:
        raise NotMapped()
    return _together(found, version)


def _places(requirements: list[Row], values: dict[str, list[str]]) -> list[list[str]] | None:
    """None: the rule does not apply."""
    places: list[list[str]] = []
    for requirement in requirements:
        shown = values.get(requirement["type"])
        # A variable that is there and empty says as little as none.
        if not shown or shown == [""]:
            return None
        wanted = _values(requirement)
        if requirement.get("regex"):
            patterns = _compiled(wanted)
            hits = [value for value in shown if any(pattern.search(value) for pattern in patterns)]
        else:
            hits = [value for value in shown if value in wanted]
        if "any_one_of" in requirement:
            if not hits:
                return None
        elif "not_any_of" in requirement:
            if hits:
                return None
        elif "blacklist" in requirement:
            places.append([value for value in shown if value not in hits])
        elif "whitelist" in requirement:
            places.append(hits)
        else:
            places.append(shown)
    return places


def _filled(value: Any, places: list[list[str]], key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _filled(each, places, name) for name, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, places) for each in value]
    if not isinstance(value, str):
        return value
    if key == "projects_json":
        return _projects_of(value, places)
    if key in ("groups", "group_ids") and (match := _PLACE.fullmatch(value)):
        return _at(places, int(match[1]))

    def put(match: re.Match[str]) -> str:
        place = _at(places, int(match[1]))
        return place[0] if len(place) == 1 else str(place)

    text = _PLACE.sub(put, value)
    if key in ("groups", "group_ids"):
        # Only what the operator wrote as a list is one: a name from outside never becomes several.
        return _listed(text) if value.startswith("[") else [text]
    return text


def _at(places: list[list[str]], index: int) -> list[str]:
    if index >= len(places):
        raise NotMapped(
            f"Local section in mapping refers to a remote match that doesn't exist ({{{index}}})."
        )
    return places[index]


@functools.cache
def _projects_validator() -> Any:
    return jsonschema_rs.validator_for(_projects("2.0"))


def _projects_of(value: str, places: list[list[str]]) -> list[Row]:
    match = _ONLY_PLACE.fullmatch(value)
    if match is None:
        raise NotMapped(f"The rule {value[:64]!r} for projects_json is not a place such as {{0}}.")
    try:
        found = msgspec.json.decode(";".join(_at(places, int(match[1]))))
    except msgspec.DecodeError as error:
        raise NotMapped("The projects of the assertion are not JSON.") from error
    if not _projects_validator().is_valid(found):
        raise NotMapped("The projects of the assertion do not have the form of projects.")
    return list(found)


def _together(found: list[Row], version: str) -> Mapped:
    mapped = Mapped()
    domain = None
    for each in found:
        domain = each.get("domain", domain)
        if "user" in each and not mapped.user:
            mapped.user = dict(each["user"])
        if "group" in each:
            group = each["group"]
            if "id" in group:
                mapped.group_ids.append(group["id"])
            else:
                mapped.group_names.append(group)
        if "groups" in each:
            mapped.group_names += _groups(each)
        if "group_ids" in each:
            mapped.group_ids += each["group_ids"]
        projects = [*each.get("projects", []), *each.get("projects_json", [])]
        if version != "1.0" and each.get("domain"):
            projects = [{"domain": each["domain"], **project} for project in projects]
        mapped.projects = projects or mapped.projects
    mapped.user.setdefault("type", "ephemeral")
    if version != "1.0" and domain and not mapped.user.get("domain"):
        mapped.user["domain"] = domain
    return mapped


def _listed(text: str) -> list[str]:
    """The quoted parts of a list in a rule, in Python's or JSON's quotes."""
    found = re.findall(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"", text)
    return [one or other for one, other in found] or [text]


@functools.cache
def _groups_validator() -> Any:
    return jsonschema_rs.validator_for(
        {
            "type": "array",
            "items": _group(["name", "domain"], {"name": {"type": "string"}, "domain": _DOMAIN}),
        }
    )


def _groups(each: Row) -> list[Row]:
    names = each["groups"]
    if names and names[0].startswith("JSON:"):
        try:
            groups = [msgspec.json.decode(name.removeprefix("JSON:")) for name in names]
        except msgspec.DecodeError as error:
            raise NotMapped("The groups of the assertion are not JSON.") from error
        if not _groups_validator().is_valid(groups):
            raise NotMapped("Both 'groups' and 'domain' keywords must be specified.")
        return groups
    if "domain" not in each:
        raise NotMapped("Both 'groups' and 'domain' keywords must be specified.")
    return [{"name": name, "domain": each["domain"]} for name in names]
