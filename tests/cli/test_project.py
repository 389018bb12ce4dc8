"""create, db, manage: a pipeline's own commands, called through flowctl."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("words", "usage"),
    [
        (["create", "--help"], "usage: flowctl create ["),
        (["create", "pipeline", "--help"], "usage: flowctl create pipeline ["),
        (["db", "prune", "--help"], "usage: flowctl db prune ["),
        (["manage", "--help"], "usage: flowctl manage ["),
        (["manage", "debug", "--help"], "usage: flowctl manage debug ["),
    ],
)
def test_help_shows_what_can_be_typed(flowctl, words: list[str], usage: str) -> None:
    answer = flowctl(*words)
    assert answer.code == 0
    assert answer.out.startswith(usage)


def test_a_prune_that_finds_nothing_says_so(flowctl) -> None:
    flowctl("run", "pipeline.py")
    assert flowctl("db", "prune", "--older-than", "90d").out == "no run ended more than 90d ago\n"


def test_a_dashboard_of_a_database_that_is_not_there_says_so(flowctl, monkeypatch) -> None:
    monkeypatch.setattr("headwater_dashboard.server.serve", lambda *_, **__: None)
    assert "there is no run database nope.db yet" in flowctl("ui", "--database", "sqlite:///nope.db").err
    flowctl("run", "pipeline.py")
    assert flowctl("ui").err == ""
