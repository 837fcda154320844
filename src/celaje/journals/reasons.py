"""Why something is as it is: the verdict on a request that was refused, a flow that failed, one that waits.

Read from the journals' rows; `celaje why` prints it. Says nothing that is not written down there.
"""

import datetime
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import or_

from celaje.common import clock
from celaje.common.log import mask, masked
from celaje.journals import verdicts
from celaje.journals.sources import FLOWS, Journals, Row
from celaje.journals.words import duration, safe


@dataclass
class Reason:
    """`title` is what happened, `because` the sentence that answers; `facts` (name, words) what it rests on;
    `data` the same and more for machines, as the journal has it; `then` what to do or look at next."""

    title: str
    because: str
    kind: str
    facts: list[tuple[str, str]] = field(default_factory=list)
    verdict: Row | None = None
    then: list[str] = field(default_factory=list)
    data: Row = field(default_factory=dict)

    def plain(self) -> Row:
        found: Row = {"kind": self.kind, "title": self.title, "because": self.because}
        found["facts"] = [{"name": name, "words": words} for name, words in self.facts]
        if self.verdict:
            found["verdict"] = self.verdict
        found["then"] = self.then
        found["data"] = masked(self.data)
        return found


class Reasons:
    def __init__(self, journals: Journals):
        self._journals = journals

    def of(self, identifier: str) -> list[Reason]:
        """For a request's, a flow's or a resource's id; empty when no journal knows it."""
        requests, flows = self._journals.of_request(identifier)
        own = [found for found in requests if found[1]["request_id"] == identifier]
        refused = [found for found in own or requests if found[1]["status"] >= 400]
        flows = flows or self._journals.flows(FLOWS.flows.c.id == identifier)
        told = [self.refusal(*found) for found in refused]
        told += [self.flow(*found) for found in flows if found[1]["state"] not in ("done",)]
        if told:
            return told
        if flows:
            return [self.flow(*flows[-1])]
        if own:
            return [self._answered(*own[-1])]
        return self._of_resource(identifier)

    def _of_resource(self, resource_id: str) -> list[Reason]:
        """What is under way first, then the last that failed, then that all is well."""
        flows = self._journals.of_resource(resource_id)
        states = self._journals.states(resource_id)
        requests = self._journals.requests(
            resource_id, lambda row: row["status"] >= 400 and resource_id in row["path"], newest=20
        )
        # What a flow's own steps were refused is the flow's story.
        inner = {row["request_id"] for _, row in flows}
        requests = [found for found in requests if found[1]["global_request_id"] not in inner]
        waiting = [found for found in flows if found[1]["finished_at"] is None]
        failed = [found for found in flows if found[1]["state"] == "failed"]
        reasons = [self.flow(*found) for found in waiting]
        reasons += [self.flow(*found) for found in failed[-1:]]
        last = flows[-1][1]["created_at"] if flows else datetime.datetime.min
        reasons += [self.refusal(*found) for found in requests[-1:] if found[1]["received_at"] > last]
        if not reasons and flows:
            reasons = [self.flow(*flows[-1])]
        if any(name.endswith("… was") for reason in reasons[:1] for name, _ in reason.facts):
            pass  # A refusal that rests on the states tells them.
        elif states and reasons:
            reasons[0].facts.append(("its states", _history(states)))
        elif states:
            moment, state, request_id = states[-1]
            because = f"It became {state} at {_stamp(moment)}."
            then = [f"celaje flow show {request_id}"]
            reasons = [Reason(resource_id, because, "state", [("its states", _history(states))], None, then)]
        return reasons

    # Requests.

    def refusal(self, service: str, row: Row) -> Reason:
        error = row["error"] or {}
        details = error.get("details") or {}
        message = safe(mask(error.get("message", "")))
        reason = Reason(
            f"{row['status']} for {row['method']} {safe(row['path'])}",
            message or f"The service answered {row['status']}.",
            error.get("kind", "refused"),
            [("when", f"{_stamp(row['received_at'])}, answered by {service} in {duration(row['took'])}")],
            then=[f"celaje logs {row['request_id']}"],
            data=_of_request(service, row),
        )
        explain = {
            "forbidden": self._policy,
            "over_quota": self._quota,
            "conflict": self._state,
            "invalid": self._state,
            "not_found": self._absence,
            "unauthorized": self._token,
            "unavailable": self._busy,
        }.get(reason.kind)
        if explain:
            explain(reason, row, details)
        verdict = verdicts.of_error(details)
        reason.verdict = verdict.plain() if verdict else None
        return reason

    def _answered(self, service: str, row: Row) -> Reason:
        return Reason(
            f"{row['status']} for {row['method']} {safe(row['path'])}",
            f"It was not refused: {service} answered {row['status']} in {duration(row['took'])}.",
            "fine",
            then=[f"celaje flow show {row['request_id']}"],
            data=_of_request(service, row),
        )

    def _policy(self, reason: Reason, row: Row, details: Row) -> None:
        rule = details.get("action")
        if not rule:
            return
        origin = details.get("origin", "default")
        roles = ", ".join(details.get("roles") or ()) or "none"
        reason.because = f"Policy rule {rule} does not let this token do it."
        reason.facts += [
            ("rule", rule),
            ("check", f"{details.get('check')}  ({origin})"),
            ("token", f"roles {roles}; scope {details.get('scope')}"),
        ]
        needs = details.get("needs") or []
        if details.get("reason") == "scope":
            wanted = " or ".join(details.get("scope_types") or ())
            reason.facts.append(("missing", f"a token of scope {wanted}"))
        elif needs:
            reason.facts.append(("missing", f"the role {' or '.join(needs)}"))
        else:
            reason.facts.append(("missing", "no role alone would do: the check asks whose the resource is"))
        reason.then.insert(0, "To change the rule: the service's [oslo_policy] policy_file.")

    def _quota(self, reason: Reason, row: Row, details: Row) -> None:
        names = _listed(details.get("overs") or details.get("name"))
        columns = [
            _listed(details.get(key) if details.get(key) is not None else details.get(other))
            for key, other in (("allowed", "quota"), ("used", "consumed"), ("requested", "size"))
        ]
        for number, name in enumerate(names):
            allowed, used, asked = (column[number] if number < len(column) else "?" for column in columns)
            reason.facts.append((f"quota {name}", f"limit {allowed}, in use {used}, asked for {asked} more"))
        if row["project_id"]:
            reason.facts.append(("project", row["project_id"]))
            reason.then.insert(0, f"openstack quota show {row['project_id']}")

    def _state(self, reason: Reason, row: Row, details: Row) -> None:
        if details.get("attribute") and details.get("state"):
            reason.facts.append(("state", f"{details['attribute']} is {details['state']}"))
        for resource_id in _ids(row["path"]):
            states = [one for one in self._journals.states(resource_id) if one[0] <= row["received_at"]]
            if states:
                reason.facts.append((f"{resource_id[:8]}… was", _history(states)))
            columns = FLOWS.flows.c
            holding = self._journals.flows(
                columns.resource_id == resource_id,
                columns.created_at <= row["received_at"],
                or_(columns.finished_at.is_(None), columns.finished_at > row["received_at"]),
            )
            for _, flow in holding:
                if flow["request_id"] == row["request_id"]:
                    continue
                end = f"until {_stamp(flow['finished_at'])}" if flow["finished_at"] else "and still does"
                reason.facts.append(("held by", f"flow {flow['name']} had it, {end}"))
                reason.then.insert(0, f"celaje flow show {flow['id']}")

    def _absence(self, reason: Reason, row: Row, details: Row) -> None:
        if row["route"] is None:
            reason.facts.append(("route", "The service has no such path (celaje inspect routes)."))
        elif row["project_id"]:
            reason.facts.append(
                ("asked by", f"project {row['project_id']}; another project's resource is not found either")
            )

    def _token(self, reason: Reason, row: Row, details: Row) -> None:
        if row["user_id"] is None:
            reason.facts.append(("token", "none that holds: missing, expired, revoked, or of another cloud"))

    def _busy(self, reason: Reason, row: Row, details: Row) -> None:
        reason.facts += [
            (name, str(details[name])) for name in ("seconds", "flow", "target") if details.get(name)
        ]

    # Flows.

    def flow(self, service: str, row: Row) -> Reason:
        whose = f" of {row['resource_type']} {row['resource_id']}" if row["resource_id"] else ""
        title = f"flow {row['name']}{whose}"
        steps = self._journals.steps(service, row["id"])
        then = [
            f"celaje flow show {row['request_id'] or row['id']}",
            f"celaje logs {row['request_id'] or row['id']}",
        ]
        took = duration(((row["finished_at"] or clock.now()) - row["created_at"]).total_seconds())
        if row["state"] == "done":
            at = _stamp(row["finished_at"])
            reason = Reason(title, f"Nothing failed: it was done after {took}, at {at}.", "fine", then=then)
        elif row["state"] in ("failed", "undoing"):
            reason = self._failure(title, row, steps, took, then)
        else:
            reason = self._waiting(title, row, steps, took, then)
        reason.data = {**_of_flow(service, row), **reason.data}
        return reason

    def _failure(self, title: str, row: Row, steps: list[Row], took: str, then: list[str]) -> Reason:
        error = row["error"] or {}
        failing = [step for step in steps if step["outcome"] == "error" and step["kind"] != "undo"]
        state = "failed" if row["state"] == "failed" else "is being undone"
        reason = Reason(
            f"{title} {state} after {took}", safe(mask(error.get("message", ""))), "failed", then=then
        )
        reason.facts.append(("cause", error.get("class", "").rpartition(".")[2]))
        for step in failing[-1:]:
            where = f" at {step['target']}" if "." in (step["target"] or "") else ""
            reason.facts.append(("step", f"{step['name']}{where}, {_stamp(step['started_at'])}"))
            reason.data["step"] = {name: step[name] for name in ("number", "name", "target", "timeout")}
            fault = _driver_fault(step["trail"])
            if fault:
                words = f"{fault['to']}, in its {fault['name']}, after {duration(fault['took'])}"
                reason.facts.append(("driver", words))
                reason.data["driver"] = {
                    "driver": fault["to"],
                    "operation": fault["name"],
                    "took": fault["took"],
                    "error": fault["error"],
                }
            verdict = verdicts.of_step(step)
            reason.verdict = verdict.plain() if verdict else None
        if reason.verdict is None:
            verdict = verdicts.of_error(error.get("details") or {})
            reason.verdict = verdict.plain() if verdict else None
        undone = [step["name"] for step in steps if step["kind"] == "undo" and step["outcome"] == "ok"]
        left = [step for step in steps if step["kind"] == "undo" and step["outcome"] == "error"]
        if undone:
            reason.facts.append(("undone", ", ".join(undone)))
        for step in left:
            message = safe(mask((step["error"] or {}).get("message", "")))
            reason.facts.append(("left behind", f"{step['name']} could not be undone: {message}"))
        notes = [f"{step['name']}: {step['note']}" for step in steps if step["note"]]
        reason.facts += [("note", note) for note in notes]
        return reason

    def _waiting(self, title: str, row: Row, steps: list[Row], took: str, then: list[str]) -> Reason:
        waiting_on = row["waiting_on"] or ""
        deadline = f"{_stamp(row['deadline_at'])} ({_from_now(row['deadline_at'])}), then it is undone"
        if waiting_on.startswith("signal:"):
            because = f'It waits for the signal "{waiting_on.removeprefix("signal:")}".'
        elif waiting_on:
            because = f"It waits for {waiting_on}, which did not take its work."
        elif row["claimed_at"] is None:
            because = "No conductor has taken it up yet."
        else:
            running = [step for step in steps if step["outcome"] is None]
            at = f"step {running[-1]['name']}" if running else "its function"
            because = f"It is under way, at {at}."
        reason = Reason(f"{title} has been {row['state']} for {took}", because, "waiting", then=then)
        known = self._journals.component(waiting_on) if waiting_on and ":" not in waiting_on else None
        if known:
            service, record = known
            ago = duration((clock.now() - record["last_seen_at"]).total_seconds())
            disabled = (
                ", disabled" if record["disabled"] else ", forced down" if record["forced_down"] else ""
            )
            words = f"{record['binary']} on {record['host']}, last heard of {ago} ago{disabled}"
            reason.facts.append((f"{service} has", words))
        tries = max((step["tries"] for step in steps if step["outcome"] is None), default=0)
        if tries:
            reason.facts.append(("tries", str(tries)))
        if row["due_at"] and waiting_on and not waiting_on.startswith("signal:"):
            reason.facts.append(("next try", f"{_from_now(row['due_at'])}, or at once when it reports"))
        reason.facts.append(("given up", deadline))
        return reason


