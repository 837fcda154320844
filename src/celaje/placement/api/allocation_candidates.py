"""Allocation candidates: where a request would fit, in the form of bodies for PUT /allocations."""

import itertools
from collections.abc import Collection, Sequence
from typing import Any

from celaje.common.db import Transaction
from celaje.common.errors import Invalid
from celaje.common.wsgi import Request, Response
from celaje.placement import candidates, errors
from celaje.placement.api import query
from celaje.placement.api.answers import fresh
from celaje.placement.candidates import Candidate, Group, Provider, Wishes
from celaje.placement.db import resource_classes, stock, traits

_OTHERS = {
    "limit": (1, 16),
    "group_policy": (1, 25),
    "root_required": (1, 35),
    "same_subtree": (1, 36),
}


def listing(request: Request) -> Response:
    groups = query.groups(request, _OTHERS)
    wishes = _wishes(request, groups)
    _check_groups(request, groups, wishes)
    limit = _limit(request)
    classes = {name for group in groups for name in group.resources}

    def load(tx: Transaction) -> list[Provider]:
        try:
            resource_classes.check(tx, sorted(classes))
        except errors.UnknownClass as error:
            raise Invalid(f"Invalid resource class in resources parameter: {error}") from error
        named = [name for group in groups for names in group.required for name in names]
        named += [name for group in groups for name in group.forbidden]
        traits.check(tx, [*named, *wishes.root_required, *wishes.root_forbidden])
        return stock.load(tx, classes)

    providers = request.service.database.read(load)
    found = candidates.find(providers, groups, wishes, nested=request.at_least(1, 29))
    chosen = list(itertools.islice(found, limit))
    body = {
        "allocation_requests": [_view(request, candidate) for candidate in chosen],
        "provider_summaries": _summaries(request, providers, chosen, classes),
    }
    return fresh(request, body)


def _limit(request: Request) -> int | None:
    bound = request.service.conf.placement.max_allocation_candidates
    text = request.query.get("limit")
    if text is None:
        return None if bound < 0 else bound
    if not text.isascii() or not text.isdecimal() or text.startswith("0") or len(text) > 18:
        raise Invalid(f"Invalid query string parameters: '{text[:64]}' does not match '^[1-9][0-9]*$'")
    return int(text) if bound < 0 else min(int(text), bound)


def _wishes(request: Request, groups: Sequence[Group]) -> Wishes:
    asked = request.query
    policy = asked.get("group_policy")
    if policy not in (None, "none", "isolate"):
        raise Invalid(
            f"Invalid query string parameters: '{(policy or '')[:64]}' is not one of ['none', 'isolate']"
        )
    if policy is None and sum(bool(group.suffix and group.resources) for group in groups) > 1:
        raise Invalid(
            'The "group_policy" parameter is required when specifying more than one "resources{N}" parameter.'
        )
    wishes = Wishes(isolate=policy == "isolate")
    if "root_required" in asked:
        if len(request.query_all("root_required")) > 1:
            raise Invalid(
                'Query parameter "root_required" may be specified only once.', code=errors.DUPLICATE_KEY
            )
        if asked["root_required"].startswith("in:"):
            raise Invalid("root_required does not take the in: form.", code=errors.BAD_VALUE)
        required, wishes.root_forbidden = query.traits(request, "root_required")
        wishes.root_required = set().union(*required)
    known = {group.suffix for group in groups if group.suffix}
    for value in request.query_all("same_subtree"):
        suffixes = {part.strip() for part in value.split(",")}
        if not suffixes - {""}:
            raise Invalid("Empty string provided for same_subtree.", code=errors.MISSING_VALUE)
        if unknown := sorted(suffixes - known):
            raise Invalid(
                f"Real suffixes should be specified in same_subtree: {', '.join(unknown)} not found in "
                "query.",
                code=errors.BAD_VALUE,
            )
        wishes.same_subtree.append(suffixes)
    return wishes


def _check_groups(request: Request, groups: Sequence[Group], wishes: Wishes) -> None:
    if not any(group.resources for group in groups):
        if not request.at_least(1, 25):
            raise Invalid("Invalid query string parameters: 'resources' is a required property")
        raise Invalid("There must be at least one resources or resources[$N] parameter.")
    bound = set().union(*wishes.same_subtree)
    lone = [g.suffix for g in groups if not g.resources and g.suffix not in bound]
    if lone:
        keys = ", ".join(f"resources{suffix}" for suffix in lone)
        raise Invalid(f"All traits and aggregates must be associated with resources; missing: {keys}")


def _view(request: Request, candidate: Candidate) -> dict[str, Any]:
    if not request.at_least(1, 12):
        return {
            "allocations": [
                {"resource_provider": {"uuid": uuid}, "resources": resources}
                for uuid, resources in candidate.allocations.items()
            ]
        }
    shown: dict[str, Any] = {
        "allocations": {uuid: {"resources": resources} for uuid, resources in candidate.allocations.items()}
    }
    if request.at_least(1, 34):
        shown["mappings"] = candidate.mappings
    return shown


def _summaries(
    request: Request, providers: Sequence[Provider], chosen: Sequence[Candidate], classes: Collection[str]
) -> dict[str, Any]:
    """Since 1.29 of whole trees, before it of the providers that candidates name."""
    used = {uuid for candidate in chosen for uuid in candidate.allocations}
    nested = request.at_least(1, 29)
    roots = {provider.root_uuid for provider in providers if provider.uuid in used}
    found: dict[str, Any] = {}
    for provider in providers:
        if provider.uuid not in used and not (nested and provider.root_uuid in roots):
            continue
        shown: dict[str, Any] = {
            "resources": {
                name: {"capacity": int(inventory.capacity), "used": inventory.used}
                for name, inventory in provider.inventories.items()
                if name in classes or request.at_least(1, 27)
            }
        }
        if request.at_least(1, 17):
            shown["traits"] = sorted(provider.traits)
        if nested:
            shown["parent_provider_uuid"] = provider.parent_uuid
            shown["root_provider_uuid"] = provider.root_uuid
        found[provider.uuid] = shown
    return found
