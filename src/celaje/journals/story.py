"""The story of a request or a flow, joined over all services from their journals.

A REST hop in a trail names the request id that the other service gave it, and a flow the request that
submitted it: these ids make the tree. What is under way has no trail yet; then the global request id tells
what belongs to it. Nothing is drawn that was not measured.
"""

import datetime

from celaje.common import clock
from celaje.journals import verdicts
from celaje.journals.node import Node
from celaje.journals.sources import FLOWS, Journals, Row

Found = tuple[str, Row]

_ENDED = {"done": "ok", "failed": "error"}


class Storyteller:
    def __init__(self, journals: Journals):
        self._journals = journals
        self._seen: set[str] = set()

    def of_request(self, request_id: str) -> list[Node]:
        """The story (or, for a global id that several requests share, the stories) of this request."""
        requests, flows = self._journals.of_request(request_id)
        self._seen = set()
        own = [found for found in requests if found[1]["request_id"] == request_id]
        nodes = [
            self.request(*found) for found in own or requests if found[1]["request_id"] not in self._seen
        ]
        # A request that was only read from, or came before the journal was kept, has flows all the same.
        loose = [found for found in flows if found[1]["id"] not in self._seen]
        return self._adopt(nodes, loose)

    def of_flow(self, service: str, row: Row) -> list[Node]:
        """The flow with the request that submitted it."""
        found = self.of_request(row["request_id"]) if row["request_id"] else []
        return found or [self.flow(service, row)]

    def find_flow(self, flow_id: str) -> Found | None:
        found = self._journals.flows(FLOWS.flows.c.id == flow_id)
        return found[0] if found else None

    def request(self, service: str, row: Row) -> Node:
        self._seen.add(row["request_id"])
        node = Node(
            "request",
            f"{service} api",
            f"{row['method']} {row['path']}",
            at=row["received_at"],
            took=row["took"],
            outcome="error" if row["status"] >= 400 else "ok",
            caller="client",
            error=(row["error"] or {}).get("message", ""),
            facts={
                "service": service,
                "status": row["status"],
                "sql": row["statements"],
                "request_id": row["request_id"],
                "global_request_id": row["global_request_id"],
                "user_id": row["user_id"],
                "project_id": row["project_id"],
                **({"refusal": row["error"]} if row["error"] else {}),
            },
        )
        node.children = self._hops(row["trail"], row["received_at"], node.who)
        node.children += self._flows_of(service, row["request_id"])
        node.children.sort(key=_when)
        return node

    def flow(self, service: str, row: Row) -> Node:
        self._seen.add(row["id"])
        now = clock.now()
        who = f"{service} conductor"
        outcome = _ENDED.get(row["state"], "waiting" if row["state"] == "waiting" else "running")
        error = (row["error"] or {}).get("message", "")
        node = Node(
            "flow",
            who,
            row["name"],
            at=row["created_at"],
            took=((row["finished_at"] or now) - row["created_at"]).total_seconds(),
            limit=(row["deadline_at"] - row["created_at"]).total_seconds(),
            ends="the flow's deadline",
            outcome=outcome,
            caller=f"{service} api",
            error=error,
            facts={
                "id": row["id"],
                "state": row["state"],
                "resource": row["resource_type"],
                "resource_id": row["resource_id"],
                "attempt": row["attempt"],
                "request_id": row["request_id"],
                "waiting_on": row["waiting_on"],
                "due_at": clock.iso(row["due_at"], zulu=True),
                "deadline_at": clock.iso(row["deadline_at"], zulu=True),
                **({"failure": row["error"]} if row["error"] else {}),
            },
        )
        taken = row["claimed_at"]
        if taken or outcome in ("running", "waiting"):
            waited = ((taken or now) - row["created_at"]).total_seconds()
            words = "waits to be taken up"
            node.children.append(
                Node(
                    "wait",
                    who,
                    words,
                    at=row["created_at"],
                    took=waited,
                    outcome="ok" if taken else "waiting",
                )
            )
        steps = self._journals.steps(service, row["id"])
        for step in sorted(steps, key=lambda step: (step["started_at"], step["number"])):
            node.children.append(self._step(service, row, step))
        node.children += self._hops(row["trail"], row["finished_at"], who)
        if outcome == "waiting":
            node.children.append(_suspended(who, row, now))
        return node

    def _step(self, service: str, flow: Row, step: Row) -> Node:
        who = f"{service} conductor"
        ended, now = step["finished_at"], clock.now()
        outcome = {"ok": "ok", "error": "error"}.get(step["outcome"] or "", "running")
        if flow["finished_at"] and outcome == "running":
            outcome = "ok" if step["kind"] == "write" else "left"
        is_write = step["kind"] == "write"
        # The conductor itself waits for a signal, whoever gives it.
        is_own = step["kind"] in ("write", "wait") or not step["target"]
        node = Node(
            step["kind"],
            who if is_own else _component(step["target"]),
            step["name"],
            at=step["started_at"],
            took=None
            if is_write
            else ((ended or flow["finished_at"] or now) - step["started_at"]).total_seconds(),
            limit=float(step["timeout"]) if step["timeout"] else None,
            outcome=outcome,
            caller=who,
            error=(step["error"] or {}).get("message", ""),
            facts={"number": step["number"]},
        )
        if step["error"]:
            node.facts["error_class"] = step["error"].get("class", "").rpartition(".")[2]
        for name in ("target", "note"):
            if step[name]:
                node.facts[name] = step[name]
        if step["tries"] > 1:
            node.facts["tries"] = step["tries"]
        self._unfold(node, step)
        if node.limit is None and step["kind"] in ("step", "wait"):
            node.limit = (flow["deadline_at"] - step["started_at"]).total_seconds()
            node.ends = "the flow's deadline"
        verdict = verdicts.of_step(step)
        if verdict is not None:
            node.facts["verdict"] = verdict.plain()
        return node

    def _unfold(self, node: Node, step: Row) -> None:
        """The step's hops below it; a step that is one call, or one request, is that call itself."""
        hops = step["trail"] or []
        leaving = [hop for hop in hops if hop["kind"] in ("call", "rest")]
        if len(leaving) == 1 and len(hops) == 1:
            (hop,) = leaving
            (only,) = self._hops(hops, step["started_at"], node.caller)
            node.children, node.waited = only.children, only.waited
            if hop["kind"] == "call":
                node.who = only.who
                node.ends = only.ends
            else:
                node.who, node.limit = only.who, only.limit or node.limit
            node.facts |= only.facts
            if hop["kind"] == "rest":
                node.facts["request"] = only.what
        else:
            node.children = self._hops(hops, step["started_at"], node.caller)

    def _hops(self, hops: list[Row] | None, began: datetime.datetime | None, caller: str) -> list[Node]:
        return [self._hop(hop, began, caller) for hop in hops or () if not _is_nudge(hop)]

    def _hop(self, hop: Row, began: datetime.datetime | None, caller: str) -> Node:
        at = began + datetime.timedelta(seconds=hop.get("at", 0.0)) if began else None
        kind = hop["kind"]
        node = Node(
            kind,
            _component(hop.get("to") or caller),
            hop["name"],
            at=at,
            took=hop.get("took"),
            waited=hop.get("waited"),
            limit=hop.get("timeout"),
            caller=caller,
            outcome="error" if hop.get("error") or hop.get("status", 0) >= 400 else "ok",
            error=hop.get("error") or "",
        )
        match kind:
            case "state":
                node.who, node.what, node.at = caller, f"{hop['name']} {hop['id']}", began
                node.facts = {"resource": hop["name"], "resource_id": hop["id"], "state": hop["state"]}
            case "rest":
                node.facts = {"status": hop.get("status"), "request_id": hop.get("request_id")}
                node.who, node.ends = f"{hop['to']} api", "the client's timeout" if node.limit else ""
                self._answer(node, hop)
            case "call":
                node.ends = "the message's timeout"
                node.facts = {"by": hop.get("by"), "worked": hop.get("worked")}
                if hop.get("by") and "." not in hop["to"]:
                    node.who = _component(f"{hop['to']}.{hop['by']}")
                inside = at + datetime.timedelta(seconds=hop.get("waited") or 0.0) if at else None
                node.children = self._hops(hop.get("hops"), inside, node.who)
            case "driver":
                node.who = f"driver {hop.get('to', '')}".strip()
            case "wait":
                node.who, node.what = caller, _awaited(hop["name"])
                node.facts = {"flow": hop.get("flow")}
                node.ends = "the API's patience"
        return node

    def _answer(self, node: Node, hop: Row) -> None:
        """What the other service did for it."""
        request_id = hop.get("request_id")
        if not request_id or request_id in self._seen:
            return
        found = self._journals.requests(
            request_id, lambda row: row["request_id"] == request_id, service=hop["to"], newest=1
        )
        if found:
            there = self.request(*found[0])
            node.children = there.children
            node.error = there.error or node.error
            node.facts |= {"sql": there.facts["sql"], "worked": there.took}
        else:
            self._seen.add(request_id)
            node.children = self._flows_of(hop["to"], request_id)

    def _flows_of(self, service: str, request_id: str) -> list[Node]:
        found = self._journals.flows(FLOWS.flows.c.request_id == request_id, service=service)
        return [self.flow(*one) for one in found if one[1]["id"] not in self._seen]

    def _adopt(self, nodes: list[Node], loose: list[Found]) -> list[Node]:
        """Flows that no trail leads to (yet): below the step that is under way, if one is, else beside."""
        for service, row in loose:
            if row["id"] in self._seen:
                continue
            running = [
                step
                for node in nodes
                for step in node.walk()
                if step.outcome == "running" and step.facts.get("target") == service
            ]
            child = self.flow(service, row)
            if running:
                running[-1].children.append(child)
            elif nodes and row["request_id"] != nodes[0].facts.get("request_id"):
                nodes[0].children.append(child)
            else:
                nodes.append(child)
        return nodes


