"""Versions of slurmrestd that the test cluster's Slurm does not speak, as a real Slurm 24.11.5 has answered."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from headwater.slurm.directives import Directives
from headwater.slurm.errors import NotAllowed, SlurmAway, SlurmError, SlurmRefused
from headwater.slurm.rest import RestTransport
from headwater.slurm.rest_shapes import record_of
from headwater.slurm.states import ACTIVE
from headwater.slurm.tokens import Minted
from headwater.slurm.transport import Job

from tests.slurm.recorded_rest import VERSIONS, Recorded, recorded

ARRAY = Job(
    "hw-recorded", "#!/bin/bash\n", "/hw/work", "/dev/null",
    Directives(time=5, mem=100, cpus_per_task=2, ntasks=1, nodes=1, partition="debug", gres="gpu:1"),
    array="0-7", parallelism=1, comment="headwater fit", environment={"A": "b c"},
)  # fmt: skip


@pytest.fixture(params=VERSIONS)
def there(request: pytest.FixtureRequest) -> Iterator[Recorded]:
    with recorded(request.param) as served:
        yield served


@pytest.fixture
def transport(there: Recorded) -> Iterator[RestTransport]:
    with closing(RestTransport(f"http://127.0.0.1:{there.port}", Minted("root", b"k"))) as opened:
        yield opened


def test_a_job_is_submitted_in_the_shapes_that_the_version_takes(
    transport: RestTransport, there: Recorded
) -> None:
    assert transport.submit(ARRAY) > 0
    request, body = there.sent[-1]
    assert request == "POST job/submit"
    assert body["script"] == ARRAY.script
    job = body["job"]
    assert sorted(job.pop("environment")) == ["A=b c", "PATH=/usr/local/bin:/usr/bin:/bin"]
    assert job == {
        "name": "hw-recorded", "current_working_directory": "/hw/work", "standard_output": "/dev/null",
        "requeue": False, "comment": "headwater fit", "array": "0-7%1", "partition": "debug",
        "time_limit": {"set": True, "number": 5}, "memory_per_node": {"set": True, "number": 100},
        "cpus_per_task": 2, "tasks": 1, "nodes": "1", "tres_per_node": "gres:gpu:1",
    }  # fmt: skip


def test_tasks_are_told_of_whether_they_wait_run_or_have_ended(
    transport: RestTransport, there: Recorded
) -> None:
    waits, runs = sorted(transport.records([1]), key=lambda record: record.task)
    assert (waits.task, waits.state, waits.tasks) == (-1, "PENDING", frozenset(range(1, 8)))
    assert (runs.task, runs.state, runs.name) == (0, "RUNNING", "hw-recorded")
    assert runs.job == waits.job
    assert transport.find("hw-recorded") == [runs.job]
    there.instead["GET job/N"] = "job ended"
    ended = {record.task: record for record in transport.records([1])}
    assert {task: (record.state, record.exit_code) for task, record in ended.items()} == {
        0: ("COMPLETED", 0), 1: ("FAILED", 1),
    }  # fmt: skip
    assert ended[1].comment == "headwater fit"
    there.instead["GET job/N"] = "job cancelled"
    assert {record.state for record in transport.records([1])} == {"CANCELLED"}


def test_the_cluster_is_described(transport: RestTransport) -> None:
    site = transport.site()
    assert (site.version, sorted(site.partitions)) == ("24.11", ["debug", "short"])
    debug, short = site.partitions["debug"], site.partitions["short"]
    assert (debug.cpus, debug.memory, debug.max_minutes, short.max_minutes) == (4, 4000, 1440, 1)


def test_how_many_tasks_run_at_once_is_changed(transport: RestTransport, there: Recorded) -> None:
    transport.limit(17, 3)
    assert there.sent[-1] == ("POST job/17", {"array": "3"})
    there.instead["POST job/N"] = "limit unknown"
    transport.limit(17, 3)  # it is over: nothing happens


def test_what_is_over_or_unknown_is_no_trouble(transport: RestTransport, there: Recorded) -> None:
    there.instead |= {"DELETE job/N": "cancel unknown", "GET job/N": "job unknown"}
    transport.cancel(["17", "17_3"])
    assert transport.records([17]) == []


def test_a_refusal_says_why(transport: RestTransport, there: Recorded) -> None:
    there.instead["POST job/submit"] = "submit refused"
    with pytest.raises(SlurmRefused, match="Invalid partition name specified"):
        transport.submit(ARRAY)


def test_a_controller_that_is_away_is_no_refusal(transport: RestTransport, there: Recorded) -> None:
    there.instead |= {"GET ping": "away ping", "POST job/submit": "away submit", "GET jobs": "away jobs"}
    with pytest.raises(SlurmAway, match="Unable to contact slurm controller"):
        transport.submit(ARRAY)
    with pytest.raises(SlurmAway, match="Unable to contact slurm controller"):
        transport.find("hw-recorded")


def test_a_token_that_has_ended_is_said_to_have(transport: RestTransport, there: Recorded) -> None:
    there.instead["GET jobs"] = "expired"
    with pytest.raises(NotAllowed, match=r"does not accept the token of 'root'.*scontrol token"):
        transport.find("hw-recorded")


def test_the_newest_version_of_both_sides_is_spoken() -> None:
    with recorded("v0.0.99") as strange:
        transport = RestTransport(f"http://127.0.0.1:{strange.port}", Minted("root", b"k"))
        with closing(transport), pytest.raises(SlurmError, match=r"speaks none of v0\.0\.38, v0\.0\.39.*"):
            transport.find("x")


def test_flags_and_numbers_of_any_version_are_read() -> None:
    old = {"job_id": 7, "array_job_id": 0, "job_state": "RUNNING", "exit_code": 256, "restart_cnt": 2}
    assert (record_of(old).state, record_of(old).exit_code, record_of(old).restarts) == ("RUNNING", 1, 2)
    between = {
        "job_id": 7, "array_job_id": {"set": True, "infinite": False, "number": 5},
        "array_task_id": {"set": True, "infinite": False, "number": 2}, "job_state": "FAILED",
        "exit_code": {"status": "SIGNALED", "return_code": 0, "signal": {"signal_id": 9, "name": "KILL"}},
    }  # fmt: skip
    record = record_of(between)  # as 0.0.39 writes it
    assert (record.job, record.task, record.state, record.signal) == (5, 2, "FAILED", 9)
    ending = record_of({"job_id": 7, "job_state": ["FAILED", "COMPLETING"]})
    assert ending.state in ACTIVE
