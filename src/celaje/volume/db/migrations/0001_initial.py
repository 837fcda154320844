"""The first schema."""

from alembic import op

from celaje.volume.db.tables import METADATA


def upgrade() -> None:
    METADATA.create_all(op.get_bind())
