"""From what a client may write to the value that is kept, with Neutron's leniency and words.

Each converter takes any JSON value and returns the kept one, or raises BadValue with the reason; the
attributes' tables name them. `schema` beside each is what the OpenAPI document shows.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Any

Converter = Callable[[Any], Any]

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_MAC = re.compile(r"([0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}")


class BadValue(ValueError):
    """The reason, to follow 'Invalid input for NAME. Reason: '."""


def boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false", "1", "0"):
        return value.lower() in ("true", "1")
    if isinstance(value, int) and value in (0, 1):
        return bool(value)
    raise BadValue(f"'{shown(value)}' cannot be converted to boolean")


def nothing(value: Any) -> None:
    """An attribute that is there for clients' sake and can only be null."""
    if value is not None:
        raise BadValue("it is not supported here and can only be null")


def string(longest: int = 255, *, empty: bool = True) -> Converter:
    def convert(value: Any) -> str:
        if not isinstance(value, str):
            raise BadValue(f"'{shown(value)}' is not a valid string")
        if len(value) > longest:
            raise BadValue(f"'{shown(value)}' exceeds maximum length of {longest}")
        if not empty and not value.strip():
            raise BadValue(f"'{value}' Blank strings are not permitted")
        if "\x00" in value or any(0xD800 <= ord(letter) <= 0xDFFF for letter in value):
            raise BadValue("the string has characters that cannot be kept")
        return value

    return convert


def or_none(inner: Converter) -> Converter:
    def convert(value: Any) -> Any:
        return None if value is None else inner(value)

    return convert


def null_as(default: Any, inner: Converter) -> Converter:
    def convert(value: Any) -> Any:
        return default if value is None else inner(value)

    return convert


def integer(smallest: int = -(2**31), largest: int = 2**31 - 1) -> Converter:
    def convert(value: Any) -> int:
        number: int | None = None
        if isinstance(value, int) and not isinstance(value, bool):
            number = value
        elif isinstance(value, str) and len(value) < 20 and re.fullmatch(r"-?[0-9]+", value):
            number = int(value)
        if number is None:
            raise BadValue(f"'{shown(value)}' is not an integer")
        if number < smallest:
            raise BadValue(f"'{number}' is too small - must be at least '{smallest}'")
        if number > largest:
            raise BadValue(f"'{number}' is too large - must be no larger than '{largest}'")
        return number

    return convert


def uuid(value: Any) -> str:
    if not isinstance(value, str) or not _UUID.fullmatch(value):
        raise BadValue(f"'{shown(value)}' is not a valid UUID")
    return value.lower()


def one_of(*choices: Any) -> Converter:
    def convert(value: Any) -> Any:
        # True == 1: compare types too.
        if any(type(value) is type(choice) and value == choice for choice in choices):
            return value
        raise BadValue(f"'{shown(value)}' is not in {list(choices)}")

    return convert


def mac_address(value: Any) -> str:
    if not isinstance(value, str) or not _MAC.fullmatch(value):
        raise BadValue(f"'{shown(value)}' is not a valid MAC address")
    normal = value.lower().replace("-", ":")
    if normal == "00:00:00:00:00:00" or int(normal[:2], 16) & 1:
        raise BadValue(f"'{shown(value)}' is not a valid MAC address")
    return normal


def ip_address(value: Any) -> str:
    if not isinstance(value, str) or "%" in value:
        raise BadValue(f"'{shown(value)}' is not a valid IP address")
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise BadValue(f"'{shown(value)}' is not a valid IP address") from None


def cidr(value: Any) -> str:
    """A prefix whose host bits are zero."""
    if not isinstance(value, str) or "/" not in value:
        raise BadValue(f"'{shown(value)}' is not a valid IP subnet")
    try:
        return str(ipaddress.ip_network(value))
    except ValueError:
        try:
            close = str(ipaddress.ip_network(value, strict=False))
        except ValueError:
            raise BadValue(f"'{shown(value)}' is not a valid IP subnet") from None
        raise BadValue(f"'{shown(value)}' is not a recognized CIDR, '{close}' is recommended") from None


def loose_cidr(value: Any) -> str:
    """A prefix or an address, host bits cleared as security group rules show them."""
    if not isinstance(value, str) or "%" in value:
        raise BadValue(f"'{shown(value)}' is not a valid CIDR")
    try:
        return str(ipaddress.ip_network(value, strict=False))
    except ValueError:
        raise BadValue(f"'{shown(value)}' is not a valid CIDR") from None


def list_of(inner: Converter, *, distinct: bool = True) -> Converter:
    def convert(value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise BadValue(f"'{shown(value)}' is not a list")
        found = [inner(item) for item in value]
        if distinct:
            for number, item in enumerate(found):
                if item in found[:number]:
                    raise BadValue(f"Duplicate items in the list: '{shown(item)}'")
        return found

    return convert


def dictionary(keys: Mapping[str, Converter], required: tuple[str, ...] = ()) -> Converter:
    """A dictionary of known keys."""

    def convert(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise BadValue(f"'{shown(value)}' is not a dictionary")
        unknown = [key for key in value if key not in keys]
        missing = [key for key in required if key not in value]
        if unknown:
            raise BadValue(f"Unexpected keys supplied: {', '.join(map(shown, unknown))}")
        if missing:
            raise BadValue(f"Validation of dictionary's keys failed. Expected keys: {sorted(required)}")
        return {key: keys[key](item) for key, item in value.items()}

    return convert


def any_dictionary(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadValue(f"'{shown(value)}' is not a dictionary")
    return value


allocation_pools = list_of(
    dictionary({"start": ip_address, "end": ip_address}, ("start", "end")), distinct=True
)


def host_routes(value: Any) -> list[dict[str, str]]:
    routes = list_of(dictionary({"destination": cidr, "nexthop": ip_address}, ("destination", "nexthop")))(
        value or []
    )
    for route in routes:
        if (
            ipaddress.ip_network(route["destination"]).version
            != ipaddress.ip_address(route["nexthop"]).version
        ):
            raise BadValue(f"'{shown(route)}' mixes IPv4 and IPv6")
    return routes


def fixed_ips(value: Any) -> list[dict[str, str]]:
    found = list_of(dictionary({"subnet_id": uuid, "ip_address": ip_address}), distinct=False)(value)
    named = [entry["ip_address"] for entry in found if "ip_address" in entry]
    for number, address in enumerate(named):
        if address in named[:number]:
            raise BadValue(f"Duplicate IP address '{address}'")
    for entry in found:
        if not entry:
            raise BadValue("IP allocation requires subnet_id or ip_address")
    return found


def address_pairs(value: Any) -> list[dict[str, str]]:
    def either(text: Any) -> str:
        return cidr(text) if isinstance(text, str) and "/" in text else ip_address(text)

    return list_of(dictionary({"ip_address": either, "mac_address": mac_address}, ("ip_address",)))(
        value or []
    )


def shown(value: Any, longest: int = 80) -> str:
    text = value if isinstance(value, str) else repr(value)
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= longest else f"{text[:longest]}..."
