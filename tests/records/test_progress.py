"""How far a run is."""

from __future__ import annotations

from headwater.records.progress import Progress


def test_nodes_that_hold_others_do_not_count_themselves() -> None:
    progress = Progress()
    progress.planned(["gen", "train"])
    progress.node("train", ended=False)
    progress.node("train/fit", ended=True)
    progress.node("train/score", ended=False)
    assert progress.counts() == (1, 3)


def test_items_count_and_what_is_inside_them_does_not() -> None:
    progress = Progress()
    progress.planned(["process"])
    progress.items("process", done=1, total=3)
    progress.node("process[1]/transform", ended=True)
    assert progress.counts() == (1, 3)
    progress.node("process", ended=True)
    assert progress.counts() == (3, 3)


def test_a_loop_counts_what_its_rounds_do() -> None:
    progress = Progress()
    progress.planned(["refine"])
    progress.node("refine", ended=False)
    progress.node("refine[0]/step", ended=True)
    progress.node("refine[1]/step", ended=False)
    assert progress.counts() == (1, 2)
