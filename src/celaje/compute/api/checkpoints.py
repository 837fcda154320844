"""Waiting for a flow's checkpoint: how a handler answers with what another service said. Used by handlers
whose flow begins with a step that may refuse."""

from typing import Any

from celaje.common.errors import CelajeError


def await_checkpoint(service: Any, flow_id: str, checkpoint: str) -> None:
    """Return once the flow has passed the checkpoint, whatever became of it after that; raise its error if
    it failed before, FlowTimeout if neither came within api_wait_timeout."""
    row = service.flows.wait(flow_id, service.conf.api_wait_timeout, checkpoint)
    if row["checkpoint"] != checkpoint and row["error"] is not None:
        raise CelajeError.from_dict(row["error"])
