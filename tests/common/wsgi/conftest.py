"""A small API with every kind of route, and a client that speaks WSGI to it."""

import io
import json
from types import SimpleNamespace

import pytest

from celaje.common import clock
from celaje.common.authentication import Authentication
from celaje.common.errors import Conflict, NotFound, OverQuota
from celaje.common.policy import Policy, Rule
from celaje.common.revocations import Revocations
from celaje.common.tokens import KeyRepository, Token, Tokens, seconds
from celaje.common.wsgi import Api, Response, Route, Versions, dialects

RULES = [
    Rule("jars:get", "role:reader"),
    Rule("jars:create", "role:member and project_id:%(project_id)s"),
    Rule("jars:fill", "role:member"),
    Rule("jars:break", "role:admin"),
    Rule("jars:owner", "project_id:%(project_id)s"),
]
JAR = {
    "type": "object",
    "properties": {
        "jar": {
            "type": "object",
            "properties": {"size": {"type": "integer"}, "password": {"type": "string", "maxLength": 4}},
            "required": ["size"],
            "additionalProperties": False,
        }
    },
    "required": ["jar"],
    "additionalProperties": False,
}
HISTORY = {(3, 0): "the first", (3, 5): "jars tell their colour", (3, 9): "the last"}


def show(request, jar_id):
    if jar_id == "missing":
        raise NotFound("Jar missing could not be found.")
    return {"jar": {"id": jar_id, "version": request.version, "user": request.context.user_id}}


def routes():
    def said(name):
        return lambda request, **parameters: {"handler": name, "body": request.body, **parameters}

    def raising(error):
        def handler(request, **parameters):
            raise error

        return handler

    def owned(request, jar_id):
        if jar_id != "unchecked":
            request.authorize({"project_id": jar_id})
        return {"jar": jar_id}

    def echo(request):
        whole = bytearray()
        while chunk := request.stream.read(1 << 16):
            whole += chunk
        return Response(stream=[bytes(whole)], content_type="application/octet-stream")

    return [
        Route("GET", "/", None, said("root")),
        Route("GET", "/jars", "jars:get", said("list")),
        Route("POST", "/jars", "jars:create", said("create"), status=202, schema=JAR),
        Route("GET", "/jars/{jar_id}", "jars:get", show),
        Route("DELETE", "/jars/{jar_id}", "jars:get", lambda request, jar_id: None, status=204),
        Route("POST", "/jars/{jar_id}/action", "jars:fill", said("fill"), action="os-fill"),
        Route("POST", "/jars/{jar_id}/action", "jars:break", said("break"), action="os-break"),
        Route("POST", "/jars/{jar_id}/action", "jars:fill", said("seal"), action="os-seal", since=(3, 5)),
        Route("GET", "/colours", "jars:get", said("old colours"), until=(3, 4)),
        Route("GET", "/colours", "jars:get", said("new colours"), since=(3, 5)),
        Route("GET", "/labels", "jars:get", said("labels"), since=(3, 9)),
        Route("GET", "/owned/{jar_id}", "jars:owner", owned, authorize="handler"),
        Route("GET", "/unscoped", "jars:get", said("unscoped"), scope="any"),
        Route("POST", "/raw", None, echo, body="raw"),
        Route("GET", "/conflict", None, raising(Conflict("Jar is in use."))),
        Route("GET", "/quota", None, raising(OverQuota(overs="jars"))),
        Route("GET", "/bug", None, raising(ZeroDivisionError("secret detail"))),
    ]


@pytest.fixture
def tokens(tmp_path):
    keys = KeyRepository(tmp_path / "keys")
    keys.create()
    return Tokens(keys)


@pytest.fixture
def revocations():
    return Revocations()


@pytest.fixture
def persona(tokens):
    """`persona("reader", scope=..., ends=seconds from now)` -> a token's text."""

    def make(*roles, scope="project", scope_id="p1", ends=3600.0, user_id="u1"):
        now = seconds(clock.now())
        return tokens.seal(
            Token(
                user_id=user_id,
                scope=scope,
                scope_id=scope_id if scope else None,
                roles=tuple((f"id of {role}", role) for role in roles),
                issued_at=now - 10,
                expires_at=now + ends,
                audit_ids=("a1",),
            )
        )

    return make


@pytest.fixture
def ask(tokens, revocations):
    """`ask(method, path, ...)` -> status, headers (lower case), body (JSON where it is), raw."""
    apis = {}

    def send(
        method,
        path,
        *,
        token=None,
        body=None,
        raw=None,
        headers=(),
        dialect=dialects.volume,
        microversions=True,
        chunked=False,
    ):
        key = (dialect, microversions)
        if key not in apis:
            versions = Versions("volume", HISTORY if microversions else {}, legacy_header="X-Legacy-Version")
            apis[key] = Api(
                SimpleNamespace(),
                routes(),
                service_type="volume",
                policy=Policy(RULES),
                dialect=dialect,
                authenticate=Authentication(tokens, revocations),
                versions=versions,
                max_body=1000,
            )
        content = raw if raw is not None else (b"" if body is None else json.dumps(body).encode())
        path, _, query = path.partition("?")
        environ = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": "cloud.example",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(content),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        if content:
            environ["CONTENT_TYPE"] = "application/json"
            if chunked:
                environ["HTTP_TRANSFER_ENCODING"] = "chunked"
            else:
                environ["CONTENT_LENGTH"] = str(len(content))
        if token:
            environ["HTTP_X_AUTH_TOKEN"] = token
        for header, value in dict(headers).items():
            name = header.upper().replace("-", "_")
            environ[name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{name}"] = value
        said = []

        def start_response(status, found, exc_info=None):
            said[:] = [int(status[:3]), {name.lower(): value for name, value in found}]

        answer = b"".join(apis[key](environ, start_response))
        is_json = "json" in said[1].get("content-type", "") and answer
        return SimpleNamespace(
            status=said[0], headers=said[1], raw=answer, body=json.loads(answer) if is_json else None
        )

    return send
