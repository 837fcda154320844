"""Compares what lies in the stores with the rows. Called by the service at start and periodically.

Every byte that the service writes has a row before it, so what no row knows is either somebody else's or
the trace of damage from outside (a restored database): it is removed only where the folder is ours.
"""

import logging
from collections.abc import Mapping

from celaje.common.db import Database, Transaction
from celaje.image.db import images, uploads
from celaje.image.stores.base import Store

log = logging.getLogger(__name__)


def reconcile(database: Database, stores: Mapping[str, Store], *, remove: bool) -> list[str]:
    """The locations that no row knew; removed if `remove`. Also ends partial files of dead writers."""
    # The stores first: what is written after that has its row by the time the rows are read.
    found = [(store, data_id, url) for store in stores.values() for data_id, url in store.list()]
    for store in stores.values():
        store.sweep()
    if not found:
        return []

    def known(tx: Transaction) -> tuple[set[str], set[str]]:
        # Uploads first: one that ends between the two reads is a location by then.
        return uploads.known_ids(tx), images.known_urls(tx)

    ids, urls = database.read(known)
    # By the data's name, not by the whole URL: a state directory may have been moved or copied.
    ids |= {url.rsplit("/", 1)[-1] for url in urls}
    orphans = []
    for store, data_id, url in found:
        if data_id in ids:
            continue
        orphans.append(url)
        log.warning("no image has the data at %s%s", url, "; removed" if remove else "")
        if remove:
            store.delete(url)
    return orphans
