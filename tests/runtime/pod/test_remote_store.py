"""Pods whose store is behind a URL: `local://` is fsspec's own file system, seen as any other."""

import signal

import pytest

WORK = """
    import os, signal
    from headwater import task

    @task
    def gen(n: int) -> {"raw": list}:
        with open("calls", "a") as file:
            file.write("gen ")
        return list(range(n))

    @task
    def total(raw: list) -> {"total": int}:
        if os.environ.get("KILL"):
            os.kill(os.getpid(), signal.SIGKILL)
        return sum(raw)

    @task
    def item(x: int) -> {"y": list}:
        if x == 1:
            raise ValueError("one")
        return [x] * 3000
    """


@pytest.fixture
def remote(pods):
    pods.write(WORK)
    pods.store = f"local://{pods.folder}/remote"
    return pods


def test_outputs_and_inputs(remote):
    ended = remote.task("work:gen", inputs={"n": 9000})
    assert list(ended.report.outputs["raw"]) == ["ref", "format", "size", "length"]
    node = {"name": "t", "task": "work:total"}
    total = remote.run("task", [node], "t", inputs={"raw": ended.report.outputs["raw"]})
    assert remote.output(total, "total") == sum(range(9000))


def test_items_leave_one_file_and_are_not_run_again(remote):
    nodes = [{"name": "m", "map": {"task": "work:item", "over": {"x": {"range": 1}}}}]
    given = {"over": {"x": {"range": 3}}, "items": "0-2", "per_pod": 3}
    assert remote.run("items", nodes, "m", **given).report.failed_items == "1"
    remote.write("def item(x): raise RuntimeError('must not run')\n")
    assert remote.run("items", nodes, "m", **given).report.items == "0,2"
    from headwater.document.unit import ItemFiles

    found = remote.values.decode(ItemFiles("u1", "m", 3, ((1, "0-2", 3),), "y").to_encoded())
    assert (found[0], str(found[1]), found[2]) == ([0] * 3000, "one", [2] * 3000)


def test_a_unit_goes_on_where_it_was(remote):
    nodes = [
        {"name": "gen", "task": "work:gen", "inputs": {"n": {"value": 9000}}, "outputs": {"raw": {}}},
        {
            "name": "total",
            "task": "work:total",
            "inputs": {"raw": {"from": "gen.raw"}},
            "outputs": {"total": {}},
        },
    ]
    blocks = [{"name": "main", "nodes": nodes}]
    assert remote.run("block", blocks, "", path="b", env={"KILL": "1"}).code == -signal.SIGKILL
    assert remote.output(remote.run("block", blocks, "", path="b"), "total") == sum(range(9000))
    assert (remote.folder / "calls").read_text() == "gen "


@pytest.mark.parametrize("length", [3, 9000])
def test_outputs_are_cached_in_the_store(remote, length):
    """Small ones within their entry, large ones as artifacts beside it."""
    first, again = (remote.task("work:gen", inputs={"n": length}, policy={"cache": "code"}) for _ in range(2))
    assert (first.report.cached, again.report.cached, again.err) == (0, 1, "")
    assert remote.output(again, "raw") == list(range(length))
    assert (remote.folder / "calls").read_text() == "gen "
    other = remote.task("work:gen", inputs={"n": length + 1}, policy={"cache": "code"})
    assert other.report.cached == 0


def test_a_cache_entry_that_is_corrupt_is_computed_again(remote):
    remote.task("work:gen", inputs={"n": 3}, policy={"cache": "code"})
    (entry,) = (remote.folder / "remote" / "cache" / "entries").glob("*/*")
    entry.write_bytes(entry.read_bytes()[:-1])
    again = remote.task("work:gen", inputs={"n": 3}, policy={"cache": "code"})
    assert (again.code, again.report.cached) == (0, 0)
    assert "is corrupt; the node runs again" in again.err


def test_a_store_that_is_not_there(remote):
    remote.store = "nosuch://bucket/place"
    failure = remote.task("work:gen", inputs={"n": 9000}).failure
    assert "the artifact store nosuch://bucket/place cannot be opened" in failure["message"]
