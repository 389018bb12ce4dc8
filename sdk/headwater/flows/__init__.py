"""Flows: workflows registered as versioned templates, and flows of flows made of them. Names load when used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headwater.flows.composition import FlowOfFlows
    from headwater.flows.errors import (
        DuplicateFlowError,
        EmptyResultError,
        FlowError,
        FlowFailedError,
        ParameterNotInFlowError,
        ParentAfterChildError,
        ParentFlowNotInFlowsError,
        SelfMappingError,
        TaskNotInFlowError,
    )
    from headwater.flows.files import load_file, save_file
    from headwater.flows.flow import Flow, load_flow
    from headwater.flows.mapping import (
        DBMappedParameter,
        FileMappedParameter,
        MappedParameter,
        RawMappedParameter,
    )
    from headwater.flows.results import load_db_result, save_db_result

_HOMES = {
    "composition": ("FlowOfFlows",),
    "errors": (
        "DuplicateFlowError", "EmptyResultError", "FlowError", "FlowFailedError", "ParameterNotInFlowError",
        "ParentAfterChildError", "ParentFlowNotInFlowsError", "SelfMappingError", "TaskNotInFlowError",
    ),
    "files": ("load_file", "save_file"),
    "flow": ("Flow", "load_flow"),
    "mapping": ("DBMappedParameter", "FileMappedParameter", "MappedParameter", "RawMappedParameter"),
    "results": ("load_db_result", "save_db_result"),
}  # fmt: skip
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "DBMappedParameter",
    "DuplicateFlowError",
    "EmptyResultError",
    "FileMappedParameter",
    "Flow",
    "FlowError",
    "FlowFailedError",
    "FlowOfFlows",
    "MappedParameter",
    "ParameterNotInFlowError",
    "ParentAfterChildError",
    "ParentFlowNotInFlowsError",
    "RawMappedParameter",
    "SelfMappingError",
    "TaskNotInFlowError",
    "load_db_result",
    "load_file",
    "load_flow",
    "save_db_result",
    "save_file",
]


def __getattr__(name: str) -> object:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = found
    return found
