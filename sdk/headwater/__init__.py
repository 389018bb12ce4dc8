"""Headwater: Python workflows that mean the same everywhere.

Names load what they need when they are first used: `import headwater` costs next to nothing.

>>> from headwater import task, Workflow
>>> @task
... def gen_data() -> {"x": int}:
...     return 20
>>> @task
... def double(x: int) -> {"y": int}:
...     return 2 * x
>>> with Workflow() as w:
...     pipe = gen_data() | double()
>>> w.run(track=False).outputs
{'y': 40}
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from headwater.version import __version__ as __version__

if TYPE_CHECKING:
    from headwater.backends import RunResult as RunResult
    from headwater.blocks.conditions import IfThenElse as IfThenElse
    from headwater.blocks.conditions import MergeTask as MergeTask
    from headwater.blocks.library import ExecuteShellScripts as ExecuteShellScripts
    from headwater.blocks.library import IdentityTask as IdentityTask
    from headwater.blocks.library import IPythonTask as IPythonTask
    from headwater.blocks.library import PopenTask as PopenTask
    from headwater.blocks.signals import Skipped as Skipped
    from headwater.blocks.signals import exit_pipeline as exit_pipeline
    from headwater.blocks.special import IterativeWorkflow as IterativeWorkflow
    from headwater.blocks.special import LoopWorkflow as LoopWorkflow
    from headwater.blocks.special import MapWorkflow as MapWorkflow
    from headwater.blocks.targets import Parameter as Parameter
    from headwater.blocks.targets import Target as Target
    from headwater.blocks.task import Task as Task
    from headwater.blocks.task import as_task as as_task
    from headwater.blocks.task import task as task
    from headwater.blocks.workflow import Workflow as Workflow
    from headwater.blocks.workflow import as_workflow as as_workflow
    from headwater.blocks.workflow import workflow as workflow
    from headwater.configuration import config as config
    from headwater.configuration import context as context
    from headwater.configuration import settings as settings
    from headwater.errors import HeadwaterError as HeadwaterError
    from headwater.errors import RunFailed as RunFailed
    from headwater.flows import DBMappedParameter as DBMappedParameter
    from headwater.flows import FileMappedParameter as FileMappedParameter
    from headwater.flows import Flow as Flow
    from headwater.flows import FlowOfFlows as FlowOfFlows
    from headwater.flows import MappedParameter as MappedParameter
    from headwater.flows import RawMappedParameter as RawMappedParameter
    from headwater.flows import load_db_result as load_db_result
    from headwater.flows import load_file as load_file
    from headwater.flows import load_flow as load_flow
    from headwater.flows import save_db_result as save_db_result
    from headwater.flows import save_file as save_file
    from headwater.pipeline.commands import Command as Command
    from headwater.pipeline.commands import PipelineArgs as PipelineArgs
    from headwater.pipeline.commands import RootCommand as RootCommand
    from headwater.pipeline.commands import argument as argument
    from headwater.pipeline.database.model import Model as Model
    from headwater.pipeline.logs import logger as logger
    from headwater.pipeline.pipeline import Pipeline as Pipeline


_HOMES = {
    "backends": ("RunResult",),
    "blocks.conditions": ("IfThenElse", "MergeTask"),
    "blocks.library": ("ExecuteShellScripts", "IPythonTask", "IdentityTask", "PopenTask"),
    "blocks.signals": ("Skipped", "exit_pipeline"),
    "blocks.special": ("IterativeWorkflow", "LoopWorkflow", "MapWorkflow"),
    "blocks.targets": ("Parameter", "Target"),
    "blocks.task": ("Task", "as_task", "task"),
    "blocks.workflow": ("Workflow", "as_workflow", "workflow"),
    "configuration": ("config", "context", "settings"),
    "errors": ("HeadwaterError", "RunFailed"),
    "flows": (
        "DBMappedParameter", "FileMappedParameter", "Flow", "FlowOfFlows", "MappedParameter",
        "RawMappedParameter", "load_db_result", "load_file", "load_flow", "save_db_result", "save_file",
    ),
    "pipeline.commands": ("Command", "PipelineArgs", "RootCommand", "argument"),
    "pipeline.database.model": ("Model",),
    "pipeline.logs": ("logger",),
    "pipeline.pipeline": ("Pipeline",),
}  # fmt: skip
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted([*_HOME_OF, "__version__"])  # pyright: ignore


def __getattr__(name: str) -> object:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'headwater' has no attribute {name!r}")
    found = getattr(importlib.import_module(f"headwater.{home}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME_OF])
