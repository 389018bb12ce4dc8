"""Commands: the entry points of a pipeline, with argparse's vocabulary, nested as deep as one likes."""

from __future__ import annotations

import argparse
import inspect
import types
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from headwater.blocks.block import Block
from headwater.blocks.names import camel_case, snake_case
from headwater.blocks.targets import Target
from headwater.blocks.task import Task
from headwater.configuration import context
from headwater.errors import DefinitionError

Arguments = list[tuple[tuple[Any, ...], dict[str, Any]]]


class Command:
    """An entry point: `add_arguments` declares what it takes, `setup_tasks` makes its blocks.

    >>> @RootCommand.subcommand(db_untracked=True)
    ... class Reduce(Command):
    ...     def add_arguments(self):
    ...         self.add_argument("--factor", type=int, default=2)
    >>> Reduce.name, Reduce.options["db_untracked"]
    ('reduce', True)
    """

    name: ClassVar[str] = "command"
    parent: ClassVar[type[Command] | None] = None
    options: ClassVar[dict[str, Any]] = {}
    commands: ClassVar[dict[str, type[Command]]] = {}
    cli_arguments: ClassVar[Arguments] = []

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        # A project's own root holds what is registered on the usual one.
        root = globals().get("RootCommand")
        cls.commands = root.commands if root is not None and issubclass(cls, root) else {}
        cls.name = snake_case(cls.__name__)
        cls.cli_arguments = list(cls.__dict__.get("__cli_params__", ()))

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self.parser = parser

    # ------------------------------------------------------------------ what authors override

    def add_arguments(self) -> None:
        """Declare arguments with `self.add_argument(...)`, as argparse has it."""

    def setup_tasks(self) -> Any:
        """Make the blocks; what is returned (a block or a list of them) gives the command's result."""

    # ------------------------------------------------------------------ what authors call

    def add_argument(self, *names: Any, **options: Any) -> Any:
        """argparse's `add_argument`."""
        for name in names:
            if name in TAKEN or (name[:1] == "-" and name[:2] in ("-l", "-b") and len(name) > 2):
                raise DefinitionError(
                    f"command {self.full_name()!r}: {name} means something to every command",
                    fix="Take another name.",
                )
        return self.parser.add_argument(*names, **options)

    def add_mutually_exclusive_group(self, *args: Any, **options: Any) -> Any:
        """argparse's group of which at most one may be given."""
        return self.parser.add_mutually_exclusive_group(*args, **options)

    parser_add_mutually_exclusive_group = add_mutually_exclusive_group

    @classmethod
    def subcommand(
        cls,
        *,
        name: str | None = None,
        invokable: bool = True,
        backend: str | None = None,
        db_untracked: bool | None = None,
        allow_extra_args: bool = False,
        description: str | None = None,
        with_task_context: bool = False,
    ) -> Callable[[Any], type[Command]]:
        """Register a `Command` subclass, or a function, below this command.

        `invokable=False`: it only holds others and prints its help. `backend`: the one to run on unless the
        command line says another. `db_untracked`: it touches no database. Both are taken over from above.
        """

        def register(decorated: Any) -> type[Command]:
            made = _class_of(decorated, name, with_task_context)
            if name is not None:
                made.name = name
            made.parent = cls
            inherited = {key: cls.options.get(key) for key in ("backend", "db_untracked")}
            made.options = {
                "invokable": invokable,
                "backend": backend if backend is not None else inherited["backend"],
                "db_untracked": db_untracked if db_untracked is not None else bool(inherited["db_untracked"]),
                "allow_extra_args": allow_extra_args,
                "description": description or inspect.cleandoc(decorated.__doc__ or ""),
            }
            known = cls.commands.get(made.name)
            if known is not None and (known.__module__, known.__qualname__) != (
                made.__module__,
                made.__qualname__,
            ):
                raise DefinitionError(
                    f"two commands are called {made.full_name()!r}: one of {known.__module__}, "
                    f"one of {made.__module__}",
                    fix="Give one of them another name: subcommand(name=...).",
                )
            cls.commands[made.name] = made
            return made

        return register

    @classmethod
    def full_name(cls) -> str:
        """The words that call it: `management db upgrade`."""
        names = [cls.name]
        above = cls.parent
        while above is not None and above.parent is not None:
            names.append(above.name)
            above = above.parent
        return " ".join(reversed(names))

    # ------------------------------------------------------------------ the parser

    @classmethod
    def build(cls, parser: argparse.ArgumentParser) -> None:
        """Fill a parser with this command's arguments and those of all below it."""
        parser.description = cls.options.get("description") or parser.description
        made = cls(parser)
        for names, options in cls.cli_arguments:
            made.add_argument(*names, **options)
        made.add_arguments()
        parser.set_defaults(**{COMMAND: made})
        if cls.commands:
            below = parser.add_subparsers(metavar="COMMAND", title="commands")
            for name, command in sorted(cls.commands.items()):
                said = command.options["description"]
                child = below.add_parser(
                    name,
                    prog=_SHORT.get(f"{parser.prog} {name}"),
                    help=said.partition("\n")[0] or None,
                    formatter_class=argparse.RawDescriptionHelpFormatter,
                    allow_abbrev=False,
                )
                command.build(child)


