"""Configuration: oslo.config's files and options, one private set per service, with provenance.

Start-up code calls `load`; each service declares `OPTIONS` in its own `conf.py`. oslo.config parses and
converts; what it lacks (line numbers, inheritance of back ends, keys that nobody reads) stands here.
"""

from celaje.common.conf.deferred import defer

defer()

from celaje.common.conf.backend import Backend  # noqa: E402 - oslo.config comes after what it defers
from celaje.common.conf.configuration import Configuration, load  # noqa: E402
from celaje.common.conf.options import Options, common_options  # noqa: E402
from celaje.common.conf.unknown import UnknownKey  # noqa: E402

__all__ = ["Backend", "Configuration", "Options", "UnknownKey", "common_options", "load"]
