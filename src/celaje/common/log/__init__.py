"""Logs: the standard library's, with the request and the flow's step on every line and no secret on any.

Start-up code calls `setup` with the configuration; every module asks `get(__name__)`. `mask` and `masked`
are for whoever else writes down what came from outside (journals, error texts).
"""

from celaje.common.log.mask import SecretFilter, mask, masked
from celaje.common.log.setup import flush, get, setup

__all__ = ["SecretFilter", "flush", "get", "mask", "masked", "setup"]
