"""A flow's steps in their order, found by running its function against a recorder instead of a journal.

Messages tell their target and timeout from their table, REST operations the requests that they would send.
Nothing is sent; answers are whatever the function asks of them.
"""

import importlib
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from celaje.cli import anatomy
from celaje.common.messaging.envelope import CALL
from celaje.common.messaging.table import Message, Messages
from celaje.common.rest.client import Answer


@dataclass
class Step:
    """`kind`: "call", "rest", "write", "wait" or "checkpoint". `target` is a topic or a service. `timeout` is
    an option's name or seconds, of calls. `requests` are the (method, path, action) of a REST operation."""

    kind: str
    name: str
    target: str = ""
    timeout: str | float | None = None
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)
    undo: str = ""


@dataclass
class Outline:
    service: str
    flow: str
    deadline: str | float
    steps: list[Step]


class Anything(str):
    """An answer that has whatever is asked of it: keys, one item, a number, text, any status."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __new__(cls) -> "Anything":
        return super().__new__(cls, "x")

    def __getitem__(self, key: object) -> Any:
        return Anything()

    def get(self, key: str, default: Any = None) -> Any:
        return default

    def keys(self) -> tuple[str, ...]:
        return ()

    def __iter__(self) -> Iterator[Any]:
        return iter([Anything()])

    def __contains__(self, key: object) -> bool:
        return True

    def __eq__(self, other: object) -> bool:
        return True

    def __int__(self) -> int:
        return 1


class _Sent:
    """A message to be called by the recorder only."""

    def __init__(self, table: type[Messages], message: Message):
        self.table, self.message = table, message


class _Table:
    def __init__(self, table: type[Messages]):
        self._table = table

    def to(self, _server: object) -> "_Table":
        return self

    def __getattr__(self, name: str) -> _Sent:
        message = None if name.startswith("_") else self._table.message(name)
        if message is None:
            raise AttributeError(name)
        return _Sent(self._table, message)


class _Conductor:
    """What flows find at `run.conductor`. Anything else that a service gives its flows is done in place."""

    def __init__(self, service: str, conf: Any, sent: list[tuple[str, str, str | None]]):
        self.conf = conf
        self.clients = _clients(sent)
        tables = list(anatomy.message_tables(service))
        for name in ("scheduler", "worker"):
            found = [table for table in tables if name in table.__name__.lower()]
            if found:
                setattr(self, name, _Table(found[0]))

    def worker_of(self, _row: object) -> _Table:
        return self.worker

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)

        def here(*_args: Any, **_kwargs: Any) -> Anything:
            return Anything()

        here.__name__ = name
        return here


def _clients(sent: list[tuple[str, str, str | None]]) -> Any:
    def recorder(service: str) -> Any:
        module = importlib.import_module(f"celaje.common.clients.{service}")
        real = getattr(module, f"{service.capitalize()}Client")

        def request(self: Any, method: str, path: str, body: Any = None, **_more: Any) -> Answer:
            action = next(iter(body)) if path.endswith("/action") and body else None
            sent.append((method, path, action))
            return Answer(200, {}, Anything())

        return type(real.__name__, (real,), {"request": request})(None, None)

    names = ("compute", "image", "network", "placement", "volume")
    return SimpleNamespace(**{name: recorder(name) for name in names})


class Recorder:
    """Stands in for a Run. `answers` are what steps and waits of a name return."""

    def __init__(self, service: str, conf: Any, answers: dict[str, Any] | None = None):
        self._sent: list[tuple[str, str, str | None]] = []
        self.conductor = _Conductor(service, conf, self._sent)
        self.request = SimpleNamespace(project_id="x", user_id="x", request_id="x")
        self.flow: dict[str, Any] = {"id": "x", "arguments": {}}
        self.id = "x"
        self.ended = False
        self.steps: list[Step] = []
        self._answers = answers or {}
        self._undo = ""

    def step(self, call: Any, /, *args: Any, **kwargs: Any) -> Any:
        step = self._described(call)
        if step.kind == "rest":
            call(*args, **kwargs)
            step.requests = list(self._sent)
            self._sent.clear()
        return self._noted(step)

    ask = step

    def write(self, work: Callable[..., Any], /, *_args: Any, **_kwargs: Any) -> Any:
        return self._noted(Step("write", getattr(work, "__name__", "write")))

    note = write

    def wait(self, name: str, timeout: float | None = None) -> Any:
        return self._noted(Step("wait", name, timeout=timeout))

    def undo(self, call: Any, /, *_args: Any, **_kwargs: Any) -> None:
        self._undo = self._described(call).name

    def undo_write(self, work: Callable[..., Any], /, *_args: Any, **_kwargs: Any) -> None:
        self._undo = getattr(work, "__name__", "write")

    def checkpoint(self, name: str) -> None:
        self._noted(Step("checkpoint", name))

    def done(self, work: Any = None, /, *_args: Any, result: Any = None) -> None:
        self._noted(Step("write", getattr(work, "__name__", "done")))

    def new_uuid(self) -> str:
        return "x"

    def _noted(self, step: Step) -> Any:
        if step.kind != "checkpoint":
            # Registered before the step that it takes back.
            step.undo, self._undo = self._undo, ""
        self.steps.append(step)
        return self._answers.get(step.name, Anything())

    @staticmethod
    def _described(call: Any) -> Step:
        if isinstance(call, _Sent):
            topic = call.table.topic
            timeout = call.message.timeout if call.message.kind == CALL else None
            return Step("call", f"{topic}.{call.message.name}", topic, timeout)
        if hasattr(call, "step_name"):
            return Step("rest", call.step_name, call.step_target)
        return Step("write", getattr(call, "__name__", "step"))


def _completed(function: Callable[..., Any], arguments: dict[str, Any]) -> dict[str, Any]:
    """With anything at all for what does not choose the way."""
    _, *parameters = inspect.signature(function).parameters.values()
    needed = {one.name for one in parameters if one.default is one.empty}
    return {**{name: Anything() for name in needed}, **arguments}


def outline(
    service: str, flow: str, arguments: dict[str, Any], conf: Any, answers: dict[str, Any] | None = None
) -> Outline:
    """The steps of one way through the flow, that of `arguments` and `answers`. Raises LookupError for a
    flow that the service does not have."""
    for declared in anatomy.declared_flows(service):
        if declared.name == flow:
            recorder = Recorder(service, conf, answers)
            declared.function(recorder, **_completed(declared.function, arguments))
            return Outline(service, flow, declared.deadline, recorder.steps)
    raise LookupError(f"the {service} service has no flow {flow}")
