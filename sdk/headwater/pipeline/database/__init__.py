"""Databases of a project: models, sessions, migrations. SQLAlchemy and alembic load when they are used."""
