"""Port a pipeline that was written for Outflow: its imports, the plugin's name, the settings' name."""

from __future__ import annotations

import ast
import re
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from headwater.errors import UsageError

RENAMED = {
    "SequentialMapWorkflow": "MapWorkflow",
    "ParallelMapWorkflow": "MapWorkflow",
    "SlurmMapWorkflow": "MapWorkflow",
    "GenericMapWorkflow": "MapWorkflow",
}
FROM_ROOT = frozenset(
    {
        "Task", "as_task", "task", "Target", "Parameter", "Skipped", "Workflow", "as_workflow", "workflow",
        "MapWorkflow", "LoopWorkflow", "IterativeWorkflow", "IfThenElse", "MergeTask", "IdentityTask", "PopenTask",
        "ExecuteShellScripts", "IPythonTask", "PipelineArgs", "Command", "RootCommand", "argument", "Pipeline",
        "context", "config", "settings", "logger", "Model", "exit_pipeline",
    }
)  # fmt: skip
FROM_TESTING = frozenset({"TaskTestCase", "CommandTestCase", "PostgresCommandTestCase"})
_FOREIGN = frozenset({"__pycache__", "node_modules", "site-packages", "venv", "env", "build", "dist"})
STRINGS = {
    '"outflow.management"': '"headwater.management"',
    "'outflow.management'": "'headwater.management'",
    "OUTFLOW_SETTINGS_MODULE": "HEADWATER_SETTINGS_MODULE",
    "OUTFLOW_CONFIG_PATH": "HEADWATER_CONFIG_PATH",
}


@dataclass(frozen=True, slots=True)
class Left:
    """What could not be ported: where it stands, and why."""

    file: Path
    line: int
    symbol: str
    why: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.symbol}: {self.why}"


@dataclass
class Ported:
    """What a port did: the files that it changed, and what it left."""

    changed: list[Path] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)


def port_path(path: Path) -> Ported:
    """Port a file, or all Python files of a folder, in place. Doing it again changes nothing.

    Raises:
        UsageError: there is nothing at that path.
    """
    if not path.exists():
        raise UsageError(f"there is no {str(path)!r}", fix="Check the path.")
    done = Ported()
    for file in [path] if path.is_file() else sorted(_python_files(path)):
        try:
            with tokenize.open(file) as source:
                encoding = source.encoding
            text = file.read_bytes().decode(encoding)
        except (SyntaxError, UnicodeDecodeError) as error:
            done.left.append(Left(file, 1, "(encoding)", f"it cannot be read: {error}"))
            continue
        new, left = port_text(text, file)
        done.left += left
        if new != text:
            partial = file.with_name(f".{file.name}.part")
            partial.write_bytes(new.encode(encoding))
            partial.chmod(file.stat().st_mode)
            partial.replace(file)
            done.changed.append(file)
    return done


def _python_files(folder: Path) -> Iterator[Path]:
    for file in folder.rglob("*.py"):
        inside = file.relative_to(folder).parts[:-1]
        foreign = any(part.startswith(".") or part in _FOREIGN for part in inside)
        if not foreign and not any((parent / "pyvenv.cfg").exists() for parent in file.parents):
            yield file


def port_text(text: str, file: Path) -> tuple[str, list[Left]]:
    """The ported text of a module, and what is left to do by hand."""
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        return text, [Left(file, error.lineno or 1, "(syntax)", f"it is not valid Python: {error.msg}")]
    lines = text.splitlines(keepends=True)
    for node in sorted(ast.walk(tree), key=_position, reverse=True):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and _is_outflow(node.module):
            _replace(lines, node, _ported_import(node))
    new = "".join(lines)
    for old, replacement in STRINGS.items():
        new = new.replace(old, replacement)
    new = re.sub(r"(settings_module\s*=\s*)(['\"])outflow[\w.]*\2", r"\1\2settings\2", new)
    return new, sorted(_left_in(new, file), key=lambda each: each.line)


def _position(node: ast.AST) -> tuple[int, int]:
    return getattr(node, "lineno", 0), getattr(node, "col_offset", 0)


def _is_outflow(module: str | None) -> bool:
    return module is not None and (module == "outflow" or module.startswith("outflow."))


def _replace(lines: list[str], node: ast.stmt, new: Sequence[str]) -> None:
    start, end = node.lineno - 1, (node.end_lineno or node.lineno) - 1
    # Offsets count bytes of UTF-8.
    before = lines[start].encode()[: node.col_offset].decode()
    tail = lines[end].encode()[node.end_col_offset or 0 :].decode()
    ending = "\r\n" if lines[start].endswith("\r\n") else "\n"
    comments = [line.partition("#")[2].strip() for line in lines[start:end] if "#" in line]
    shares_its_line = before.strip() or tail.lstrip().startswith(";")
    body = ("; " if shares_its_line else ending + before).join(new)
    if comments:
        tail = f"  # {'; '.join(comments)}" + tail if not tail.strip() else tail
    lines[start : end + 1] = [before + body + (tail or ending)]


def _ported_import(node: ast.ImportFrom) -> list[str]:
    groups: dict[str, list[str]] = {"headwater": [], "headwater.testing": [], str(node.module): []}
    for alias in node.names:
        name = RENAMED.get(alias.name, alias.name)
        module = (
            "headwater" if name in FROM_ROOT else "headwater.testing" if name in FROM_TESTING else node.module
        )
        as_name = alias.asname or (alias.name if name != alias.name else None)
        groups[str(module)].append(f"{name} as {as_name}" if as_name and as_name != name else name)
    return [f"from {module} import {', '.join(names)}" for module, names in groups.items() if names]


def _left_in(text: str, file: Path) -> Iterator[Left]:
    """What of Outflow is still named in the ported text."""
    imported: set[int] = set()
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        yield Left(
            file, error.lineno or 1, "(import)", "what was written here does not parse: mend it by hand"
        )
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and _is_outflow(node.module):
            imported.add(node.lineno)
            for alias in node.names:
                yield Left(file, node.lineno, f"{node.module}.{alias.name}", _why(node.module, alias.name))
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if _is_outflow(alias.name):
                    imported.add(node.lineno)
                    why = "import the names that you use: from headwater import ..."
                    yield Left(file, node.lineno, alias.name, why)
    for number, line in enumerate(text.splitlines(), 1):
        found = re.search(r"['\"](outflow(?:\.[\w.]*)?)['\"]", line.partition("#")[0])
        if found and number not in imported:
            yield Left(file, number, found[1], "a string that names a module of outflow: mend it by hand")


def _why(module: str | None, name: str) -> str:
    if (module or "").startswith("outflow.management.models"):
        return "the tables of runs are others: read them with `flowctl list|show --output json`"
    if name in ("postgresql_fixture", "postgresql_noproc"):
        return "not needed: PostgresCommandTestCase makes its database by itself"
    return "there is nothing of this name in headwater; see docs/from-outflow.md"
