"""Questions about runs, and their answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from headwater.engine.events import Failure
from headwater.errors import UsageError
from headwater.records import (
    Error,
    KnownNode,
    Recorder,
    Run,
    Slice,
    attempts,
    configuration,
    document,
    exceptions,
    get_run,
    items,
    known,
    list_runs,
    mark_lost,
    nodes,
)
from headwater.records.connection import connect, shown, sqlite_path
from headwater.records.schema import ensure_schema
from headwater.records.statements import UPSERTS

Start = Callable[..., Recorder]
Fail = Callable[..., Failure]


def three_runs(record: Start) -> None:
    for run_id, name, backend, phase, at in (
        ("20261123-084512-aaaaaa", "reduce", "default", "Succeeded", 10.0),
        ("20261123-084512-aabbbb", "reduce", "parallel", "Failed", 20.0),
        ("20261124-000000-cccccc", "train", "default", "Succeeded", 30.0),
    ):
        recorder = record(run_id, name=name, backend=backend, started_at=at)
        recorder.run_finished(phase, finished_at=at + 1)
        assert recorder.close()


def test_runs_are_listed_latest_first_and_filtered(record: Start, url: str) -> None:
    three_runs(record)

    def tails(**filters: object) -> list[str]:
        return [run.run_id[-6:] for run in list_runs(url, **filters)]  # type: ignore[arg-type]

    assert tails() == ["cccccc", "aabbbb", "aaaaaa"]
    assert tails(phase="Succeeded") == ["cccccc", "aaaaaa"]
    assert tails(name="reduce", backend="default") == ["aaaaaa"]
    assert tails(since=20.0) == ["cccccc", "aabbbb"]
    assert tails(limit=1) == ["cccccc"]
    assert tails(limit=0) == []
    assert tails(name="'; DROP TABLE run; --") == []


def test_a_run_is_found_by_id_by_the_beginning_of_it_or_as_the_last(record: Start, url: str) -> None:
    three_runs(record)
    assert get_run(url, "last").run_id == "20261124-000000-cccccc"
    assert get_run(url, "20261124").run_id == "20261124-000000-cccccc"
    assert get_run(url, "20261123-084512-aab").name == "reduce"
    assert get_run(url, "20261123-084512-aaaaaa").backend == "default"
    with pytest.raises(
        UsageError, match=r"several runs begin with '20261123': .*aaaaaa, .*aabbbb\. Give more"
    ):
        get_run(url, "20261123")
    for unknown in ("2027", "%", "_", ""):
        with pytest.raises(UsageError, match=r"there is no run '.*flowctl list"):
            get_run(url, unknown)


def test_a_database_that_is_not_there_holds_nothing_and_is_not_made(url: str, path: Path) -> None:
    assert (list_runs(url), nodes(url, "r1"), known(url, "r1"), mark_lost(url)) == ([], {}, {}, [])
    with pytest.raises(UsageError, match="no run is recorded in"):
        get_run(url, "last")
    assert not path.parent.exists()


def test_an_empty_file_holds_nothing(url: str, path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    assert list_runs(url) == []


def test_what_was_not_recorded_is_none(record: Start, url: str) -> None:
    assert record().close()
    run = get_run(url, "r1")
    assert (document(url, run), configuration(url, run)) == (None, {})
    assert (attempts(url, "r1"), exceptions(url, "r1"), items(url, "r1", "m")) == ([], [], [])


def test_records_cannot_be_changed(record: Start, url: str) -> None:
    assert record().close()
    with pytest.raises(dataclasses.FrozenInstanceError):
        get_run(url, "r1").phase = "Succeeded"  # type: ignore[misc]
    assert not hasattr(Run, "__dict__") or "__slots__" in vars(Run)


def test_known_has_all_that_a_resume_needs(record: Start, url: str, failure: Fail) -> None:
    recorder = record()
    recorder.node_changed("gen", "Succeeded", 1, 11.0, outputs={"x": {"ref": "sha256:1", "format": "npy"}})
    recorder.node_changed("check", "Succeeded", 1, 11.0, kind="condition", answer=False)
    recorder.node_changed("branch", "Skipped", 0, 11.0)
    recorder.node_changed("broken", "Failed", 2, 12.0, error=failure())
    recorder.node_changed("going", "Running", 1, 12.0)
    recorder.node_changed("waiting", "Pending", 0, 12.0)
    recorder.node_changed("loop[1]/fit", "Cached", 1, 12.0, outputs={"y": {"json": None}})
    recorder.node_changed("m", "Running", 1, 12.0, kind="map")
    recorder.map_sized("m", 100, 12.0)
    recorder.items_done("m", ((0, 10),), {"json": [{"x": 1}] * 10}, 13.0)
    recorder.items_done("m", ((10, 12), (13, 20)), {"ref": "sha256:2"}, 13.0)
    recorder.item_failed("m", 12, 1, failure("twelve"), 13.0)
    assert recorder.flush()
    found = known(url, "r1")
    assert set(found) == {"gen", "check", "branch", "broken", "loop[1]/fit", "m"}
    assert found["gen"] == KnownNode("Succeeded", {"x": {"ref": "sha256:1", "format": "npy"}})
    assert found["check"].answer is False
    assert found["broken"].phase == "Failed"
    assert found["loop[1]/fit"].outputs == {"y": {"json": None}}
    assert found["m"] == KnownNode(
        "Running",
        total=100,
        done=((0, 12), (13, 20)),
        slices=(
            Slice(((0, 10),), {"json": [{"x": 1}] * 10}),
            Slice(((10, 12), (13, 20)), {"ref": "sha256:2"}),
        ),
        failed={12: Error("KeyError", "twelve", "Error", "m")},
    )


def test_nodes_come_in_the_order_in_which_they_started(record: Start, url: str) -> None:
    recorder = record()
    for path, at in (("z", 10.0), ("b", 12.0), ("a", 12.0)):
        recorder.node_changed(path, "Running", 1, at)
    recorder.node_changed("never", "Pending", 0, 9.0)
    assert recorder.close()
    assert list(nodes(url, "r1")) == ["z", "a", "b", "never"]


@pytest.mark.parametrize(
    ("url_", "path_", "shown_"),
    [
        ("sqlite:////a/b.db", "/a/b.db", "/a/b.db"),
        ("sqlite:///b.db", "b.db", "b.db"),
        ("sqlite://", ":memory:", ":memory:"),
        ("postgresql+psycopg2://ada:pw@db:5432/x", None, "postgresql+psycopg2://ada:***@db:5432/x"),
    ],
)
def test_urls(url_: str, path_: str | None, shown_: str) -> None:
    assert (sqlite_path(url_), shown(url_)) == (path_, shown_)


def test_paths_with_odd_characters_are_only_paths(record: Start, tmp_path: Path) -> None:
    folder = tmp_path / "a b#c%20d'e"
    url = f"sqlite:///{folder}/runs.db"
    assert record(at=url).close()
    assert len(list_runs(url)) == 1
    assert (folder / "runs.db").is_file()


def on_a_cluster(url: str, run_id: str, name: str, namespace: str, at: float) -> None:
    """A run as the operator records it: no process, no heartbeat."""
    connection = connect(url, create=True)
    ensure_schema(connection, url)
    row = (
        run_id,
        name,
        "kubernetes",
        "kind",
        "Running",
        *(None,) * 4,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        0,
    )
    given = dict(zip(UPSERTS["run"].columns, row, strict=False))
    given |= {
        "message": "",
        "host": "",
        "pid": 0,
        "process": "",
        "login": "ada",
        "started_at": at,
        "version": 1,
    }
    given |= {"namespace": namespace, "labels": '{"team": "lab"}', "progress_done": 3, "progress_total": 9}
    connection.write({"run": [tuple(given.get(column) for column in UPSERTS["run"].columns)]}, whole=True)
    connection.close()


def test_runs_on_a_cluster_are_listed_beside_the_others_and_are_never_lost(record: Start, url: str) -> None:
    three_runs(record)
    on_a_cluster(url, "5f0c1c3e-8a3c", "reduce", "lab", 40.0)
    (run, *_) = list_runs(url)
    assert (run.run_id, run.phase, run.backend, run.namespace) == (
        "5f0c1c3e-8a3c",
        "Running",
        "kubernetes",
        "lab",
    )
    assert (run.labels, run.progress_done, run.progress_total) == ({"team": "lab"}, 3, 9)
    assert mark_lost(url) == []
    assert [run.run_id for run in list_runs(url, namespace="lab")] == ["5f0c1c3e-8a3c"]
    assert [run.namespace for run in list_runs(url, backend="default")] == ["", ""]


def test_a_run_is_found_by_its_name_and_of_several_the_latest(
    record: Start, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    three_runs(record)
    assert get_run(url, "train").run_id == "20261124-000000-cccccc"
    assert caplog.messages == []
    assert get_run(url, "reduce").run_id == "20261123-084512-aabbbb"
    assert caplog.messages == [
        "2 runs are named 'reduce'; this is the latest, 20261123-084512-aabbbb. "
        "`flowctl list --name reduce` shows all of them."
    ]


def test_a_name_may_stand_behind_its_namespace(record: Start, url: str) -> None:
    on_a_cluster(url, "u1", "reduce", "lab", 40.0)
    on_a_cluster(url, "u2", "reduce", "office", 50.0)
    assert get_run(url, "lab/reduce").run_id == "u1"
    assert get_run(url, "reduce").run_id == "u2"
    with pytest.raises(UsageError, match="there is no run 'home/reduce'"):
        get_run(url, "home/reduce")


def test_a_whole_id_comes_before_a_name_and_a_name_before_the_beginning_of_an_id(
    record: Start, url: str
) -> None:
    for run_id, name, at in (("abc", "first", 10.0), ("train-1", "abc", 20.0), ("fit-2", "train", 30.0)):
        assert record(run_id, name=name, started_at=at).close()
    assert get_run(url, "abc").name == "first"
    assert get_run(url, "train").run_id == "fit-2"
    assert get_run(url, "train-").run_id == "train-1"
