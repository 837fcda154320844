"""The links of an operation's chain: every wait in it, with its end, the option behind it and its origin.

Made for `celaje timeouts` from the operation, its flow's outline, the handlers, and the configuration.
"""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from celaje.cli.chain import client, haproxy
from celaje.cli.chain.handlers import Handling, handling
from celaje.cli.chain.operations import DRIVERS, NAMES, NESTED, Operation
from celaje.cli.chain.outline import Step, outline
from celaje.cli.configured import Configured

# How the hops that can be slow are called, by the topic or service that does the work.
_HOPS = {
    "volume-worker": "backend",
    "compute": "hypervisor",
    "network-worker": "wiring",
    "compute-scheduler": "scheduler",
    "volume-scheduler": "scheduler",
}

ENDS = {
    "client": "it gives up; the request and its work go on",
    "balancer": "the client gets 504; the request and its work go on",
    "api": "it answers 503; the flow goes on",
    "flow": "before its next step it turns round: undo steps, then its way out",
    "call": "the step fails, the flow is undone; the callee's work goes on to its end",
    "rest": "it counts as not there: the flow sleeps and asks again until its deadline",
    "driver": "the driver gives its command up; the step fails",
}


@dataclass
class Link:
    """One wait: `who` waits for `what`, `seconds` at most (None: no end). `kind` as in ENDS, or "step" for
    what takes no wait of its own and "checkpoint". `hop` names the work behind it, for --simulate."""

    kind: str
    who: str
    what: str
    seconds: float | None = None
    option: str = ""
    origin: str = ""
    hop: str = ""
    inner: list["Link"] = field(default_factory=list)

    @property
    def ends(self) -> str:
        return ENDS.get(self.kind, "") if self.seconds is not None else ""

    def walk(self, depth: int = 0) -> Iterator[tuple[int, "Link"]]:
        yield depth, self
        for link in self.inner:
            yield from link.walk(depth + 1)


@dataclass
class Chain:
    """`root` is the client's wait. `beside` are ends that lie on no hop of the way: pools, heartbeats."""

    name: str
    operation: Operation
    root: Link
    beside: list[Link]
    notes: list[str]

    @property
    def links(self) -> list[Link]:
        return [link for _, link in self.root.walk()]

    @property
    def hops(self) -> list[str]:
        return list(dict.fromkeys(link.hop for link in self.links if link.hop))


