"""Options that hold for every command and may stand before or after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

WITH_VALUE = ("--config", "--settings", "--backend", "-b", "--log-level", "-l", "-ll")
MANAGEMENT = ("display_config", "shell", "list_runs", "debug")
FLAGS = ("--overwrite-cache", "--dry-run", "--no-color", "--traceback", "--version")
# Options of commands whose value must not be taken for one of ours.
_OTHERS_WITH_VALUE = ("-p", "--param")


def hoisted(arguments: Sequence[str]) -> list[str]:
    """The arguments with the global options at the front.

    >>> hoisted(["run", "a.py", "-b", "parallel", "--traceback"])
    ['-b', 'parallel', '--traceback', 'run', 'a.py']
    """
    front: list[str] = []
    rest: list[str] = []
    pending = list(arguments)
    while pending:
        argument = pending.pop(0)
        name, equals, _ = argument.partition("=")
        if argument == "--":
            rest += [argument, *pending]
            break
        if name in WITH_VALUE:
            front.append(argument.replace("-ll", "-l", 1) if name == "-ll" else argument)
            if not equals and pending:
                front.append(pending.pop(0))
        elif argument in FLAGS:
            front.append(argument)
        else:
            rest.append(argument)
            if argument in _OTHERS_WITH_VALUE and pending:
                rest.append(pending.pop(0))
    return front + rest


def project_command(argv: Sequence[str]) -> tuple[Path | None, list[str]] | None:
    """The project and the words of `flowctl run CMD ...` when CMD is a command of a project, no target.

    `argv` has the global options at its front.
    """
    at = 0
    while at < len(argv) and argv[at].startswith("-"):
        at += 2 if argv[at] in WITH_VALUE else 1
    words = argv[at:]
    if words and words[0] in MANAGEMENT:
        return _project(), [*argv[:at], *words]
    if len(words) < 2 or words[0] != "run" or words[1].startswith("-"):
        return None
    target = words[1]
    if ":" in target or target.endswith((".py", ".yaml", ".yml", ".json")):
        return None
    project = _project()
    return (project, [*argv[:at], *words[1:]]) if project is not None else None


def _project() -> Path | None:
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / "manage.py").is_file()), None)


@dataclass
class Globals:
    """What was given on the command line."""

    backend: str | None = None
    overwrite_cache: bool = False
    dry_run: bool = False
    color: bool = True
    traceback: bool = False
    log_level: str | None = None
    words: list[str] = field(default_factory=list)
    place: str = ""  # the options that name the cluster, for commands that are suggested

    def set(
        self,
        config: str | None,
        settings: str | None,
        backend: str | None,
        log_level: str | None,
        overwrite_cache: bool,
        dry_run: bool,
        color: bool,
        traceback: bool,
    ) -> None:
        """Keep the options; config and settings take effect at once."""
        import os

        given = {"--config": config, "--settings": settings, "--backend": backend, "--log-level": log_level}
        self.words = [word for name, value in given.items() if value for word in (name, value)]
        self.words += ["--dry-run"] * dry_run + ["--traceback"] * traceback + ["--no-color"] * (not color)
        self.backend = backend
        self.overwrite_cache = overwrite_cache
        self.dry_run = dry_run
        self.color = color and "NO_COLOR" not in os.environ
        self.traceback = traceback
        self.log_level = log_level
        if not self.color:
            os.environ["NO_COLOR"] = "1"
        if config is not None:
            if not Path(config).is_file():
                from headwater.errors import ConfigError

                raise ConfigError(f"there is no config file {config!r}", fix="Check --config.")
            os.environ["HEADWATER_CONFIG_PATH"] = str(Path(config).absolute())
        if settings is not None:
            os.environ["HEADWATER_SETTINGS_MODULE"] = settings


GLOBALS = Globals()
