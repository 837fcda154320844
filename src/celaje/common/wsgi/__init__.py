"""The REST front end that every service stands on: a route table, a pipeline, a dialect.

A service's `api/routes.py` lists Route rows; `Api` makes a WSGI application of them. See `pipeline.py` for
the way of a request.
"""

from celaje.common.wsgi.api import Api
from celaje.common.wsgi.mount import Mount
from celaje.common.wsgi.request import Request
from celaje.common.wsgi.response import Response
from celaje.common.wsgi.routes import Route
from celaje.common.wsgi.versions import Versions

__all__ = ["Api", "Mount", "Request", "Response", "Route", "Versions"]