class Builder:
    """`proxies` are those of a haproxy.cfg, `clouds_yaml` and `cloud` the client's."""

    def __init__(
        self,
        configured: Configured,
        proxies: list[haproxy.Proxy] | None = None,
        clouds_yaml: Path | None = None,
        cloud: str = "celaje",
    ):
        self._configured = configured
        self._proxies = proxies
        self._clouds_yaml = clouds_yaml
        self._cloud = cloud

    def build(self, name: str, operation: Operation) -> Chain:
        notes: list[str] = []
        handled = handling(operation.service, *operation.request)
        api = self._api(operation, handled)
        way = haproxy.way_to(self._proxies or [], NAMES[operation.service]) if self._proxies else None
        inside = api
        if way:
            if not way.sure:
                notes.append(f"Nothing in it names {operation.service}: the most impatient one is shown.")
            inside = self._balancer(way, api)
        return Chain(name, operation, self._client(inside), self._beside(operation, way), notes)

    def _client(self, inside: Link) -> Link:
        seconds, origin = None, "no clouds.yaml"
        if self._clouds_yaml:
            seconds, origin = client.timeout(self._clouds_yaml, self._cloud)
        return Link(
            "client", "client", "waits for the answer", seconds, "api_timeout", origin, inner=[inside]
        )

    @staticmethod
    def _balancer(way: haproxy.Way, inside: Link) -> Link:
        found = way.server.timeout("server")
        what = f"waits for {way.server.kind} {way.server.name}"
        if found is None:
            return Link("balancer", "HAProxy", what, None, "timeout server", way.server.place, inner=[inside])
        return Link("balancer", "HAProxy", what, found.seconds, "timeout server", found.place, inner=[inside])

    def _api(self, operation: Operation, handled: Handling) -> Link:
        flow = self._flow(operation.service, operation.flow, operation.arguments, operation)
        who = f"{operation.service} API"
        if operation.receives:
            return Link("api", who, "takes the data in", inner=[flow])
        if not handled.waits:
            return Link("api", who, "answers at once; the flow goes on by itself", inner=[flow])
        until = f'until "{handled.checkpoint}"' if handled.checkpoint else "until it ends"
        what = f"waits for the flow, {until}"
        return self._bound(Link("api", who, what, inner=[flow]), operation.service, *handled.waits[0])

    def _flow(
        self, service: str, flow: str, arguments: dict[str, Any], operation: Operation | None = None
    ) -> Link:
        answers = operation.answers if operation else None
        found = outline(service, flow, arguments, self._configured.checked(service), answers)
        link = Link("flow", f"{service} flow", flow)
        if isinstance(found.deadline, str):
            self._bound(link, service, "flows", found.deadline)
        else:
            link.seconds, link.origin = found.deadline, "the flow's own"
        link.inner = [
            made for step in found.steps if (made := self._step(service, step, operation)) is not None
        ]
        return link

    def _step(self, service: str, step: Step, operation: Operation | None) -> Link | None:
        if step.kind == "checkpoint":
            return Link("checkpoint", "", step.name)
        if step.kind == "call":
            return self._call(service, step, operation)
        if step.kind == "rest":
            return self._rest(service, step, operation)
        if step.kind == "wait":
            return Link("step", f"{service} conductor", f'waits to be told "{step.name}"', hop="store")
        return None

    def _call(self, service: str, step: Step, operation: Operation | None) -> Link:
        message = step.name.removeprefix(f"{step.target}.")
        link = Link(
            "call", f"{service} conductor", f"calls {step.target}: {message}", hop=_HOPS.get(step.target, "")
        )
        if isinstance(step.timeout, str):
            group, _, key = step.timeout.rpartition(".")
            self._bound(link, service, group or None, key)
        elif step.timeout is not None:
            link.seconds, link.origin = float(step.timeout), "the message's own"
        special = operation.driver.get(step.name, ()) if operation else ()
        for option in (*DRIVERS.get(step.target, ()), *special):
            link.inner += self._driver(service, option, message)
        link.inner += [
            Link("driver", who, f"waits for {what}", seconds, "", "the driver's own")
            for who, driver in self._drivers(step.target)
            for what, seconds in driver.waits.get(message, ())
        ]
        return link

    def _drivers(self, topic: str) -> Iterator[tuple[str, Any]]:
        """(who, class) of the drivers that the workers of a topic have."""
        if topic == "compute" and self._configured.checked("compute").compute_driver == "qemu":
            from celaje.compute.drivers.qemu.driver import QemuDriver

            yield "hypervisor qemu", QemuDriver
        elif topic == "volume-worker":
            from celaje.volume import backends

            conf = self._configured.checked("volume")
            for name in conf.backends:
                yield f"back end {name}", backends.declared(conf, name)[0]

    def _driver(self, service: str, key: str, message: str) -> list[Link]:
        conf = self._configured.checked(service)
        return [
            self._bound(Link("driver", f"back end {name}", f"its command for {message}"), service, name, key)
            for name, backend in conf.backends.items()
            if key in backend and getattr(backend, key) >= 0  # negative: the program's own default
        ]

    def _rest(self, service: str, step: Step, operation: Operation | None) -> Link:
        link = Link("rest", f"{service} conductor", f"asks {step.target} API: {step.name.partition('.')[2]}")
        self._rest_bound(link, service)
        nested = self._nested(step) if not (operation and step.name in operation.plain) else None
        if nested is not None:
            link.inner.append(nested)
        else:
            link.hop = f"{step.target}-api"
        return link

    def _nested(self, step: Step) -> Link | None:
        """The other service's handler, where it waits for a flow of its own."""
        for request in step.requests:
            handled = handling(step.target, *request)
            flows = [flow for flow in handled.flows if flow in NESTED]
            if handled.waits and flows:
                inside = self._flow(step.target, flows[0], NESTED[flows[0]])
                link = Link("api", f"{step.target} API", "waits for the flow", inner=[inside])
                return self._bound(link, step.target, *handled.waits[0])
        return None

    def _rest_bound(self, link: Link, service: str) -> None:
        """Between processes an answer is waited for by HTTP; inside of one there is nothing to wait at."""
        if self._configured.state is not None:
            link.origin = "in the same process"
            return
        conf = self._configured.checked(service)
        if ("keystone_authtoken", "http_connect_timeout") in conf:
            self._bound(link, service, "keystone_authtoken", "http_connect_timeout")
            return
        from celaje.common.rest.http_transport import HttpTransport

        link.seconds = float(inspect.signature(HttpTransport).parameters["timeout"].default)
        link.option, link.origin = "HTTP", "default"

    def _bound(self, link: Link, service: str, group: str | None, key: str) -> Link:
        value, origin = self._configured.checked(service).origin(group, key)
        link.seconds = float(value)
        link.option = f"[{group}] {key}" if group else key
        link.origin = origin
        return link

    def _beside(self, operation: Operation, way: haproxy.Way | None) -> list[Link]:
        from celaje.common import patience

        service = operation.service
        found = []
        if way:
            for proxy, what, about in (
                (way.client, "client", "a client that sends or reads nothing is cut off"),
                (way.server, "connect", "a server that takes no connection: the next one, then 503"),
                (way.server, "queue", "no server is free: 503"),
            ):
                known = proxy.timeout(what)
                found.append(
                    Link(
                        "beside",
                        "HAProxy",
                        about,
                        known.seconds if known else None,
                        f"timeout {what}",
                        known.place if known else proxy.place,
                    )
                )
        pool = Link("beside", f"{service} conductor", "a database connection: the flow is tried again")
        self._bound(pool, service, "database", "pool_timeout")
        with patience.answering():
            part = patience.seconds(pool.seconds or 0.0)
        asked = Link("beside", f"{service} API", "a database connection: 503 with Retry-After", part)
        asked.option, asked.origin = pool.option, pool.origin
        silent = Link("beside", "any caller", "no heartbeat of a callee at work: it counts as lost")
        self._bound(silent, service, None, "call_monitor_timeout")
        broker = self._broker(service)
        lost = []
        if operation.receives:
            lost = [Link("beside", "image API", "silent while it receives: the image is queued again")]
            self._bound(lost[0], service, "uploads", "lease")
        return [*found, asked, pool, silent, *broker, *lost]

    def _broker(self, service: str) -> list[Link]:
        conf = self._configured.checked(service)
        scheme = conf.transport_url.partition(":")[0]
        if self._configured.state is not None or scheme == "inproc":
            return []
        if scheme == "zmq":
            return [self._zmq(service, *row) for row in _ZMQ]
        link = Link("beside", "any sender", "an unreachable broker: what waits to be sent fails")
        self._bound(link, service, "oslo_messaging_rabbit", "rabbit_max_retries")
        from celaje.common.messaging.rabbit import address

        link.seconds = broker_patience(address.settings(conf.transport_url, conf))
        return [link]

    def _zmq(self, service: str, key: str, what: str) -> Link:
        link = self._bound(Link("beside", "any sender", what), service, "oslo_messaging_zmq", key)
        if link.seconds is not None and link.seconds < 0:
            link.seconds = None
        return link


_ZMQ = (
    (
        "rpc_cast_timeout",
        "nobody takes a cast: it is given up, a flow is found again by its conductor's scan",
    ),
    ("rpc_poll_timeout", "just started, and nobody is found: a call fails, its flow waits"),
    ("zmq_target_expire", "another process gives no sign of life: it counts as gone"),
)


def broker_patience(settings: Any) -> float | None:
    """Seconds between the first failed attempt to reach a broker and giving up; None: never."""
    from celaje.common.messaging.rabbit.retry import Backoff

    backoff = Backoff(settings)
    if not settings.max_retries:
        return None
    total = 0.0
    while True:
        wait = backoff.failed()
        if backoff.exhausted:
            return total
        total += wait
