"""Microversions: which a service speaks, and which one a request asked for.

Source: the OpenStack API-SIG's microversion specification; Nova's legacy header is kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from celaje.common.errors import Invalid, NotAcceptable

Version = tuple[int, int]


class VersionInvalid(Invalid):
    text = "API Version String {version} is of invalid format. Must be of format MajorNum.MinorNum."


@dataclass(frozen=True, slots=True)
class Versions:
    """`history` maps each microversion to one line on what it changed; its ends are the range served.
    Without history the service has no microversions (identity, image, network)."""

    service_type: str
    history: Mapping[Version, str]
    legacy_header: str | None = None

    @property
    def minimum(self) -> Version:
        return min(self.history)

    @property
    def maximum(self) -> Version:
        return max(self.history)

    def negotiate(self, header: str | None, legacy: str | None) -> Version | None:
        """The version of a request from its headers. Raises VersionInvalid or NotAcceptable."""
        if not self.history:
            return None
        asked = self._asked(header)
        if asked is None and self.legacy_header:
            asked = legacy.strip() if legacy else None
        if asked is None:
            return self.minimum
        if asked == "latest":
            return self.maximum
        version = parse(asked)
        if not self.minimum <= version <= self.maximum:
            raise NotAcceptable(version=asked, minimum=render(self.minimum), maximum=render(self.maximum))
        return version

    def _asked(self, header: str | None) -> str | None:
        """`OpenStack-API-Version: volume 3.59, compute 2.1`: the part that is ours."""
        for part in (header or "").split(","):
            words = part.split()
            if len(words) == 2 and words[0].lower() in self._names():
                return words[1]
        return None

    def _names(self) -> tuple[str, ...]:
        # Cinder's clients say `volume`, whatever the catalog's type.
        return (self.service_type,)

    def headers(self, version: Version) -> dict[str, str]:
        found = {"OpenStack-API-Version": f"{self.service_type} {render(version)}"}
        vary = "OpenStack-API-Version"
        if self.legacy_header:
            found[self.legacy_header] = render(version)
            vary = f"{vary}, {self.legacy_header}"
        found["Vary"] = vary
        return found


def parse(text: str) -> Version:
    major, _, minor = text.partition(".")
    if not (major.isascii() and major.isdigit() and minor.isascii() and minor.isdigit()) or len(text) > 12:
        raise VersionInvalid(version=text[:64])
    if (len(minor) > 1 and minor.startswith("0")) or major.startswith("0"):
        raise VersionInvalid(version=text[:64])
    return int(major), int(minor)


def render(version: Version) -> str:
    return f"{version[0]}.{version[1]}"
