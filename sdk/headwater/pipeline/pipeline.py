"""A pipeline project: its settings, plugins and commands, and one command of it carried out."""

from __future__ import annotations

import argparse
import difflib
import importlib
import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from headwater.blocks.block import Block
from headwater.blocks.workflow import Workflow
from headwater.configuration import config, context, settings, setup_logging
from headwater.configuration.project_settings import ROOT_VARIABLE, SETTINGS_VARIABLE
from headwater.errors import HeadwaterError, RunFailed, UsageError
from headwater.pipeline.arguments import ARGUMENTS, encoded_arguments
from headwater.pipeline.commands import COMMAND, RETURNED, Command, RootCommand, _FunctionTask
from headwater.pipeline.plugins import load_plugin

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

logger = logging.getLogger("headwater")


def _global_options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    options = parser.add_argument_group("options of every command")
    options.add_argument("--config", metavar="FILE", help="the config file (yml, yaml, json, toml)")
    options.add_argument("--settings", metavar="MODULE", help="the settings module")
    options.add_argument("-b", "--backend", metavar="NAME", help="default, parallel, ...")
    options.add_argument(
        "-l", "-ll", "--log-level", type=str.upper, choices=LEVELS, metavar="LEVEL", help=", ".join(LEVELS)
    )
    options.add_argument("--overwrite-cache", action="store_true", help="compute cached results anew")
    options.add_argument("--dry-run", action="store_true", help="run without the database")
    options.add_argument("--no-color", action="store_true", help="no colours, on a terminal either")
    options.add_argument("--traceback", action="store_true", help="show tracebacks of errors")
    options.add_argument(
        "--python-path", action="append", default=[], metavar="DIR", help="look for modules there"
    )
    options.add_argument("--version", action="store_true", help="print the version")
    return parser


