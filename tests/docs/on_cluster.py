"""Runs the console blocks of a page on a real cluster and compares what they print with what the page shows.

What differs from run to run (times, generated names, the namespace) is made the same on both sides. Whatever only
looks (`get`, `list`, `doctor`, `describe`) is asked again until it shows what the page shows, or a minute is over.
"""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from tests.cluster.fixtures import OPERATOR_IMAGE, RUNTIME_IMAGE, SMALL_IMAGE, Cluster, Kind
from tests.cluster.places import STATE
from tests.docs.test_docs import Block, blocks_of
from tests.operator.process import running_operator

NAMESPACE = "science"
IMAGES = {
    "headwater-runtime:0.1.0": RUNTIME_IMAGE,
    "headwater-operator:0.1.0": OPERATOR_IMAGE,
    "debian:bookworm": SMALL_IMAGE,
}
OPERATOR = "flowctl operator run"
PATIENCE = 60.0
_LOOKS = re.compile(r"flowctl (get|list|show|doctor|logs (?!-f))|kubectl (get|describe)")
_EXIT = re.compile(r"\s*#\s*exit (\d+)\s*$")
_NAMED = re.compile(r"^submitted (\S+)|^(\S+): goes on from", re.M)
_PROGRESS = re.compile(r"^.*: \d+/\d+ items(, \d+ failed)?\n", re.M)
_VARYING = (
    (re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\dZ?"), "WHEN"),
    (re.compile(r"\b\d\d:\d\d:\d\d\b"), "WHEN"),
    (re.compile(r"\b\d+(\.\d+)? (ms|s|min|h)\b|\b(\d+m)?\d+[sm]\b"), "SO LONG"),
    (re.compile(r"https?://[^\s,]+|context \S+,"), "WHERE"),
    (re.compile(r"Kubernetes v[\d.+\w-]+"), "VERSION"),
    (re.compile(r"\S+~\d+~\d+"), "SOMEBODY"),
    (re.compile(r"/tmp/headwater-code-\w+"), "CODE"),
    (re.compile(r"\bcode-[0-9a-f]{12}\b"), "BUNDLE"),
    (re.compile(r"[ \t]+"), " "),
)
_same = doctest.OutputChecker().check_output


@dataclass
class Console:
    """A shell on a cluster, in a namespace of its own that the pages call `science`."""

    cluster: Cluster
    namespace: str
    folder: Path
    names: dict[str, str] = field(default_factory=dict)
    _open: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        self.names[NAMESPACE] = self.namespace
        if self.cluster.kind is Kind.OWN:
            self.names |= IMAGES
        config = yaml.safe_load(self.cluster.kubeconfig.read_text(encoding="utf-8"))
        for each in config["contexts"]:
            each["context"]["namespace"] = self.namespace
        (self.folder / "kubeconfig").write_text(yaml.safe_dump(config), encoding="utf-8")

    def run_page(self, page: Path) -> None:
        """Do what the page says, with an operator running unless the page starts one itself."""
        text = page.read_text(encoding="utf-8")
        blocks = [each for each in blocks_of(text) if each.title is not None or is_for_cluster(page, each)]
        with self._open:
            if not any(f"$ {OPERATOR}" in block.text for block in blocks):
                self._start_operator("")
            for block in blocks:
                if block.title is not None:
                    self._save(block)
                    continue
                for command, shown in commands_of(block.text):
                    self._check(command, shown, f"{page.name}:{block.line}")

    # ------------------------------------------------------------

    def _save(self, block: Block) -> None:
        assert block.title is not None
        path = self.folder / block.title
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self._there(block.text), encoding="utf-8")

    def _check(self, command: str, shown: str, where: str) -> None:
        if command.startswith(OPERATOR):
            log = self._start_operator(command.removeprefix(OPERATOR).partition("#")[0])
            printed = log.read_text(encoding="utf-8")
            fine = not shown.strip() or _matches(shown, self._here(printed))
            assert fine, f"{where}: the operator said\n{printed}"
            return
        wanted = int(found[1]) if (found := _EXIT.search(command)) else 0
        deadline = time.monotonic() + PATIENCE
        while True:
            done = self._shell(self._there(_EXIT.sub("", command)))
            self._learn_names(shown, done.stdout)
            printed = self._here(done.stdout + done.stderr)
            fine = done.returncode == wanted and (not shown.strip() or _matches(shown, printed))
            if fine or not _LOOKS.match(command) or time.monotonic() > deadline:
                break
            time.sleep(1.0)
        assert fine, f"{where}: `{command}` ended with {done.returncode} and printed\n{printed}"

    def _shell(self, command: str) -> subprocess.CompletedProcess[str]:
        own = [STATE / "bin"] if self.cluster.kind is Kind.OWN else []
        path = os.pathsep.join([*map(str, [Path(sys.executable).parent, *own]), os.environ["PATH"]])
        return subprocess.run(
            command,
            shell=True,
            cwd=self.folder,
            env={**os.environ, "PATH": path, "KUBECONFIG": str(self.folder / "kubeconfig")},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
        )

    def _start_operator(self, options: str) -> Path:
        given = [word for word in options.split() if word not in ("--namespace", NAMESPACE)]
        log = self.folder / "operator.log"
        self._open.enter_context(running_operator(self.cluster, self.namespace, log, *given))
        deadline = time.monotonic() + PATIENCE
        while "active in" not in log.read_text(encoding="utf-8"):
            assert time.monotonic() < deadline, log.read_text(encoding="utf-8")
            time.sleep(0.2)
        return log

    def _learn_names(self, shown: str, printed: str) -> None:
        """Runs have generated names: what the page calls one by, and what it is called here."""
        for ours, theirs in zip(_NAMED.finditer(shown), _NAMED.finditer(printed), strict=False):
            self.names[ours[1] or ours[2]] = theirs[1] or theirs[2]

    def _there(self, text: str) -> str:
        return _replaced(text, self.names)

    def _here(self, text: str) -> str:
        return _replaced(text, {theirs: ours for ours, theirs in self.names.items()})


