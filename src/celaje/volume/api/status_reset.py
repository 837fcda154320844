"""What an operator says the state of something is, unless a flow holds it. Called by the handlers of each."""

from collections.abc import Callable, Collection
from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.errors import CelajeError
from celaje.common.wsgi import Request, Response
from celaje.volume import errors

Row = dict[str, Any]


def set_status(
    request: Request,
    status: str,
    allowed: Collection[str],
    *,
    what: str,
    find: Callable[[Transaction], Row],
    change: Callable[..., Any],
    held: Callable[..., CelajeError],
) -> Response:
    """202. `what`: its kind, as a sentence begins with it; `change(tx, id, **values)`; `held`: the error of a
    row that an operation holds."""
    if status not in allowed:
        raise errors.InvalidInput(reason=f"status {status[:64]} must be one of {', '.join(allowed)}.")

    def unit(tx: Transaction) -> None:
        row = find(tx)
        if row["flow_id"] is not None:
            raise held(reason=f"{what} {row['id']} is held by an operation under way.")
        change(tx, row["id"], status=status, updated_at=clock.now())

    request.service.database.write(unit)
    return Response(status=202)
