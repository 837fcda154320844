"""Flow image_keys.reclaim: the keys of images that are gone, and that said so, are deleted.

Glance asks the key manager to when an image goes whose `cinder_encryption_key_deletion_policy` is
`on_image_deletion`. Here the keys are this service's own, so this service looks for the images, as every user
can. Submitted by the conductor's sweep. What an image says of its key is remembered while it is there.
"""

import datetime
from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.errors import CelajeError
from celaje.common.flow import Run, flow
from celaje.volume.db import image_keys
from celaje.volume.keys import KeyManager

Row = dict[str, Any]

KEY_PROPERTY, KEY_POLICY = "cinder_encryption_key_id", "cinder_encryption_key_deletion_policy"
ON_IMAGE_DELETION = "on_image_deletion"
# Between two looks.
LOOK_AGAIN = datetime.timedelta(minutes=10)


def not_asked(tx: Transaction, flow_row: Row, error: CelajeError) -> None:
    """The next look is due in any case."""


@flow("image_keys.reclaim", deadline="volume_reclaim_deadline", way_out=not_asked)
def reclaim_image_keys(run: Run, keys: list[Row]) -> None:
    """keys: [{"id", "image_id"}]"""
    images = run.conductor.clients.image.as_service()
    there = run.step(images.properties_of, [key["image_id"] for key in keys], [KEY_PROPERTY, KEY_POLICY])
    run.done(settle, keys, there, run.conductor.keys)


def remember(tx: Transaction, key_id: str, image_id: str) -> None:
    """The image has been registered, with that key."""
    if image_keys.get(tx, key_id) is None:
        row = {"id": key_id, "image_id": image_id, "goes_with_image": True}
        image_keys.insert(tx, {**row, "expires_at": clock.now() + LOOK_AGAIN})


def settle(tx: Transaction, keys: list[Row], there: dict[str, Row], keeper: KeyManager) -> None:
    for key in keys:
        image = there.get(key["image_id"])
        row = image_keys.get(tx, key["id"])
        if row is None:
            continue
        if image is not None:
            goes = image.get(KEY_POLICY) == ON_IMAGE_DELETION and image.get(KEY_PROPERTY) == key["id"]
            image_keys.change(tx, key["id"], goes_with_image=goes)
            continue
        if row["goes_with_image"]:
            keeper.delete(tx, key["id"])
        image_keys.remove(tx, key["id"])
