"""Two jobs of one name, as when the connection is cut in the middle of a submission and both come through: each task
is done once, and whoever follows one of them sees how it went, whichever of them does it.
"""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from headwater.engine.graph import ErrorClass
from headwater.slurm.cluster import Cluster
from headwater.slurm.follow import Done, Ended, Follower, Seen
from headwater.slurm.states import ACTIVE
from headwater.slurm.submitting import find_or_cancel_others
from headwater.slurm.transport import Transport

from tests.slurm.jobs import cluster_by, job, unique, until
from tests.slurm.places import Slot

GRACE_SECONDS = 0.5
ONCE = "echo x >> $HEADWATER_SLURM_AT.ran; "
SLOWLY = ONCE + "sleep 4; echo ok > $HEADWATER_SLURM_AT.done"


@pytest.fixture
def local(slurm: Slot, tmp_path: Path) -> Cluster:
    return cluster_by("local", slurm, tmp_path, tmp_path)


@pytest.fixture
def transport(local: Cluster) -> Transport:
    return local.open()


def _follow(local: Cluster, tmp_path: Path, name: str, job: int, tasks: int) -> list[Seen]:
    """How tasks end, as a follower sees it to the end."""
    out = str(tmp_path / "out")
    with closing(local.open()) as transport:
        follower = Follower(
            transport, local.files(), out, time.monotonic, poll_seconds=0.5, grace_seconds=GRACE_SECONDS
        )
        follower.follow(name, job, range(tasks))
        seen: list[Seen] = []

        def look() -> bool:
            seen.extend(follower.look())
            return not follower.jobs

        until(look)
    return [each for each in seen if isinstance(each, Done | Ended)]


def _are_over(transport: Transport, *jobs: int) -> bool:
    return all(record.state not in ACTIVE for record in transport.records(list(jobs)))


def test_a_task_that_the_other_job_is_at_is_waited_for(
    local: Cluster, transport: Transport, tmp_path: Path
) -> None:
    name = unique("twins")
    wanted = job(tmp_path, name, SLOWLY, "0-1", mem="100M")
    quicker = transport.submit(wanted)
    until(lambda: len(list((tmp_path / "out").glob("*.claim"))) == 2)
    followed = transport.submit(wanted)
    assert _follow(local, tmp_path, name, followed, 2) == [Done(name, 0), Done(name, 1)]
    until(lambda: _are_over(transport, quicker, followed))
    assert {file.read_text() for file in (tmp_path / "out").glob("*.ran")} == {"x\n"}


def test_how_the_other_job_ended_is_how_the_task_ended(
    local: Cluster, transport: Transport, tmp_path: Path
) -> None:
    name = unique("twins-die")
    wanted = job(tmp_path, name, ONCE + "sleep 2; exit 9")
    quicker = transport.submit(wanted)
    until(lambda: (tmp_path / "out" / f"{name}.0.claim").exists())
    followed = transport.submit(wanted)
    [ended] = _follow(local, tmp_path, name, followed, 1)
    assert isinstance(ended, Ended)
    assert ended.cause.error_class is ErrorClass.ERROR
    assert f"exited with code 9 (Slurm job {quicker}" in ended.cause.message


def test_of_both_the_one_that_has_begun_is_kept_and_one_that_only_waits_is_cancelled(
    transport: Transport, tmp_path: Path
) -> None:
    name = unique("kept")
    blocker = transport.submit(job(tmp_path, unique("blocker"), "sleep 60"))
    wanted = job(tmp_path, name, SLOWLY)
    waits = transport.submit(replace(wanted, after=(blocker,)))
    begun = transport.submit(wanted)
    until(lambda: (tmp_path / "out" / f"{name}.0.claim").exists())
    assert find_or_cancel_others(transport, name) == begun
    until(lambda: _are_over(transport, waits))
    until(lambda: (tmp_path / "out" / f"{name}.0.done").exists())
    transport.cancel([str(blocker)])
    until(lambda: _are_over(transport, blocker, begun))