def is_for_cluster(page: Path, block: Block) -> bool:
    """Whether a console block is to be run on a cluster: those of docs/kubernetes, elsewhere those that say so."""
    words = block.info.split()
    if block.language != "console" or "no-run" in words:
        return False
    return page.parent.name == "kubernetes" or "kubernetes" in words


def commands_of(text: str) -> Iterator[tuple[str, str]]:
    """The commands of a console block, each with what it prints.

    >>> list(commands_of("$ echo a \\\\\\n    b\\na b\\n$ ls\\n"))
    [('echo a b', 'a b\\n'), ('ls', '')]
    """
    command, shown = "", ""
    for line in text.splitlines():
        if command.endswith("\\"):
            command = f"{command[:-1].rstrip()} {line.strip()}"
        elif line.startswith("$ "):
            if command:
                yield command, shown
            command, shown = line.removeprefix("$ "), ""
        else:
            shown += f"{line}\n"
    if command:
        yield command, shown


def _replaced(text: str, names: Mapping[str, str]) -> str:
    if not names:
        return text
    longest_first = sorted(names, key=len, reverse=True)
    pattern = rf"(?<![\w/-])({'|'.join(map(re.escape, longest_first))})(?![\w])"
    return re.sub(pattern, lambda found: names[found[1]], text)


def _matches(shown: str, printed: str) -> bool:
    """Whether something was printed as shown; `...` stands for anything.

    >>> _matches("10:00:00 a: started\\n", "23:59:59  a: started\\n"), _matches("a\\n", "b\\n")
    (True, False)
    """
    anything = re.sub(r"\s*\.\.\.\s*", "...", _settled(shown))
    return _same(anything, _settled(printed), doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)


def _settled(text: str) -> str:
    text = _PROGRESS.sub("", text)
    for pattern, same in _VARYING:
        text = pattern.sub(same, text)
    return text
