"""The first schema."""

from alembic import op

from celaje.placement.db.tables import METADATA


def upgrade() -> None:
    METADATA.create_all(op.get_bind())
