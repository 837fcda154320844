"""Identity's identifiers: 32 hexadecimal digits, as Keystone makes them."""

from celaje.common import clock


def new_id() -> str:
    return clock.new_uuid().replace("-", "")
