"""A run as plain lines: what pipes and CI get."""

from __future__ import annotations

import io

from headwater.cli.views.lines import LinesView


def shown(*states: tuple[str, str, int, float, str]) -> list[str]:
    out = io.StringIO()
    view = LinesView(out)
    for path, phase, attempt, at, message in states:
        view.changed(path, phase, attempt, at, message=message, error=None)
    return out.getvalue().splitlines()


def test_why_a_node_waits_is_said_when_it_is_known_and_once() -> None:
    pulls = "cannot pull image 'nope:1': not found"
    lines = shown(
        ("next", "Pending", 0, 100.0, "gen"),
        ("gen", "Running", 1, 100.0, ""),
        ("gen", "Running", 1, 100.0, pulls),
        ("gen", "Running", 1, 100.0, pulls),
    )
    assert [line[10:] for line in lines] == ["gen: started", f"gen: {pulls}"]


def test_times_do_not_go_back() -> None:
    lines = shown(("a", "Running", 1, 200.0, ""), ("b", "Running", 1, 100.0, ""))
    assert lines[0][:8] == lines[1][:8]
