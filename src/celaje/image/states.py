"""Every state of an image: who owns the passing ones, what bounds them, how they end.

Glance's schema also knows `killed`, `deleted` and `pending_delete`: a deleted image's row is gone here, and
its data is removed by the flow image.delete.
"""

from celaje.common.states import Passing, State, StateTable

IMAGE = StateTable(
    "image",
    [
        State("queued", "registered, without data"),
        Passing(
            "saving",
            "data is coming by PUT file",
            owner="image.upload",
            deadline="upload_deadline",
            way_out="queued",
        ),
        Passing(
            "uploading",
            "data is coming to the staging area, or waits there for its import",
            owner="image.stage",
            deadline="stage_deadline",
            way_out="queued",
        ),
        Passing(
            "importing",
            "data is brought into the stores, or its location is looked at",
            owner=("image.import", "image.task_import", "image.add_location"),
            deadline="import_deadline",
            way_out="queued",
        ),
        State("active", "its data can be read"),
        State("deactivated", "only administrators read its data"),
    ],
    [
        ("queued", "saving"),
        ("queued", "uploading"),
        ("saving", "active"),
        ("saving", "queued"),
        ("queued", "importing"),
        ("queued", "active"),
        ("uploading", "importing"),
        ("uploading", "queued"),
        ("importing", "active"),
        ("importing", "queued"),
        ("active", "deactivated"),
        ("deactivated", "active"),
    ],
)
