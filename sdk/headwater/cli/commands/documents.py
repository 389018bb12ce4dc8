"""compile, lint, plan: what looks at a workflow without running it."""

from __future__ import annotations

import json as json_module
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import typer

from headwater.backends.planning import PlanRow, outcomes_to_suppose, plan_run
from headwater.blocks.compile import Compiled
from headwater.cli.globals import GLOBALS
from headwater.cli.printing import print_json, program, styled, table
from headwater.cli.targets import find_target, inputs_from
from headwater.configuration import setup_logging
from headwater.document import dump_yaml, lint
from headwater.errors import UsageError


def compile_target(target: str, output: str) -> None:
    """Print the document of a target."""
    if output not in ("yaml", "json"):
        raise UsageError(f"unknown output {output!r}", fix="One of: yaml, json.")
    setup_logging(GLOBALS.log_level)
    document = find_target(target).compiled.document
    if output == "json":
        print_json(document)
    else:
        print(dump_yaml(document), end="")


def lint_files(files: Sequence[str], *, json: bool) -> None:
    """Check documents; exit code 1 when something is wrong with one of them."""
    problems: list[dict[str, Any]] = []
    for file in files:
        for problem in lint(_text_of(file)):
            where = f"{file}:{problem.line or 1}"
            problems.append({**problem.as_dict(), **({"file": file} if len(files) > 1 else {})})
            if not json:
                path = f"{problem.path}: " if problem.path else ""
                print(f"{styled(where, '1')}: {path}{problem.message}")
                if problem.fix:
                    print(f"    {problem.fix}")
    if json:
        print_json(problems)
    elif not problems:
        print(f"{', '.join(files)}: no problems")
    else:
        print(f"{len(problems)} problem{'s' if len(problems) > 1 else ''}")
    if problems:
        raise typer.Exit(1)


def _text_of(file: str) -> str:
    if file == "-":
        return sys.stdin.read()
    if file.endswith(".py"):
        fix = f"Check the document that it makes: {program()} compile {file} | {program()} lint -"
        raise UsageError(f"{file} is Python; what is checked here are documents", fix=fix)
    try:
        return Path(file).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UsageError(f"there is no file {file!r}", fix="Check the path.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {error}", fix="Save it as UTF-8 text.") from error


def plan_target(target: str, params: Sequence[str], *, json: bool) -> None:
    """Say what would run."""
    setup_logging(GLOBALS.log_level)
    found = find_target(target)
    show_plan(found.compiled, inputs_from(params, found.compiled), json=json, out=sys.stdout)


def show_plan(compiled: Compiled, inputs: Mapping[str, Any], *, json: bool, out: IO[str]) -> None:
    """Print the plan of a run."""
    supposing, known = outcomes_to_suppose(compiled, inputs)
    rows = plan_run(compiled, inputs, known, supposing=supposing)
    if json:
        listed = [{"node": row.path, "action": row.action, "why": row.why} for row in rows]
        out.write(json_module.dumps(listed, indent=2, ensure_ascii=False) + "\n")
        return
    out.write(table([(row.path, row.action, row.why) for row in rows], ("node", "action", "why")) + "\n")
    out.write(f"\n{_counted(rows)}\n")


def _counted(rows: Sequence[PlanRow]) -> str:
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.action] = counts.get(row.action, 0) + 1
    return ", ".join(f"{count} {action}" for action, count in counts.items()) or "nothing to do"
