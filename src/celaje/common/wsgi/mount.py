"""Several WSGI applications under one address, by the first part of the path: the all-in-one front door."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Mount:
    """`services` maps "identity" to its application; `root` answers everything else."""

    def __init__(self, services: Mapping[str, Application], root: Application):
        self._services = dict(services)
        self._root = root

    def add(self, name: str, application: Application) -> None:
        self._services[name] = application

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        name, slash, rest = path[1:].partition("/")
        service = self._services.get(name)
        if service is None:
            return self._root(environ, start_response)
        environ["SCRIPT_NAME"] = f"{environ.get('SCRIPT_NAME', '')}/{name}"
        environ["PATH_INFO"] = slash + rest if slash else "/"
        return service(environ, start_response)
