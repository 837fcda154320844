"""Write a service's next migration: what its tables declare beyond what its migrations build.

    python tools/make_migration.py volume add_groups

Read the result before committing it: Alembic sees columns and indexes, not what the data needs.
"""

import re
import sys
import tempfile

from alembic.autogenerate import produce_migrations, render_python_code
from alembic.migration import MigrationContext

from celaje.cloud import service_class
from celaje.common.db import Database
from celaje.common.db.schema import build_by_migrations, revisions

HEADER = '''"""{title}.

Written by tools/make_migration.py: one step, as long as the tables that it makes, frozen with a release.
"""

import sqlalchemy as sa
from alembic import op

from celaje.common.db.types import Json, Moment


def upgrade() -> None:
{body}
'''


def render(item, value, context):
    name = type(value).__name__
    if item == "type" and name in ("Json", "Moment"):
        return f"{name}()"
    return False


def main(service: str, title: str) -> None:
    declared = service_class(service)
    migrations = declared.migrations
    migrations.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/now.db")
        if revisions(migrations):
            build_by_migrations(database, migrations)
        with database.engine.connect() as connection:
            context = MigrationContext.configure(
                connection, opts={"render_item": render, "compare_type": True}
            )
            script = produce_migrations(context, declared.metadata)
            code = render_python_code(script.upgrade_ops, render_item=render, migration_context=context)
        database.close()
    body = re.sub(r"^\s*#.*\n", "", code, flags=re.MULTILINE)
    number = len(revisions(migrations)) + 1
    path = migrations / f"{number:04d}_{title}.py"
    path.write_text(HEADER.format(title=title.replace("_", " ").capitalize(), body="    " + body.strip()))
    print(path)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
