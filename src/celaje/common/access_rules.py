"""Access rules of application credentials: whether one of them allows a request.

Asked by the token stage of every Api. Source: the Identity API on access rules: in a rule's path `*` and
`{name}` stand for one part, `**` for any number of them.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

# The catalog's types beside the service's own: rules name what the catalog shows.
_ALIASES = {
    "volume": ("volume", "volumev3", "block-storage", "block-store"),
    "container_infra": ("container-infra",),
    "object_store": ("object-store",),
}


def allowed(
    rules: Iterable[tuple[str, str, str]], service_type: str, method: str, paths: Iterable[str]
) -> bool:
    """`paths`: the request's path with and without the service's mount point; one of them must fit."""
    names = _ALIASES.get(service_type, (service_type,))
    candidates = list(paths)
    return any(
        service in names and verb == method and any(_pattern(path).fullmatch(each) for each in candidates)
        for service, verb, path in rules
    )


@lru_cache(1000)
def _pattern(path: str) -> re.Pattern[str]:
    pieces = re.split(r"(\*\*|\*|\{[^{}/]*\})", path)
    return re.compile(
        "".join(".*" if p == "**" else "[^/]+" if p == "*" or p[:1] == "{" else re.escape(p) for p in pieces)
    )
