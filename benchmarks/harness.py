"""Measures Headwater beside its peers, in interleaved rounds, and prints a table."""

from __future__ import annotations

import argparse
import gc
import importlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Literal

HERE = Path(__file__).parent
TOPICS = (
    "startup",
    "pod_startup",
    "chain",
    "maps",
    "cached",
    "recording",
    "montage",
    "arrays",
    "memory",
    "slurm_maps",
    "others",
)
CORES = len(os.sched_getaffinity(0))

Measure = Callable[[], float]
Make = Callable[[], Measure]


class NotInstalled(Exception):
    """A peer that is not there to be measured."""


@dataclass(frozen=True)
class Limit:
    """What is required: `value` of ours, `over` the peer (ours - peer), or the `ratio` ours / peer."""

    kind: Literal["value", "over", "ratio"]
    most: float


@dataclass(frozen=True)
class Peer:
    """One side to compare with; its limit, where one is required."""

    name: str
    make: Make
    limit: Limit | None = None


@dataclass(frozen=True)
class Case:
    """What is measured: each `make` prepares one side and gives the function that measures one round."""

    name: str
    ours: Make
    peers: Sequence[Peer] = ()
    limit: Limit | None = None
    unit: str = "ms"
    warm_up: bool = True
    rounds: int | None = None


@dataclass
class Row:
    """One line of the table, with the numbers of every round."""

    case: str
    peer: str
    unit: str
    ours: list[float]
    theirs: list[float] = field(default_factory=list)
    limit: Limit | None = None
    note: str = ""

    @property
    def ratios(self) -> list[float]:
        """Ours / peer, round by round."""
        return [ours / theirs for ours, theirs in zip(self.ours, self.theirs, strict=False)]

    def held_against(self) -> float | None:
        """The number that the limit is for."""
        if self.limit is None or not self.ours or (self.limit.kind != "value" and not self.theirs):
            return None
        if self.limit.kind == "value":
            return median(self.ours)
        if self.limit.kind == "over":
            return median(ours - theirs for ours, theirs in zip(self.ours, self.theirs, strict=True))
        return median(self.ours) / median(self.theirs)

    @property
    def verdict(self) -> str:
        """`ok`, `OVER`, or nothing when nothing is required or known."""
        number = self.held_against()
        if number is None or self.limit is None:
            return self.note
        return "ok" if number <= self.limit.most else "OVER"

    def cells(self) -> list[str]:
        """The line as it is printed."""
        unit, ratio, spread, limit = self.unit, "", "", ""
        if self.theirs:
            ratio = f"{median(self.ours) / median(self.theirs):.2f}"
            spread = f"{min(self.ratios):.2f}-{max(self.ratios):.2f}"
        elif self.ours:
            spread = f"{_short(min(self.ours))}-{_short(max(self.ours))} {unit}"
        if self.limit is not None:
            number, most = self.held_against(), f"{self.limit.most:g}"
            limit = {"value": f"<= {most} {unit}", "over": f"<= +{most} {unit}", "ratio": f"<= {most}x"}[
                self.limit.kind
            ]
            if self.limit.kind == "over" and number is not None:
                limit += f" (+{number:.0f})"
        theirs = f"{_short(median(self.theirs))} {unit}" if self.theirs else ""
        ours = f"{_short(median(self.ours))} {unit}" if self.ours else ""
        return [self.case, self.peer, ours, theirs, ratio, spread, limit, self.verdict]

    def as_dict(self) -> dict[str, Any]:
        """The line for programs."""
        return {
            "case": self.case,
            "peer": self.peer,
            "unit": self.unit,
            "ours": _summary(self.ours),
            "theirs": _summary(self.theirs),
            "ratio": _summary(self.ratios),
            "limit": vars(self.limit) if self.limit else None,
            "verdict": self.verdict,
        }


def _short(number: float) -> str:
    return f"{number:.4f}" if number < 0.1 else f"{number:.3f}" if number < 10 else f"{number:.1f}"


def _summary(numbers: Sequence[float]) -> dict[str, Any] | None:
    if not numbers:
        return None
    return {"min": min(numbers), "median": median(numbers), "max": max(numbers), "rounds": list(numbers)}


# ------------------------------------------------------------------ measuring


def timed(function: Callable[[int], Any], *, expect: Callable[[int], Any], per: int = 1) -> Measure:
    """Milliseconds of a call (of one of `per` tasks); what it returns must be as expected.

    The call takes the number of the round, so that a round can have values that no store has seen yet.
    """
    numbers = itertools.count()

    def measure() -> float:
        number = next(numbers)
        gc.collect()
        started = time.perf_counter()
        found = function(number)
        taken = time.perf_counter() - started
        assert found == expect(number), f"wrong result: {found!r}"
        return taken * 1000 / per

    return measure


