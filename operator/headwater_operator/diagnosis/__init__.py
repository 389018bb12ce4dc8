"""Why things wait and how they ended, in words that say what to do: pure functions over Kubernetes' JSON."""

from headwater_operator.diagnosis.jobs import job_trouble
from headwater_operator.diagnosis.outcome import failure_of, outcome, report_in
from headwater_operator.diagnosis.reading import seconds, started_at
from headwater_operator.diagnosis.refused import create_refused
from headwater_operator.diagnosis.results import container_outputs
from headwater_operator.diagnosis.verdicts import Outcome, Waiting
from headwater_operator.diagnosis.waiting import waiting

__all__ = [
    "Outcome",
    "Waiting",
    "container_outputs",
    "create_refused",
    "failure_of",
    "job_trouble",
    "outcome",
    "report_in",
    "seconds",
    "started_at",
    "waiting",
]