TAKEN = frozenset(
    {
        "--config", "--settings", "-b", "--backend", "-l", "-ll", "--log-level", "--overwrite-cache", "--dry-run",
        "--no-color", "--traceback", "--python-path", "--version",
    }
)  # fmt: skip
"""Options that every command has: they may stand before or after it, so that no command can have its own."""

_SHORT = {
    "flowctl run management": "flowctl manage",
    "flowctl manage create": "flowctl create",
    "flowctl manage db": "flowctl db",
}
"""Commands that every pipeline has, as flowctl calls them."""

COMMAND = "_command"
"""Where in the parsed arguments the chosen command is kept; it is taken out before anybody sees them."""


class RootCommand(Command):
    """The command above all others. Settings may name a subclass of it as `ROOT_COMMAND_CLASS`."""

    options: ClassVar[dict[str, Any]] = {"invokable": False, "description": "Run a command of this pipeline."}


def argument(*names: Any, **options: Any) -> Callable[[Any], Any]:
    """Declare an argument of a command that is a function; argparse's `add_argument`.

    >>> @RootCommand.subcommand()
    ... @argument("--name", default="world")
    ... def greet(name):
    ...     print("hello", name)
    >>> greet.name
    'greet'
    """

    def declare(decorated: Any) -> Any:
        if isinstance(decorated, type) and issubclass(decorated, Command):
            decorated.cli_arguments.insert(0, (names, options))
        else:
            # Decorators are applied from below; the order on the page is the order of the arguments.
            decorated.__cli_params__ = [(names, options), *getattr(decorated, "__cli_params__", ())]
        return decorated

    return declare


class PipelineArgs(Task):
    """The command's arguments as outputs; `only` names those that are wanted."""

    name = "pipeline_args"

    def __init__(self, only: Sequence[str] | None = None, **keywords: Any) -> None:
        self.only = list(only) if only is not None else None
        super().__init__(**keywords)

    def setup_targets(self) -> None:
        """One output for each argument."""
        given = vars(context.args) if context.args is not None else {}
        for name in self.only if self.only is not None else given:
            self.add_output(name)

    def run(self) -> dict[str, Any]:
        """The arguments by name."""
        return {name: getattr(context.args, name) for name in self.outputs}


RETURNED = "returned"


class _FunctionTask(Task):
    """Calls the function of a command with those arguments that it takes."""

    command_function: ClassVar[Callable[..., Any]]
    takes_self: ClassVar[bool] = False

    def setup_targets(self) -> None:
        self.outputs = {RETURNED: Target(RETURNED)}

    def run(self) -> dict[str, Any]:
        given = vars(context.args) if context.args is not None else {}
        function = type(self).command_function
        signature = inspect.signature(function).parameters
        if any(each.kind is each.VAR_KEYWORD for each in signature.values()):
            arguments = dict(given)
        else:
            arguments = {name: value for name, value in given.items() if name in signature}
        if self.takes_self:
            arguments["self"] = self
        return {RETURNED: function(**arguments)}


def _class_of(decorated: Any, name: str | None, with_self: bool) -> type[Command]:
    if isinstance(decorated, type):
        if not issubclass(decorated, Command):
            raise DefinitionError(
                f"{decorated.__name__} is not a Command",
                fix="Derive it from Command, or decorate a function.",
            )
        return decorated
    if not callable(decorated):
        raise DefinitionError(
            f"cannot make a command of {decorated!r}", fix="Decorate a class or a function."
        )
    called = snake_case(name or decorated.__name__)
    body = {
        "name": called,
        "command_function": staticmethod(decorated),
        "takes_self": with_self,
        "__module__": decorated.__module__,
        "__qualname__": f"{decorated.__qualname__}.task",
    }
    task: type[Task] = types.new_class(
        f"{camel_case(called)}Task", (_FunctionTask,), exec_body=lambda space: space.update(body)
    )

    def setup_tasks(_self: Command) -> Block:
        made: Block = task()
        return made

    return type(
        camel_case(called),
        (Command,),
        {
            "setup_tasks": setup_tasks,
            "__module__": decorated.__module__,
            "__qualname__": decorated.__qualname__,
            "__cli_params__": list(getattr(decorated, "__cli_params__", ())),
            "function": staticmethod(decorated),
        },
    )
