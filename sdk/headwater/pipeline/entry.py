"""From a command line to a pipeline's command and an exit code."""

from __future__ import annotations

import runpy
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from headwater.errors import HeadwaterError, RunFailed, UsageError
from headwater.pipeline.pipeline import Pipeline


def run_project(manage_file: str | Path, argv: Sequence[str] | None = None) -> None:
    """Run the command of the project that a `manage.py` lies in, and exit with its code."""
    sys.exit(run_command(Path(manage_file).resolve().parent, sys.argv[1:] if argv is None else argv))


def run_command(root: Path | None, argv: Sequence[str]) -> int:
    """Run a command of the project in a folder; the exit code. Errors are said, not raised."""
    shows_traceback = "--traceback" in argv
    try:
        with Pipeline(root_directory=root, argv=argv) as pipeline:
            return pipeline.run()
    except HeadwaterError as error:
        if shows_traceback:
            traceback.print_exception(error)
        elif isinstance(error, RunFailed):
            _say_failure(error)
        else:
            print(f"error: {error.message}" + (f"\n  {error.fix}" if error.fix else ""), file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    except Exception as error:  # the process's edge: whatever the project's own code raises
        if shows_traceback:
            traceback.print_exception(error)
        else:
            print(f"error: {type(error).__name__}: {error}", file=sys.stderr)
            print("  Run it again with --traceback to see where it comes from.", file=sys.stderr)
        return 1


def run_in_project(root: Path | None, argv: Sequence[str]) -> int:
    """Run a command as the project's own `manage.py` does, with all that it imports; the exit code."""
    manage = root / "manage.py" if root is not None else None
    if manage is None or not manage.is_file():
        return run_command(root, argv)
    sys.argv = [str(manage), *argv]
    sys.path.insert(0, str(root))
    try:
        runpy.run_path(str(manage), run_name="__main__")
    except SystemExit as left:
        return left.code if isinstance(left.code, int) else int(left.code is not None)
    return 0


def _say_failure(error: RunFailed) -> None:
    result = error.result
    run_id = getattr(result, "run_id", "")
    cause = getattr(result, "error", None)
    print(f"error: {error.message}", file=sys.stderr)
    for line in cause.place() if cause is not None else ():
        print(f"    {line}", file=sys.stderr)
    if run_id:
        print(f"  run {run_id}; look further: python manage.py management debug {run_id}", file=sys.stderr)


def project_root(start: Path | None = None) -> Path | None:
    """The folder of the project that we are in: the nearest one with a manage.py or settings.py."""
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / "manage.py").is_file():
            return folder
    return here if (here / "settings.py").is_file() else None
