"""Removes the data of an image whose row is gone already: durably, and again until the store obeys."""

import logging
from typing import Any

from celaje.common.db import Transaction
from celaje.common.errors import CelajeError
from celaje.common.flow import Run, flow

log = logging.getLogger(__name__)


def data_remains(tx: Transaction, flow_row: dict[str, Any], error: CelajeError) -> None:
    """Nothing more can be tried here; the comparison of store and rows tells of the data from now on."""
    log.error("data of image %s could not be removed: %s", flow_row["resource_id"], error)


@flow("image.delete", deadline="delete_deadline", way_out=data_remains)
def delete_image(run: Run, data: list[list[str]]) -> None:
    for store, url in data:
        run.step(run.conductor.remove_location, store, url)
    run.done()
