"""Parameters of tasks: read from the config, checked before anything runs."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from headwater.blocks.targets import MISSING
from headwater.blocks.task import Task
from headwater.blocks.typecheck import check_of, type_name
from headwater.errors import ConfigError, TargetError


def parameters_for(tasks: Iterable[Task]) -> dict[str, dict[str, Any]]:
    """The config's parameters of these tasks, by task name.

    Raises:
        ConfigError: one is missing; the message names file, section and key.
        TargetError: one has the wrong type.
    """
    wanted: dict[str, Task] = {}
    for task in tasks:
        if task.parameters and task.name not in wanted:
            wanted[task.name] = task
    if not wanted:
        return {}
    from headwater.configuration import config, plain

    sections = config.get("parameters") or {}
    none = (
        f"the config file (there is none in {Path.cwd()}: make a config.yml there, or name one with --config)"
    )
    where = str(config.path) if config.path else none
    return {name: _section(task, plain(sections.get(name) or {}), where) for name, task in wanted.items()}


def _section(task: Task, section: dict[str, Any], where: str) -> dict[str, Any]:
    for name, target in task.parameters.items():
        if name not in section:
            if target.default is not MISSING:
                continue
            raise ConfigError(
                f"parameter {name!r} of task {task.name!r} is missing in {where}",
                fix=f"Add it there under parameters: {task.name}: {name}.",
            )
        check = check_of(target.type)
        wrong = check(section[name]) if check is not None else None
        if wrong is not None:
            raise TargetError(
                f'In task {task.name!r}: parameter "{name}" must be {type_name(target.type)}; got {wrong}',
                fix=f"Mend it in {where} under parameters: {task.name}.",
            )
    for name in section:
        if name not in task.parameters:
            close = difflib.get_close_matches(name, list(task.parameters), 1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            logging.getLogger("headwater").warning(
                "%s: unknown key %r under parameters: %s%s", where, name, task.name, hint
            )
    return {name: section[name] for name in task.parameters if name in section}
