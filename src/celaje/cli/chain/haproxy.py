"""The timeouts of a haproxy.cfg, with the line that sets each: proxies, the `defaults` that they inherit.

Used by `celaje timeouts --haproxy FILE`. Source: HAProxy's configuration manual, sections 2.5 and 4.
"""

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

from celaje.common.errors import ConfigurationError

_UNITS = {"us": 1e-6, "ms": 1e-3, "": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_TIME = re.compile(r"([0-9]+)(us|ms|s|m|h|d)?")
_PROXIES = ("frontend", "backend", "listen")
_SECTIONS = (*_PROXIES, "defaults")
_OTHERS = ("global", "resolvers", "peers", "userlist", "cache", "mailers", "ring", "program", "http-errors")


@dataclass(frozen=True)
class Timeout:
    seconds: float
    place: str


@dataclass
class Proxy:
    """`timeouts` by HAProxy's word (client, server, connect, queue ...), inherited ones included. `words` is
    what names it: its own name, its servers, their addresses. `leads_to`: the backends of a frontend."""

    kind: str
    name: str
    place: str
    timeouts: dict[str, Timeout] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)
    leads_to: list[str] = field(default_factory=list)

    def timeout(self, what: str) -> Timeout | None:
        """As HAProxy has it: a queue that says nothing waits as long as a connection."""
        found = self.timeouts.get(what)
        if found is None and what == "queue":
            found = self.timeouts.get("connect")
        # 0 is the same as not set: for ever.
        return found if found and found.seconds > 0 else None


def read(file: Path) -> list[Proxy]:
    """The frontends, backends and listens in their order. Raises ConfigurationError with file and line."""
    try:
        lines = file.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file}: {getattr(error, 'strerror', None) or error}.") from error
    proxies: list[Proxy] = []
    named: dict[str, Proxy] = {}
    defaults = Proxy("defaults", "", str(file))
    section: Proxy | None = None
    for number, line in enumerate(lines, 1):
        place = f"{file}:{number}"
        words = _words(line, place)
        if not words:
            continue
        if words[0] in _SECTIONS:
            section = _section(words, place, defaults, named)
            if section.kind == "defaults":
                defaults = section
                named[section.name] = section
            else:
                proxies.append(section)
        elif line[:1] not in (" ", "\t") and words[0] in (
            "global",
            "resolvers",
            "peers",
            "userlist",
            "cache",
        ):
            section = None
        elif section is not None:
            _setting(words, place, section)
    return proxies


def _section(words: list[str], place: str, defaults: Proxy, named: dict[str, Proxy]) -> Proxy:
    kind, *rest = words
    base = None if kind == "defaults" else defaults
    if "from" in rest:
        origin = rest[rest.index("from") + 1] if len(rest) > rest.index("from") + 1 else ""
        rest = rest[: rest.index("from")]
        if origin not in named:
            raise ConfigurationError(f"{place}: there is no section defaults {origin} above.")
        base = named[origin]
    name = rest[0] if rest else ""
    return Proxy(kind, name, place, dict(base.timeouts) if base else {}, [name] if name else [])


def _setting(words: list[str], place: str, section: Proxy) -> None:
    match words:
        case ["timeout", what, value, *_]:
            section.timeouts[what] = Timeout(seconds(value, place), place)
        case ["http-request", "set-timeout", what, value, *_]:
            section.timeouts[what] = Timeout(seconds(value, place), place)
        case ["server", name, address, *_]:
            section.words += [name, address]
        case ["bind", address, *_]:
            section.words.append(address)
        case ["default_backend" | "use_backend", name, *_]:
            section.leads_to.append(name)
        case _:
            pass


def seconds(value: str, place: str) -> float:
    """`30s`, `500ms`, `5000` (milliseconds). Raises ConfigurationError."""
    match = _TIME.fullmatch(value)
    if match is None:
        raise ConfigurationError(f"{place}: {value} is not a time as HAProxy writes it (30s, 500ms, 5000).")
    return int(match[1]) * _UNITS[match[2] or ""]


def _words(line: str, place: str) -> list[str]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=False)
    lexer.whitespace_split = True
    lexer.commenters = "#"
    try:
        return list(lexer)
    except ValueError as error:
        raise ConfigurationError(f"{place}: {error}.") from error


@dataclass
class Way:
    """What a request to one service passes: `client` is its frontend, `server` its backend (the same for a
    `listen`). `sure`: something in the file names the service; else it is the one that gives up first."""

    client: Proxy
    server: Proxy
    sure: bool


def way_to(proxies: list[Proxy], names: tuple[str, ...]) -> Way | None:
    """The way to a service that is known by one of `names` (its own, OpenStack's, its port)."""
    serving = [proxy for proxy in proxies if proxy.kind in ("backend", "listen")]
    if not serving:
        return None
    fronts = {front.name: front for front in proxies if front.kind == "frontend"}
    leading = {name: front for front in fronts.values() for name in front.leads_to}

    def is_named(proxy: Proxy) -> bool:
        front = leading.get(proxy.name)
        words = " ".join([*proxy.words, *(front.words if front else ())]).lower()
        return any(re.search(rf"(?<![a-z0-9]){re.escape(name)}(?![a-z0-9])", words) for name in names)

    found = [proxy for proxy in serving if is_named(proxy)]
    chosen = min(found or serving, key=_patience)
    return Way(leading.get(chosen.name, chosen), chosen, bool(found) or len(serving) == 1)


def _patience(proxy: Proxy) -> float:
    found = proxy.timeout("server")
    return found.seconds if found else float("inf")