class Pipeline:
    """One pipeline project, opened: `with Pipeline(root_directory=...) as pipeline: pipeline.run()`.

    `argv` are the words of the command line without the program's name; `settings_module` names the settings
    module unless `HEADWATER_SETTINGS_MODULE` does. `run` gives the exit code; `result` then holds the list of
    the outputs of the blocks that the command's `setup_tasks` returned.
    """

    def __init__(
        self,
        *,
        root_directory: str | os.PathLike[str] | None = None,
        settings_module: str | None = "settings",
        argv: Sequence[str] | None = None,
        force_dry_run: bool = False,
    ) -> None:
        self.root_directory = Path(root_directory).resolve() if root_directory is not None else None
        self._settings_module = settings_module
        self._argv = list(sys.argv[1:] if argv is None else argv)
        self._force_dry_run = force_dry_run
        self.result: list[Any] = []

    @staticmethod
    def get_parent_directory_posix_path(path: str) -> str:
        """The folder that a file lies in."""
        return Path(path).resolve().parent.as_posix()

    def __enter__(self) -> Pipeline:
        self.options, self.words = _global_options().parse_known_args(self._argv)
        self._prepare_environment()
        if not self.options.version:
            setup_logging(self.options.log_level, info=settings.PLUGINS)
            import headwater.pipeline.management  # noqa: F401  # its commands are always there

            for plugin in settings.PLUGINS:
                load_plugin(plugin)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        from headwater.pipeline.database.sessions import dispose

        dispose()
        for name in ("args", "extra_args", "db_untracked"):
            delattr(context, name)

    def _prepare_environment(self) -> None:
        """Make the project's modules importable, here and in workers, and say where settings and config are."""
        root = self.root_directory
        if root is not None:
            os.environ[ROOT_VARIABLE] = str(root)
            for folder in (root, *sorted((root / "plugins").glob("*"))):
                if folder.is_dir() and str(folder) not in sys.path:
                    sys.path.append(str(folder))
            for config_file in ("config.yml", "config.yaml", "config.json", "config.toml"):
                if (root / config_file).is_file():
                    os.environ.setdefault("HEADWATER_CONFIG_PATH", str(root / config_file))
        for folder_name in self.options.python_path:
            sys.path.append(str(Path(folder_name).resolve()))
        if self.options.settings is not None:
            os.environ[SETTINGS_VARIABLE] = self.options.settings
        elif self._settings_module is not None and root is not None and (root / "settings.py").is_file():
            os.environ.setdefault(SETTINGS_VARIABLE, self._settings_module)
        if self.options.config is not None:
            if not Path(self.options.config).is_file():
                raise UsageError(f"there is no config file {self.options.config!r}", fix="Check --config.")
            os.environ["HEADWATER_CONFIG_PATH"] = str(Path(self.options.config).resolve())
        if self.options.no_color:
            os.environ["NO_COLOR"] = "1"

    # ------------------------------------------------------------------ running

    def run(self) -> int:
        """Carry out the command that `argv` names; the exit code.

        Raises:
            UsageError: there is no such command, or it was called in a wrong way.
            RunFailed: a task failed.
        """
        if self.options.version:
            from headwater.version import __version__

            print(f"headwater {__version__}")
            return 0
        command, extra = self._parse()
        if command is None:
            return 0
        dry_run = self._force_dry_run or self.options.dry_run
        context.args.dry_run = dry_run
        context.args.extra_args = extra
        context.extra_args = extra
        context.db_untracked = bool(command.options["db_untracked"])
        tracked = not context.db_untracked and not dry_run
        if tracked:
            from headwater.pipeline.database.migrations import refuse_missing_migrations

            refuse_missing_migrations()
        return self._carry_out(command, tracked)

    def _carry_out(self, command: Command, tracked: bool) -> int:
        from headwater.backends import run
        from headwater.blocks.compile import compile_workflow
        from headwater.blocks.signals import ExitPipeline

        workflow = Workflow(name=command.name)
        workflow.start()
        try:
            returned = command.setup_tasks()
        except ExitPipeline as leave:
            return leave.code
        finally:
            workflow.stop()
        blocks = _returned_blocks(returned, command)
        if not workflow.blocks:
            return 0
        workflow.returned = blocks
        backend = self.options.backend or command.options["backend"] or config.get("backend") or "default"
        annotations = {ARGUMENTS: encoded_arguments(context.args)}
        result = run(
            replace(compile_workflow(workflow), annotations=annotations),
            backend=str(backend),
            check=False,
            track=tracked,
            overwrite_cache=self.options.overwrite_cache,
            name=command.full_name(),
        )
        self.result = [_outputs_of(block, index, result.outputs) for index, block in enumerate(blocks)]
        if result.exit_code is not None:
            return result.exit_code
        if result.phase != "Succeeded":
            error = result.error
            cause = error.exception if error is not None else None
            if isinstance(cause, HeadwaterError) and type(command).__module__.startswith("headwater."):
                raise cause  # a built-in command says what is wrong; that it ran as a task is nobody's concern
            said = str(error) if error is not None else f"the run ended {result.phase}"
            failed = RunFailed(said, result=result)
            raise failed from (cause if isinstance(cause, BaseException) else None)
        return 0

    def _parse(self) -> tuple[Command | None, list[str]]:
        root = _root_command()
        words = self.words
        management = RootCommand.commands["management"].commands
        if words and words[0] not in root.commands and words[0] in management:
            words = ["management", *words]
            root = RootCommand
        elif words and words[0] == "management":
            root = RootCommand
        name = Path(sys.argv[0]).name
        program = "python manage.py" if name == "manage.py" else "flowctl run"
        parser = argparse.ArgumentParser(prog=program, parents=[_global_options()], allow_abbrev=False)
        root.build(parser)
        self._refuse_unknown_command(root, words)
        parsed, extra = parser.parse_known_args(words)
        command: Command = parsed.__dict__.pop(COMMAND)
        for name in vars(_global_options().parse_args([])):
            parsed.__dict__.pop(name, None)
        parsed.__dict__.update(vars(self.options))
        context.args = parsed
        if not command.options["invokable"] and not type(command).__dict__.get("invokable"):
            command.parser.print_help()
            return None, []
        if extra and not command.options.get("allow_extra_args"):
            raise UsageError(
                f"unrecognised arguments of {command.full_name()!r}: {' '.join(extra)}",
                fix=f"`{command.parser.prog} --help` lists what it takes.",
            )
        return command, extra

    @staticmethod
    def _refuse_unknown_command(root: type[Command], words: Sequence[str]) -> None:
        first = next((word for word in words if not word.startswith("-")), None)
        if first is None or not root.commands or first in root.commands or root.options.get("invokable"):
            return
        close = difflib.get_close_matches(first, list(root.commands), 1)
        hint = f"Did you mean {close[0]!r}? " if close else ""
        raise UsageError(
            f"there is no command {first!r}", fix=f"{hint}Commands: {', '.join(sorted(root.commands))}."
        )


def _root_command() -> type[Command]:
    """The class that the settings name: itself, or as "module.Class"."""
    found: Any = settings.ROOT_COMMAND_CLASS or RootCommand
    if isinstance(found, str):
        module, _, name = found.rpartition(".")
        try:
            found = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError, ValueError) as error:
            raise UsageError(
                f"ROOT_COMMAND_CLASS of the settings: {found!r} cannot be imported: {error}",
                fix="Write it as module.Class, or give the class.",
            ) from error
    if not (isinstance(found, type) and issubclass(found, Command)):
        raise UsageError(
            f"ROOT_COMMAND_CLASS of the settings is a {type(found).__name__}",
            fix="Derive it from RootCommand.",
        )
    return found


def _returned_blocks(returned: Any, command: Command) -> list[Block]:
    if returned is None:
        return []
    listed = list(returned) if isinstance(returned, list | tuple) else [returned]
    for each in listed:
        if not isinstance(each, Block):
            raise UsageError(
                f"setup_tasks of {command.full_name()!r} returned a {type(each).__name__}",
                fix="Return a block, a list of blocks, or nothing.",
            )
    return listed


def _outputs_of(block: Block, index: int, outputs: Any) -> Any:
    prefix = f"{index}_"
    found = {name.removeprefix(prefix): value for name, value in outputs.items() if name.startswith(prefix)}
    if isinstance(block, _FunctionTask):
        return found.get(RETURNED)
    return found or None
