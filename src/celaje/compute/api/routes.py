"""The compute API's table of contents: method, URL, policy rule, handler, since which microversion.

Servers and what hangs on them stand here; flavors, key pairs and the other resources in
`resource_routes.py`. Read by `service.py`.
"""

from celaje.common.wsgi import Route
from celaje.compute.api import versions
from celaje.compute.api.resource_routes import ROUTES as RESOURCE_ROUTES

ROUTES: list[Route] = [
    Route("GET", "/", None, versions.list_versions, scope="any"),
    Route("GET", "/v2.1", None, versions.show_version, scope="any"),
    *RESOURCE_ROUTES,
]
