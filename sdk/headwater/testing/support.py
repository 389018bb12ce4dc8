"""What the test cases and the fixtures share."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from headwater.blocks.task import Task
from headwater.blocks.workflow import Workflow
from headwater.configuration import config, context, settings
from headwater.errors import HeadwaterError, UsageError
from headwater.pipeline.pipeline import Pipeline


def run_one_task(task: Any, given: Mapping[str, Any], args: Sequence[Any], inputs: Mapping[str, Any]) -> Any:
    """Call a task with inputs, and with the parameters of a config."""
    if task is None:
        raise UsageError("there is no task to run", fix="Set self.task = MyTask() first.")
    made = task() if isinstance(task, type) else task
    if isinstance(made, Workflow):
        with config.override(given):
            return dict(made.run(track=False, **inputs).outputs)
    if not isinstance(made, Task):
        raise UsageError(f"{task!r} is not a task", fix="Set self.task to an instance of one.")
    with config.override(given):
        parameters = (config.get("parameters") or {}).get(made.name)
        if args:
            return made(*args, **inputs)
        return made.call(inputs, parameters)


@contextmanager
def pipeline_in(plugins: Sequence[str], given: Mapping[str, Any], root_command: Any) -> Iterator[None]:
    """A project of these plugins with this config, for the time being."""
    chosen = {**settings.to_dict(), "PLUGINS": list(plugins)}
    if root_command is not None:
        chosen["ROOT_COMMAND_CLASS"] = root_command
    with settings.use(chosen), config.override(given):
        yield
    for name in ("args", "extra_args", "db_untracked"):
        delattr(context, name)


def call_command(words: Sequence[str], dry_run: bool) -> tuple[int, Any]:
    """Run a command in this process: its exit code and result. Why it failed goes to the log."""
    try:
        with Pipeline(settings_module=None, argv=list(words), force_dry_run=dry_run) as pipeline:
            code = pipeline.run()
            return code, pipeline.result
    except HeadwaterError as error:
        logging.getLogger("headwater").error("%s", error, exc_info=error.__cause__)
        return (2 if isinstance(error, UsageError) else 1), []
    except SystemExit as left:  # argparse ends so
        return (left.code if isinstance(left.code, int) else 1), []