def process(command: Sequence[object], env: Mapping[str, str] | None = None) -> Measure:
    """Milliseconds of a whole process."""

    def measure() -> float:
        started = time.perf_counter()
        done = subprocess.run([str(part) for part in command], capture_output=True, env=_env(env))
        taken = time.perf_counter() - started
        assert done.returncode == 0, done.stderr.decode()
        return taken * 1000

    return measure


def printed(command: Sequence[object], env: Mapping[str, str] | None = None) -> Measure:
    """The number that a process prints on its last line."""

    def measure() -> float:
        done = subprocess.run([str(part) for part in command], capture_output=True, env=_env(env), text=True)
        assert done.returncode == 0, done.stderr
        return float(done.stdout.split()[-1])

    return measure


def _env(more: Mapping[str, str] | None) -> dict[str, str]:
    return {**os.environ, **(more or {})}


def measured(case: Case, rounds: int) -> list[Row]:
    """Measure a case: ours, peer, peer, ours, peer, peer, ..."""
    sides: dict[str, Measure] = {"": case.ours()}
    missing: dict[str, str] = {}
    for peer in case.peers:
        try:
            sides[peer.name] = peer.make()
        except (ImportError, NotInstalled):
            missing[peer.name] = "not installed"
    if case.warm_up:
        for measure in sides.values():
            measure()
    numbers: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(min(rounds, case.rounds or rounds)):
        for name, measure in sides.items():
            numbers[name].append(measure())
    rows = [Row(case.name, "", case.unit, numbers[""], limit=case.limit)] if case.limit else []
    for peer in case.peers:
        theirs, note = numbers.get(peer.name, []), missing.get(peer.name, "")
        rows.append(Row(case.name, peer.name, case.unit, numbers[""], theirs, peer.limit, note))
    return rows or [Row(case.name, "", case.unit, numbers[""])]


# ------------------------------------------------------------------ the command

HEADINGS = ["case", "peer", "ours", "peer's", "ratio", "spread", "required", ""]


def table(lines: Sequence[Sequence[str]]) -> str:
    """The table, as Markdown."""
    rows = [HEADINGS, *lines]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEADINGS))]
    texts = ["| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |" for row in rows]
    return "\n".join([texts[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *texts[1:]])


def run_topic(topic: str, rounds: int, only: str | None) -> list[dict[str, Any]]:
    """Measure one topic, in this process."""
    found: Sequence[Case] = importlib.import_module(f"cases.{topic}").CASES
    done = []
    for case in found:
        if only is None or only in f"{topic}: {case.name}":
            print(f"  {topic}: {case.name} ...", file=sys.stderr, flush=True)
            try:
                rows = measured(case, rounds)
            except Exception:
                traceback.print_exc()
                rows = [Row(case.name, "", case.unit, [], note="FAILED")]
            done += [{**row.as_dict(), "cells": row.cells()} for row in rows]
    return done


def run_all(rounds: int, only: str | None) -> list[dict[str, Any]]:
    """Measure every topic, each in a process of its own with a state folder of its own.

    Bytecode is kept in a folder of this run, for all sides alike, whatever the environment says about it.
    """
    done: list[dict[str, Any]] = []
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory(prefix="headwater-bench-") as run:
        for topic in TOPICS:
            folder = Path(run) / topic
            folder.mkdir()
            results = folder / "results.json"
            command = [sys.executable, HERE / "run.py", "--topic", topic, "--rounds", rounds]
            command += ["--json", results, *(["--only", only] if only else [])]
            env = {"HEADWATER_HOME": f"{folder}/home", "TMPDIR": str(folder)}
            env["PYTHONPYCACHEPREFIX"] = f"{run}/bytecode"
            env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH")]))
            if subprocess.run([*map(str, command)], env=_env(env), cwd=folder).returncode != 0:
                sys.exit(f"benchmarks: {topic} failed")
            done += json.loads(results.read_text())
    return done


def main() -> None:
    """Run the benchmarks; the exit code is 1 when a limit is exceeded."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often each side is measured (5)")
    parser.add_argument("--only", help="only the cases with this in `topic: name`")
    parser.add_argument("--json", type=Path, help="write all numbers to this file")
    parser.add_argument("--topic", choices=TOPICS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.topic:
        options.json.write_text(json.dumps(run_topic(options.topic, options.rounds, options.only)))
        return
    results = run_all(options.rounds, options.only)
    print(table([row.pop("cells") for row in results]))
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))
    verdicts = [row["verdict"] for row in results]
    over, failed = verdicts.count("OVER"), verdicts.count("FAILED")
    print(f"\n{over} of {verdicts.count('ok') + over} limits exceeded, {failed} cases failed.")
    sys.exit(1 if over or failed else 0)