def _suspended(who: str, row: Row, now: datetime.datetime) -> Node:
    waiting_on = str(row["waiting_on"] or "")
    for_whom = (
        _awaited(waiting_on.removeprefix("signal:"))
        if waiting_on.startswith("signal:")
        else f"waits for {_component(waiting_on)}"
    )
    since = row["updated_at"] or row["created_at"]
    return Node(
        "wait",
        who,
        for_whom,
        at=since,
        took=(now - since).total_seconds(),
        limit=(row["deadline_at"] - since).total_seconds(),
        ends="the flow's deadline",
        outcome="waiting",
    )


def _awaited(name: str) -> str:
    return "waits for its end" if name == "its end" else f'waits for "{name}"'


def _is_nudge(hop: Row) -> bool:
    """The flow itself tells when it was taken up."""
    return hop["kind"] == "cast" and hop["name"] == "run_flow"


def _when(node: Node) -> datetime.datetime:
    return node.at or datetime.datetime.max


# Topics by the component that listens.
_TOPICS = {"compute": "compute worker", "volume-worker": "volume worker", "network-worker": "network worker"}


def _component(target: str) -> str:
    """`volume-worker.celaje@fake` -> volume worker celaje@fake."""
    topic, _, server = target.partition(".")
    if not server:
        return topic.replace("-", " ")
    return f"{_TOPICS.get(topic, topic.replace('-', ' '))} {server}"
