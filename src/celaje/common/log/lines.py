"""One log record as one line: plain text or JSON, with who asked and which step.

Used by `setup`; reads the context of the thread that logs. Times are UTC and come from the clock, so that a
cloud on a virtual clock has logs to match.
"""

import logging
from typing import Any

from celaje.common import clock
from celaje.common.context import RequestContext, component, current_or_none


class PlainLines(logging.Formatter):
    """`2026-01-01 10:00:00.123 INFO celaje.volume.api [req-... user project at=volume-api global=req-...
    flow=... step=3] message`; `-` for what is not known, the named ones only where they are."""

    def format(self, record: logging.LogRecord) -> str:
        stamp = clock.now().isoformat(" ", timespec="milliseconds")
        who = _who(current_or_none(), component())
        line = f"{stamp} {record.levelname} {record.name} [{who}] {_one_line(record.getMessage())}"
        trace = _trace(self, record)
        return f"{line}\n{trace}" if trace else line


class JsonLines(logging.Formatter):
    """One object a line: time, level, logger, message; component, and of the context what there is:
    request_id, global_request_id, user_id, project_id, flow, step, attempt; traceback with an exception."""

    def format(self, record: logging.LogRecord) -> str:
        # Only here, so that a plain log does not load it.
        import msgspec

        entry: dict[str, Any] = {
            "time": clock.iso(clock.now(), microseconds=True, zulu=True),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        place = component()
        if place:
            entry["component"] = place
        context = current_or_none()
        if context:
            for name in ("request_id", "global_request_id", "user_id", "project_id"):
                value = getattr(context, name)
                if value:
                    entry[name] = value
            if context.step:
                entry["flow"] = context.step.flow_id
                entry["step"] = context.step.number
                entry["attempt"] = context.step.attempt
        trace = _trace(self, record)
        if trace:
            entry["traceback"] = trace
        return msgspec.json.encode(entry, enc_hook=str).decode()


def _who(context: RequestContext | None, place: str | None) -> str:
    if context is None:
        return f"- at={place}" if place else "-"
    words = [context.request_id, context.user_id or "-", context.project_id or "-"]
    if place:
        words.append(f"at={place}")
    if context.global_request_id:
        words.append(f"global={context.global_request_id}")
    if context.step:
        words += [f"flow={context.step.flow_id}", f"step={context.step.number}"]
    return " ".join(words)


def _one_line(message: str) -> str:
    """Line ends from outside escaped: a client must not be able to forge a line of the log."""
    if "\n" not in message and "\r" not in message:
        return message
    return message.replace("\r", "\\r").replace("\n", "\\n")


def _trace(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    if record.exc_info and not record.exc_text:
        record.exc_text = formatter.formatException(record.exc_info)
    return "\n".join(part for part in (record.exc_text, record.stack_info) if part)
