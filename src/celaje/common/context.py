"""Who asks, with what right, and for which step: carried through REST, messages and flows.

The WSGI pipeline makes it from the token; the message layer and the flow engine hand it on; logs, policy
and journals read it. It never holds the token itself in a form that is written down (see `to_dict`).
"""

from contextlib import AbstractContextManager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import msgspec

from celaje.common import clock


def new_request_id() -> str:
    return f"req-{clock.new_uuid()}"


@dataclass(frozen=True, slots=True)
class Step:
    """The hop of a flow that a message belongs to: the key of idempotence and the fence (design, 5)."""

    flow_id: str
    number: int
    attempt: int

    @property
    def key(self) -> str:
        """Stable over attempts: the same step repeated has the same key."""
        return f"{self.flow_id}/{self.number}"


class RequestContext(msgspec.Struct, frozen=True):
    """Made several times for each request and message, which is why it is a Struct: 0.3 us, a frozen
    dataclass of this size takes 4."""

    request_id: str = msgspec.field(default_factory=new_request_id)
    global_request_id: str | None = None
    user_id: str | None = None
    user_name: str | None = None
    user_domain_id: str | None = None
    project_id: str | None = None
    project_name: str | None = None
    project_domain_id: str | None = None
    domain_id: str | None = None
    system_scope: str | None = None
    roles: tuple[str, ...] = ()
    service_user_id: str | None = None
    service_roles: tuple[str, ...] = ()
    is_admin_project: bool = True
    step: Step | None = None
    token: str | None = None

    def __repr__(self) -> str:
        """For logs and messages of failed tests: what is set, and never the token."""
        found = {name: getattr(self, name) for name in self.__struct_fields__ if name != "token"}
        return f"RequestContext({', '.join(f'{n}={v!r}' for n, v in found.items() if v not in (None, ()))})"

    @property
    def is_admin(self) -> bool:
        return "admin" in self.roles

    def credentials(self) -> dict[str, Any]:
        """What policy rules read (the names of oslo.policy's credential dictionary)."""
        return {
            "user_id": self.user_id,
            "user_domain_id": self.user_domain_id,
            "project_id": self.project_id,
            "tenant": self.project_id,
            "project_domain_id": self.project_domain_id,
            "domain_id": self.domain_id,
            "system_scope": self.system_scope,
            "roles": self.roles,
            "is_admin": self.is_admin,
            "is_admin_project": self.is_admin_project,
            "service_user_id": self.service_user_id,
            "service_roles": self.service_roles,
        }

    def to_dict(self) -> dict[str, Any]:
        """For messages and flow rows. The token stays out: who needs to act for the user asks the token
        vault of its service (`common/tokens.py`)."""
        data = msgspec.structs.asdict(self)
        del data["token"], data["step"]
        data["roles"] = list(self.roles)
        data["service_roles"] = list(self.service_roles)
        if self.step:
            data["step"] = [self.step.flow_id, self.step.number, self.step.attempt]
        return data

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "RequestContext":
        """Unknown keys are ignored, so that a newer sender can talk to an older receiver."""
        if not _KNOWN.issuperset(data):
            data = {key: value for key, value in data.items() if key in _KNOWN}
        step = data.get("step")
        return cls(
            **{
                **data,
                "roles": tuple(data.get("roles") or ()),
                "service_roles": tuple(data.get("service_roles") or ()),
                "step": Step(*step) if step else None,
            }
        )

    def at(self, step: Step | None) -> "RequestContext":
        return self.but(step=step)

    def but(self, **changes: Any) -> "RequestContext":
        """A copy with `changes`."""
        return msgspec.structs.replace(self, **changes)


_KNOWN = frozenset(RequestContext.__struct_fields__)

_current: ContextVar[RequestContext | None] = ContextVar("celaje_context", default=None)
_component: ContextVar[str | None] = ContextVar("celaje_component", default=None)


def current() -> RequestContext:
    """The context of this thread's work; outside of any request a fresh anonymous one."""
    return _current.get() or RequestContext()


def current_or_none() -> RequestContext | None:
    return _current.get()


def component() -> str | None:
    """Which component does this thread's work: volume-api, compute-conductor, compute (a worker's topic)."""
    return _component.get()


class _Using:
    """No generator: it is entered several times for each request, message and step."""

    __slots__ = ("_component", "_context", "_mark", "_place")

    def __init__(self, context: RequestContext, component: str | None):
        self._context = context
        self._component = component

    def __enter__(self) -> RequestContext:
        self._mark = _current.set(self._context)
        self._place = _component.set(self._component) if self._component is not None else None
        return self._context

    def __exit__(self, *_: object) -> None:
        _current.reset(self._mark)
        if self._place is not None:
            _component.reset(self._place)


def using(context: RequestContext, component: str | None = None) -> AbstractContextManager[RequestContext]:
    """Work for `context`; in `component`, where it is another than the surrounding one."""
    return _Using(context, component)
