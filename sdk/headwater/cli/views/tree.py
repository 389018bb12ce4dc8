"""A run as a live tree on a terminal: nodes with their phases, times and progress bars."""

from __future__ import annotations

import json
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from headwater.backends.result import RunResult
from headwater.cli.globals import GLOBALS
from headwater.cli.printing import plain, seconds
from headwater.cli.views.approval import Send, ask_on_terminal, send_to_mailbox
from headwater.engine import Graph

REFRESH_SECONDS = 0.125
BAR_WIDTH = 24
_STYLES = {
    "Pending": ("·", "dim"), "Running": ("▶", "bold blue"), "Succeeded": ("✔", "green"), "Failed": ("✖", "bold red"),
    "Skipped": ("↷", "dim"), "Cached": ("●", "cyan"), "Cancelled": ("■", "yellow"), "Suspended": ("⏸", "yellow"),
}  # fmt: skip
_URGENT = {"Failed": 0, "Running": 1, "Suspended": 1, "Succeeded": 2, "Cached": 2, "Cancelled": 3}


@dataclass(slots=True)
class _Row:
    phase: str = "Pending"
    started: float | None = None
    ended: float | None = None
    attempt: int = 0
    note: str = ""
    items: tuple[int, int, int] | None = None


class TreeView:
    """Shows the nodes of a run while it goes on; what tasks print scrolls by above them."""

    log_file: str | None = None
    send: Send = staticmethod(send_to_mailbox)

    def __init__(self) -> None:
        self._console = Console(file=sys.stdout, no_color=not GLOBALS.color, highlight=False)
        self._rows: dict[str, _Row] = {}
        self._title = ""
        self._note = ""
        self._began = time.time()
        self._log: IO[str] | None = None
        self._live = Live(
            console=self._console,
            auto_refresh=False,
            redirect_stdout=False,  # the run captures what tasks print
            redirect_stderr=False,
            get_renderable=self._render,
        )
        self._over = threading.Event()
        self._paused = threading.Event()
        self._thread = threading.Thread(target=self._refresh, daemon=True, name="tree-view")

    # ------------------------------------------------------------------ what the run tells

    def begin(self, run_id: str, name: str, graph: Graph) -> None:
        """The run starts."""
        self._title = f"{name}  {run_id}"
        for node in graph.blocks[graph.entrypoint].nodes:
            self._rows[node.name] = _Row()
        self._live.start()
        self._thread.start()

    def changed(
        self,
        path: str,
        phase: str,
        attempt: int,
        at: float,
        *,
        message: str = "",
        error: Any = None,
        **_: Any,
    ) -> None:
        """A node has a new phase."""
        row = self._rows.setdefault(path, _Row())
        row.phase, row.attempt = phase, attempt
        if phase == "Running":
            row.started, row.ended = at, None
        elif phase not in ("Pending", "Suspended"):
            row.ended = at
        if phase != "Pending":
            self._note = ""  # the run goes on
        row.note = f"{error.type}: {error.message}" if error is not None and phase == "Failed" else message

    def note(self, text: str) -> None:
        """Something is to be said about the run as a whole."""
        self._note = text

    def items(self, path: str, total: int, done: int, failed: int, _running: int) -> None:
        """A map has come further."""
        self._rows.setdefault(path, _Row()).items = (total, done, failed)

    def approval(self, run_id: str, path: str, message: str) -> None:
        """A node waits for a person, who may be at this terminal."""
        ask_on_terminal(self.send, run_id, path, message, before=self._pause, after=self._paused.clear)

    def finished(self, _result: RunResult) -> None:
        """The run is over: the tree stays as it is."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()
        self._print_log()
        self._live.update(self._render(), refresh=True)
        self._live.stop()
        if self._log is not None:
            self._log.close()

    # ------------------------------------------------------------------ drawing

    def _pause(self) -> None:
        self._paused.set()
        self._live.refresh()

    def _refresh(self) -> None:
        while not self._over.wait(REFRESH_SECONDS):
            self._print_log()
            if not self._paused.is_set():
                self._live.refresh()

    def _print_log(self) -> None:
        if self._log is None:
            if self.log_file is None or not Path(self.log_file).exists():
                return
            self._log = open(self.log_file, encoding="utf-8", errors="replace")  # noqa: SIM115  # until the end
        for line in self._log:
            if line.endswith("\n"):
                entry = json.loads(line)
                index = f"[{entry['i']}]" if "i" in entry else ""
                text = Text(f"{entry['p']}{index} ", style="dim")
                level = entry.get("l", "")
                line = plain(f"{level} {entry['x']}" if level else entry["x"])
                text.append(line, style="yellow" if level in ("WARNING", "ERROR") else "default")
                self._console.print(text)

    def _render(self) -> RenderableType:
        now = time.time()
        rows = dict(self._rows)
        shown = self._that_fit(rows)
        width = max((len(_label(path)) for path in shown), default=0)
        lines = [Text.assemble((self._title, "bold"), f"  {seconds(now - self._began)}")]
        lines += [Text(f"  {self._note}", style="yellow")] if self._note else []
        lines += [_line(path, rows[path], width, now) for path in shown]
        if len(shown) < len(rows):
            counts: dict[str, int] = {}
            for path, row in rows.items():
                if path not in shown:
                    counts[row.phase] = counts.get(row.phase, 0) + 1
            rest = ", ".join(f"{count} {phase.lower()}" for phase, count in counts.items())
            lines.append(Text(f"  … and {rest}", style="dim"))
        return Group(*lines)

    def _that_fit(self, rows: dict[str, _Row]) -> list[str]:
        room = max(self._console.height - 4, 5)
        ordered = sorted(rows, key=_place_of(rows))
        if len(ordered) <= room:
            return ordered
        chosen = set(
            sorted(ordered, key=lambda p: (_URGENT.get(rows[p].phase, 4), -(rows[p].ended or 0)))[:room]
        )
        return [path for path in ordered if path in chosen]


def _place_of(rows: dict[str, _Row]) -> Any:
    """Sorts nodes under the node that they belong to, otherwise in the order in which they came."""
    numbers = {path: number for number, path in enumerate(rows)}

    def place(path: str) -> list[int]:
        parts = path.split("/")
        heads = ["/".join(parts[: end + 1]) for end in range(len(parts))]
        return [numbers.get(head, numbers.get(head.partition("[")[0], 0)) for head in heads]

    return place


def _label(path: str) -> str:
    depth = path.count("/")
    return "  " * depth + path.rpartition("/")[2]


def _line(path: str, row: _Row, width: int, now: float) -> Text:
    sign, style = _STYLES.get(row.phase, ("·", "dim"))
    line = Text.assemble(
        ("  " + sign + " ", style), _label(path).ljust(width), no_wrap=True, overflow="ellipsis"
    )
    if row.items is not None and row.items[0]:
        line.append("  ")
        line.append_text(_bar(*row.items))
    if row.started is not None:
        line.append(f"  {seconds(max((row.ended or now) - row.started, 0.0))}", style="dim")
    if row.attempt > 1:
        line.append(f"  attempt {row.attempt}", style="yellow")
    if row.note:
        line.append(f"  {' '.join(row.note.split())}", style="red" if row.phase == "Failed" else "dim")
    return line


def _bar(total: int, done: int, failed: int) -> Text:
    filled = BAR_WIDTH * done // total
    bad = min(BAR_WIDTH - filled, -(-BAR_WIDTH * failed // total)) if failed else 0
    bar = Text("━" * filled, style="green")
    bar.append("━" * bad, style="red")
    bar.append("━" * (BAR_WIDTH - filled - bad), style="bright_black")
    bar.append(f" {done + failed}/{total}")
    if failed:
        bar.append(f", {failed} failed", style="red")
    return bar
