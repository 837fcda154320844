"""The first schema."""

from alembic import op

from celaje.network.db.tables import METADATA


def upgrade():
    METADATA.create_all(op.get_bind())
