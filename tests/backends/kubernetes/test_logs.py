"""Lines of pods: whose they are, and which are asked for."""

from __future__ import annotations

from typing import Any

import pytest
from headwater.backends.kubernetes.logs import Line, Wanted, pod_of, why_nothing
from headwater.errors import UsageError

SPEC = {
    "blocks": [
        {
            "name": "main",
            "nodes": [{"name": "gen-data"}, {"name": "process", "map": {"call": {"block": "in"}}}],
        },
        {"name": "in", "nodes": [{"name": "fit"}]},
    ]
}
RUN: dict[str, Any] = {"metadata": {"name": "reduce-x7k2p"}, "spec": SPEC}
STAMP = "2026-01-02T03:04:05.123456789Z"
JOB = {"j": {"metadata": {"annotations": {"headwater.dev/items": "3-9", "headwater.dev/per-pod": "2"}}}}


def pod(path: str, index: int | None = None) -> Any:
    labels = {} if index is None else {"batch.kubernetes.io/job-name": "j"}
    annotations = {"headwater.dev/path": path, "headwater.dev/attempt": "2"}
    if index is not None:
        annotations["batch.kubernetes.io/job-completion-index"] = str(index)
    return pod_of({"metadata": {"name": "p", "labels": labels, "annotations": annotations}}, JOB)


def test_a_line_is_of_the_pods_node_and_attempt() -> None:
    line = pod("gen-data").line(f"{STAMP} hello | world")
    assert (line.node, line.text, line.attempt, line.item) == ("gen-data", "hello | world", 2, None)
    assert line.at == pytest.approx(1767323045.123457)


def test_lines_of_a_fused_unit_say_whose_they_are() -> None:
    assert pod("").line(f"{STAMP} gen-data | a | b").node == "gen-data"
    assert pod("train").line(f"{STAMP} train/fit | a").node == "train/fit"
    assert pod("train").line(f"{STAMP} other | a").text == "other | a"


def test_lines_of_items_have_their_index() -> None:
    share = pod("process", 1)
    assert share.items == (5, 6)
    line = share.line(f"{STAMP} process[6] | computing")
    assert (line.node, line.item, line.text) == ("process", 6, "computing")
    inner = share.line(f"{STAMP} process[6]/fit | computing")
    assert (inner.node, inner.item) == ("process[6]/fit", None)


@pytest.mark.parametrize(
    ("asked", "item", "wanted"),
    [
        ("gen_data", None, Wanted("gen-data")),
        ("main/gen-data", None, Wanted("gen-data")),
        ("process[17]", None, Wanted("process", 17)),
        ("process", 17, Wanted("process", 17)),
        ("process[3]/fit", None, Wanted("process[3]/fit")),
        (None, None, Wanted()),
    ],
)
def test_nodes_are_named_in_several_ways(asked: str | None, item: int | None, wanted: Wanted) -> None:
    assert Wanted.of(RUN, asked, item) == wanted


def test_an_unknown_node_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(UsageError, match=r"no node 'nothing'.*gen-data, process"):
        Wanted.of(RUN, "nothing")


def test_only_the_lines_that_are_asked_for() -> None:
    lines = [
        Line(1, "gen-data", "a"),
        Line(2, "process", "b", item=5),
        Line(3, "process", "c", item=6),
        Line(4, "process[6]/fit", "d"),
    ]

    def texts(wanted: Wanted) -> str:
        return "".join(line.text for line in lines if wanted.has(line))

    assert texts(Wanted()) == "abcd"
    assert texts(Wanted("process")) == "bcd"
    assert texts(Wanted("process", 6)) == "cd"
    assert texts(Wanted("process[6]/fit")) == "d"


def test_only_the_pods_that_may_have_them_are_asked() -> None:
    wanted = Wanted("process", 6)
    assert wanted.wants(pod("process", 1))
    assert not wanted.wants(pod("process", 0))
    assert not wanted.wants(pod("gen-data"))
    assert wanted.wants(pod(""))


def test_why_there_is_nothing() -> None:
    def said(node: str = "", **status: Any) -> str:
        return " ".join(why_nothing({**RUN, "status": status}, Wanted(node), []))

    assert "no operator has seen it" in said()
    assert "flowctl retry reduce-x7k2p" in said(phase="Failed")
    assert "it was cached" in said("gen-data", phase="Running", nodes={"gen-data": {"phase": "Cached"}})
    waiting = {"gen-data": {"phase": "Pending", "waiting": "Insufficient cpu"}}
    assert "Insufficient cpu" in said("gen-data", phase="Running", nodes=waiting)
