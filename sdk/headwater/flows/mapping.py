"""Parameters of a flow that come from a task of another: its value, a file, or a database result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypedDict

from headwater.blocks.task import Task
from headwater.flows.errors import FlowDefinitionError
from headwater.flows.results import load_db_result

MAP_TYPES = ("raw", "file", "db")


@dataclass(frozen=True)
class MappedParameter:
    """Where a parameter comes from: a task of a parent flow."""

    parent_flow_name: str
    parent_task_name: str
    map_type: str = "raw"
    attribute_index: Any = None

    def __post_init__(self) -> None:
        if self.map_type not in MAP_TYPES:
            raise FlowDefinitionError(
                f"unknown map_type {self.map_type!r}", fix=f"One of: {', '.join(MAP_TYPES)}."
            )
        if self.attribute_index is not None and self.map_type != "db":
            raise FlowDefinitionError(
                f"attribute_index is for map_type db, not {self.map_type}", fix="Remove it, or map by db."
            )

    @staticmethod
    def of(written: Any, parameter: str) -> MappedParameter:
        """From a mapping, as it stands in YAML, or as it is.

        >>> MappedParameter.of({"parent_flow_name": "f", "parent_task_name": "t"}, "x").map_type
        'raw'
        """
        if isinstance(written, MappedParameter):
            return written
        if not isinstance(written, Mapping):
            raise FlowDefinitionError(
                f"mapped parameter {parameter!r} must be a mapping; got {type(written).__name__}",
                fix="Write parent_flow_name, parent_task_name and map_type.",
            )
        known = ("parent_flow_name", "parent_task_name", "map_type", "attribute_index")
        unknown = [key for key in written if key not in known]
        missing = [key for key in known[:2] if not written.get(key)]
        if unknown or missing:
            said = f"has the unknown field {unknown[0]!r}" if unknown else f"lacks {missing[0]}"
            raise FlowDefinitionError(
                f"mapped parameter {parameter!r} {said}", fix=f"Fields: {', '.join(known)}."
            )
        return MappedParameter(**{key: value for key, value in written.items() if value is not None})


@dataclass(frozen=True)
class RawMappedParameter(MappedParameter):
    """The value that the parent task returned."""

    map_type: str = "raw"


@dataclass(frozen=True)
class FileMappedParameter(MappedParameter):
    """The record of a file that the parent task wrote; `load_file` opens it."""

    map_type: str = "file"


@dataclass(frozen=True)
class DBMappedParameter(MappedParameter):
    """A value of the database result that the parent task saved; `attribute_index` says which."""

    map_type: str = "db"


class _Value(TypedDict):
    value: Any


class Bundle(Task):
    """All outputs of a task that has several, as one dict."""

    name = "bundle"

    def run(self, **outputs: Any) -> _Value:
        """The outputs by name."""
        return {"value": outputs}


class LoadDbResult(Task):
    """The value behind a database result."""

    name = "load_db_result"

    def run(self, record: Any, attribute_index: Any = None) -> _Value:
        """Load it."""
        return {"value": load_db_result(record, attribute_index)}


class CheckFile(Task):
    """A file record, refused when it is none."""

    name = "check_file"

    def run(self, record: Any) -> _Value:
        """The record as it is."""
        if not isinstance(record, Mapping) or "filename" not in record or "file_type" not in record:
            raise FlowDefinitionError(
                f"a file mapping needs what save_file() returned; got {type(record).__name__}",
                fix="Return save_file(value, filename) from the parent task.",
            )
        return {"value": dict(record)}
