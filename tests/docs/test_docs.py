"""What the documentation says is run: its Python, its files, its `flowctl` lines; and its links lead somewhere.

A fenced block with a `title="NAME"` is saved as that file. Other `python` blocks are executed, those of a page in
one namespace, and print what the `text` block right below them shows. `no-run` after the language exempts a block.
Blocks that are for a cluster (`kubernetes` after the language, and all in docs/kubernetes) are run by
`test_kubernetes_pages`.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import linecache
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
from headwater import config
from headwater.engine import Phase

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
NOT_RUN = ("make", "git", "pip", "mkdocs")

_FENCE = re.compile(r"^(?P<indent> *)```(?P<info>.*)$")
_TITLE = re.compile(r'title="([^"]+)"')
_EXIT = re.compile(r"#\s*exit (\d+)\s*$")
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)[^)]*\)")
_HEADING = re.compile(r"^#+\s+(.*?)(?:\s*\{#([\w-]+)\})?\s*$")
_DIFFERENT = [
    (re.compile(pattern), name)
    for pattern, name in (
        (r"\b\d{8}-\d{6}-[0-9a-z]{6}\b", "RUN"),
        (r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\b", "DATE"),
        (r"\b\d\d:\d\d:\d\d\b", "TIME"),
        (r"\b\d+(\.\d+)? m?s\b|\b\d+m\d\ds\b", "DURATION"),
        (r"by \S+ on \S+", "by SOMEBODY"),
        (r"(?<![\w.])/[\w./+-]*/", "PLACE/"),
        (r"\b[0-9a-f]{12,64}\b", "DIGEST"),
        (r"\b\d+(,\d+)* bytes\b", "BYTES"),
        (r"\b1\d{9}\.\d+\b", "MOMENT"),
        (r"DATE +[\d,]+", "DATE BYTES"),
    )
]
_same = doctest.OutputChecker().check_output


@dataclass(frozen=True)
class Block:
    """A fenced block: the text, where it begins, and whether the block before it ends right above."""

    info: str
    text: str
    line: int
    follows: bool

    @property
    def language(self) -> str:
        return self.info.split()[0] if self.info.split() else ""

    @property
    def title(self) -> str | None:
        found = _TITLE.search(self.info)
        return found[1] if found else None

    @property
    def is_executed(self) -> bool:
        return self.language == "python" and self.title is None and "no-run" not in self.info.split()

    @property
    def is_typed(self) -> bool:
        return self.language == "console" and not {"no-run", "kubernetes"} & set(self.info.split())


def blocks_of(page: str) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    opened: tuple[str, str, int] | None = None
    lines: list[str] = []
    near = False
    for number, line in enumerate(page.splitlines(), start=1):
        fence = _FENCE.match(line)
        if fence and opened is None:
            opened, lines = (fence["indent"], fence["info"].strip(), number), []
        elif fence and opened is not None and not fence["info"].strip():
            indent, info, start = opened
            text = "".join(each.removeprefix(indent) + "\n" for each in lines)
            yield Block(info, text, start, near)
            opened, near = None, True
        elif opened is not None:
            lines.append(line)
        elif line.strip():
            near = False


def prose_of(page: str) -> str:
    """The page without its fenced blocks and inline code."""
    kept: list[str] = []
    inside = False
    for line in page.splitlines():
        if _FENCE.match(line):
            inside = not inside
        elif not inside:
            kept.append(re.sub(r"`[^`]*`", "", line))
    return "\n".join(kept)


def _name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def _is_run(page: Path) -> bool:
    if page.parent.name == "kubernetes":
        return False
    return any(block.is_executed or block.is_typed for block in blocks_of(page.read_text(encoding="utf-8")))


# ---------------------------------------------------------------------- running a page


@pytest.mark.parametrize("page", [page for page in PAGES if _is_run(page)], ids=_name)
def test_what_the_page_shows_is_what_happens(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    # Like a script: what a page defines belongs to `__main__`, and travels to workers by value.
    script = ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", script)
    printed: str | None = None
    try:
        for block in blocks_of(page.read_text(encoding="utf-8")):
            where = f"{_name(page)}:{block.line}"
            if block.title is not None:
                _save(tmp_path / block.title, block.text)
            elif block.is_executed:
                printed = _execute(block, where, script)
                continue
            elif block.is_typed:
                _run_console(block, where)
            elif block.language == "text" and block.follows and printed is not None:
                assert _same(block.text, printed, doctest.ELLIPSIS), f"{where}: it printed\n{printed}"
            printed = None
    finally:
        _forget_modules(set(sys.modules) - before, tmp_path)


def _save(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    # Saved twice within a second, a module would be taken for its older self.
    shutil.rmtree(path.parent / "__pycache__", ignore_errors=True)
    config.reload()


def _execute(block: Block, where: str, script: ModuleType) -> str:
    linecache.cache[where] = (len(block.text), None, block.text.splitlines(keepends=True), where)
    out = io.StringIO()
    try:
        with contextlib.redirect_stdout(out):
            exec(compile(block.text, where, "exec"), script.__dict__)
    except Exception as error:
        error.add_note(f"in the block at {where}")
        raise
    return out.getvalue()


def commands_of(text: str) -> Iterator[tuple[str, list[str]]]:
    """What is typed in a console block, each with the lines that are shown below it."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, *shown = part.rstrip().splitlines()
        yield command, shown


