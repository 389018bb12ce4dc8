"""A Python shell inside a pipeline."""

from __future__ import annotations

import code
import importlib
import sys
from typing import Any

from headwater.blocks.signals import exit_pipeline
from headwater.blocks.task import Task
from headwater.configuration import config, context, settings
from headwater.pipeline.plugins import BUILT_IN


def namespace() -> dict[str, Any]:
    """What is at hand in the shell: config, context, settings, logger, and all tasks of the plugins by name."""
    from headwater.pipeline.logs import logger

    found: dict[str, Any] = {"config": config, "context": context, "settings": settings, "logger": logger}
    for plugin in settings.PLUGINS:
        if plugin in BUILT_IN:
            continue
        try:
            tasks = importlib.import_module(f"{plugin}.tasks")
        except ModuleNotFoundError:  # a plugin need not have any
            continue
        for name, value in vars(tasks).items():
            if isinstance(value, type) and issubclass(value, Task) and value is not Task:
                found[name] = value
    return found


def open_shell() -> None:
    """Talk to the person at the terminal, with IPython where it is installed; run what is piped in."""
    names = namespace()
    if not sys.stdin.isatty():
        script = sys.stdin.read()
        try:
            exec(compile(script, "<stdin>", "exec"), {"__name__": "__main__", **names})
        except SystemExit as left:
            exit_pipeline(left.code if isinstance(left.code, int) else int(left.code is not None))
        return
    banner = f"At hand: {', '.join(names)}. Leave with Ctrl-D."
    try:
        from IPython import embed
    except ImportError:
        code.interact(banner=banner, local=names, exitmsg="")
    else:
        embed(banner1=banner, user_ns=names)
