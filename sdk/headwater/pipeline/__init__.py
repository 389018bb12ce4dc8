"""Pipeline projects: settings, plugins, commands, models and migrations, scaffolds. Names load when used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headwater.pipeline.commands import Command, PipelineArgs, RootCommand, argument
    from headwater.pipeline.database.model import Model
    from headwater.pipeline.logs import logger
    from headwater.pipeline.pipeline import Pipeline
    from headwater.pipeline.plugins import PluginError

_HOMES = {
    "Command": "commands",
    "Model": "database.model",
    "Pipeline": "pipeline",
    "PipelineArgs": "commands",
    "PluginError": "plugins",
    "RootCommand": "commands",
    "argument": "commands",
    "logger": "logs",
}

__all__ = ["Command", "Model", "Pipeline", "PipelineArgs", "PluginError", "RootCommand", "argument", "logger"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = found
    return found
