"""How the tests of compute's resources speak to it."""

import uuid

HOSTS = ["node-1", "node-2"]


def speaking(client, version):
    """The same client, asking for a microversion."""

    class Versioned:
        def __getattr__(self, method):
            def call(path, body=None, **kwargs):
                headers = {"OpenStack-API-Version": f"compute {version}"}
                arguments = (path, body) if method in ("post", "put") else (path,)
                return getattr(client, method)(*arguments, headers=headers, **kwargs)

            return call

    return Versioned()


def message(answer):
    return next(iter(answer.body.values()))["message"]


def name(prefix="t"):
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def new_flavor(admin, version="2.1", **more):
    body = {"name": name("f"), "ram": 64, "vcpus": 1, "disk": 1, **more}
    return speaking(admin, version).post("/v2.1/flavors", {"flavor": body}).ok(200)["flavor"]
