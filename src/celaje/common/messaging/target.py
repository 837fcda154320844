"""Where a message goes, and where a server listens.

Made by message tables and servers, read by the drivers.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Target:
    """An address on the bus (the terms are oslo.messaging's).

    `exchange` keeps clouds or products on one broker apart, `topic` names a kind of server, `server` one of
    them (`host@backend`); with `fanout` all that are present get a copy. `version` is what the sender
    needs, or what the server speaks; `namespace` tells tables on the same topic apart.
    """

    topic: str
    server: str | None = None
    fanout: bool = False
    exchange: str = "celaje"
    version: str = "1.0"
    namespace: str | None = None

    def __str__(self) -> str:
        return f"{self.topic}@{self.server}" if self.server else self.topic


def parse_version(version: str) -> tuple[int, int]:
    """`"1.12"` as (1, 12). ValueError for anything else."""
    major, dot, minor = version.partition(".")
    if not (dot and major.isdecimal() and minor.isdecimal()):
        raise ValueError(f"{version!r} is not a version of the form MAJOR.MINOR")
    return int(major), int(minor)


@lru_cache(1024)
def accepts(spoken: str, needed: str) -> bool:
    """Whether a server that speaks `spoken` can serve a message that needs `needed`."""
    spoken_major, spoken_minor = parse_version(spoken)
    needed_major, needed_minor = parse_version(needed)
    return spoken_major == needed_major and spoken_minor >= needed_minor


def newest(*versions: str) -> str:
    return max(versions, key=parse_version)


def oldest(versions: Iterable[str]) -> str:
    return min(versions, key=parse_version)