def _run_console(block: Block, where: str) -> None:
    for command, shown in commands_of(block.text):
        if command.split()[0] in NOT_RUN:
            continue
        if command.startswith("cd "):
            os.chdir(command.removeprefix("cd "))  # the test's own chdir is put back at its end
            continue
        known = ("flowctl", "python manage.py", "pytest")
        assert command.startswith(known), f"{where}: {command!r} cannot be checked"
        wanted = _EXIT.search(command)
        done = _shell(command)
        assert done.returncode == int(wanted[1] if wanted else 0), (
            f"{where}: `{command}` ended with {done.returncode}\n{done.stdout}"
        )
        if command.startswith("flowctl") and shown:
            assert told_apart(shown, done.stdout.splitlines()) == ([], []), (
                f"{where}: `{command}`\n{done.stdout}"
            )


def told_apart(shown: list[str], printed: list[str]) -> tuple[list[str], list[str]]:
    """The lines that are only shown, and those that were only printed; a line `…` stands for any that were.

    >>> told_apart(["10:00:00  run 20261124-133211-w65s1q", "…"], ["11:11:11  run 20261125-133211-abcdef", "more"])
    ([], [])
    """
    rest = [_alike(line) for line in printed if line.strip()]
    missing = []
    for line in (_alike(line) for line in shown if line.strip() not in ("", "…")):
        if line in rest:
            rest.remove(line)
        else:
            missing.append(line)
    return missing, [] if any(line.strip() == "…" for line in shown) else rest


def _alike(line: str) -> str:
    """A line without what differs each time: runs, times, durations, places, people. Workers print in any order."""
    for pattern, name in _DIFFERENT:
        line = pattern.sub(name, line)
    return " ".join(line.split())


def _shell(command: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        command,
        shell=True,
        env={**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )


def _forget_modules(names: set[str], folder: Path) -> None:
    for name in names:
        file = getattr(sys.modules.get(name), "__file__", None)
        if file and Path(file).is_relative_to(folder):
            del sys.modules[name]


# ---------------------------------------------------------------------- what the pages say


def test_the_reference_is_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "generate.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for target in _LINK.findall(prose_of(page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and file.suffix == ".md" and anchor not in _anchors(file)):
            broken.append(target)
    assert broken == []


def _anchors(page: Path) -> set[str]:
    anchors = set()
    inside = False
    for line in page.read_text(encoding="utf-8").splitlines():
        inside ^= _FENCE.match(line) is not None
        heading = _HEADING.match(line)
        if heading and not inside:
            slug = re.sub(r"[^\w\s-]", "", heading[1].replace("`", "")).strip().lower()
            anchors.add(heading[2] or re.sub(r"[-\s]+", "-", slug))
    return anchors


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    pages = [path.relative_to(ROOT / "docs").as_posix() for path in PAGES[1:]]
    assert [page for page in pages if page not in navigation] == []


def test_the_concepts_explain_every_phase() -> None:
    concepts = (ROOT / "docs" / "concepts.md").read_text(encoding="utf-8")
    assert [phase for phase in Phase if f"| `{phase}` |" not in concepts] == []


# ---------------------------------------------------------------------- these tests themselves


def test_blocks_are_found_with_what_stands_right_below() -> None:
    page = '```python\nprint(1)\n```\n\n```text\n1\n```\nWords.\n\n  ```yaml title="a.yml"\n  a: 1\n  ```\n'
    found = list(blocks_of(page))
    assert [(each.language, each.title, each.follows) for each in found] == [
        ("python", None, False),
        ("text", None, True),
        ("yaml", "a.yml", False),
    ]
    assert found[2].text == "a: 1\n"


def test_output_that_differs_from_what_is_shown_is_noticed() -> None:
    assert told_apart(["a: 1", "gone"], ["a: 1", "new"]) == (["gone"], ["new"])
    assert list(commands_of("$ one # exit 1\nx\n\ny\n$ two\n")) == [
        ("one # exit 1", ["x", "", "y"]),
        ("two", []),
    ]
