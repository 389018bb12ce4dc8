"""How alembic runs the history: on the connection it is given, in that connection's transaction."""

from alembic import context
from headwater.records.tables import metadata

connection = context.config.attributes.get("connection")
if connection is None:
    # `alembic` was called by hand.
    from sqlalchemy import create_engine

    connection = create_engine(str(context.config.get_main_option("sqlalchemy.url"))).connect()

context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=True,  # SQLite cannot alter most things of a table in place
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
