"""Slurm jobs that nobody waits for any more: a pod for each cancels it, and the Workflow stays until that is done."""

from __future__ import annotations

import logging

from headwater_operator.builders import CANCEL, BuildSettings, cancel_name, cancel_pod
from headwater_operator.diagnosis import waiting
from headwater_operator.kube.api import ApiError
from headwater_operator.run.cluster import Cluster
from headwater_operator.run.memory import Run

logger = logging.getLogger("headwater.operator.run")


async def cancel_jobs(cluster: Cluster, settings: BuildSettings, run: Run) -> None:
    """Create the pods that cancel what the run wants cancelled; those that are there already stay."""
    for job, (path, slurm, tasks) in run.cancels.items():
        name = cancel_name(run.context, path, job)
        if name in run.created:
            continue
        try:
            await cluster.create(cancel_pod(run.context, settings, path, job, slurm, tasks))
        except ApiError as error:
            if error.status == 0 or error.status >= 500:
                raise
            where = {"run": run.key[1], "namespace": run.key[0]}
            logger.warning("Slurm job %s cannot be cancelled yet: %s", job, error, extra=where)
            continue
        run.created.add(name)


def let_go(run: Run) -> None:
    """The run is to go: all that runs of it on Slurm is to be cancelled."""
    for name in list(run.expected):
        run.drop_pod(name)
    for name in list(run.jobs):
        run.drop_job(name)


def all_cancelled(cluster: Cluster, run: Run) -> bool:
    """Whether every job that was to be cancelled is: not while one of the pods has yet to do it."""
    if any(cancel_name(run.context, path, job) not in run.created for job, (path, *_) in run.cancels.items()):
        return False
    pods = [pod for pod in cluster.pods_of_run(run.uid) if pod.stage == CANCEL and not pod.ended]
    # One that can never start (an image that is not there) holds nothing up: its job is an orphan, and the log says so.
    return all((found := waiting(pod.raw)) is not None and found.hopeless for pod in pods)
