"""The base of a project's tables."""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy.orm import DeclarativeBase, declared_attr

from headwater.blocks.names import snake_case


class Model(DeclarativeBase):
    """A table of a project; its name is the class's in snake_case unless `__tablename__` says another.

    `__bind_key__` names the database of the config that it lives in; by default the main one.

    >>> from sqlalchemy import Column, Integer
    >>> class ExampleResult(Model):
    ...     id_result = Column(Integer, primary_key=True)
    >>> ExampleResult.__tablename__
    'example_result'
    """

    __bind_key__: ClassVar[str | None] = None

    @declared_attr.directive
    def __tablename__(cls) -> Any:  # noqa: N805  # SQLAlchemy calls it with the class
        return snake_case(cls.__name__)


def models_of(plugin: str | None = None, label: str | None = None) -> list[type[Model]]:
    """The models of a plugin (of all), in a database (in the main one when `label` is None)."""
    found = []
    for mapper in Model.registry.mappers:
        model = mapper.class_
        inside = plugin is None or model.__module__ == plugin or model.__module__.startswith(f"{plugin}.")
        if inside and model.__bind_key__ == label:
            found.append(model)
    return sorted(found, key=lambda model: str(model.__tablename__))