def _of_request(service: str, row: Row) -> Row:
    names = (
        *("request_id", "global_request_id", "method", "path", "route", "status"),
        *("user_id", "project_id", "took", "error"),
    )
    when = clock.iso(row["received_at"], microseconds=True, zulu=True)
    return {"service": service, "received_at": when, **{name: row[name] for name in names}}


def _of_flow(service: str, row: Row) -> Row:
    names = ("name", "state", "resource_type", "resource_id", "request_id", "waiting_on", "attempt", "error")
    moments = ("created_at", "claimed_at", "due_at", "deadline_at", "finished_at")
    when = {name: clock.iso(row[name], microseconds=True, zulu=True) for name in moments}
    return {"service": service, "flow_id": row["id"], **{name: row[name] for name in names}, **when}


def _driver_fault(trail: list[Row] | None) -> Row | None:
    """The driver's call that failed last in a step, wherever below it."""
    for hop in reversed(trail or ()):
        found = _driver_fault(hop.get("hops"))
        if found is None and hop["kind"] == "driver" and hop.get("error"):
            found = hop
        if found is not None:
            return found
    return None


def _listed(value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, list | tuple):
        return [str(one) for one in value]
    return [part.strip() for part in str(value).split(",")]


def _ids(path: str) -> list[str]:
    return [part for part in path.split("/") if len(part) == 36 and part.count("-") == 4]


def _stamp(moment: datetime.datetime | None) -> str:
    return "" if moment is None else f"{moment.isoformat(' ', timespec='seconds')} UTC"


def _from_now(moment: datetime.datetime) -> str:
    seconds = (moment - clock.now()).total_seconds()
    return f"in {duration(seconds)}" if seconds > 0 else "now"


def _history(states: list[tuple[datetime.datetime, str, str]]) -> str:
    """The last few, with when it got there."""
    last = states[-6:]
    names = " → ".join(state for _, state, _ in last)
    return f"{'… → ' if len(states) > len(last) else ''}{names}, at {_stamp(last[-1][0])}"
