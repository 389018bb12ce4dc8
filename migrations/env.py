"""How alembic runs the history: on the connection it is given, in that connection's transaction."""

from alembic import context
from headwater.records.tables import metadata

attributes = context.config.attributes
connection = attributes.get("connection")
if connection is None:
    # `alembic` was called by hand.
    from sqlalchemy import create_engine

    connection = create_engine(str(context.config.get_main_option("sqlalchemy.url"))).connect()

context.configure(
    connection=connection,
    target_metadata=attributes.get("target_metadata", metadata),
    include_object=attributes.get("include_object"),
    process_revision_directives=attributes.get("process_revision_directives"),
    render_as_batch=True,  # SQLite cannot alter most things of a table in place
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
