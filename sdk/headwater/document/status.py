"""What the operator says of a resource: the models of `status`."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from headwater.document.base import Json, Model

Phase = Literal["Pending", "Running", "Suspended", "Succeeded", "Failed", "Cancelled"]


class Status(Model):
    """What all have; fields of a newer operator are no reason to refuse a resource."""

    model_config = ConfigDict(
        extra="ignore", alias_generator=to_camel, frozen=True, hide_input_in_errors=True
    )


class StatusCondition(Status):
    """One thing that is true of a resource, or not."""

    type: str = Field(
        max_length=316, description="What it is about, such as Accepted, Completed or Mirrored."
    )
    status: Literal["True", "False", "Unknown"] = Field(description="Whether it is so.")
    reason: str | None = Field(None, max_length=1024, description="Why, in one word.")
    message: str | None = Field(None, max_length=32_768, description="Why, for people.")
    last_transition_time: str | None = Field(
        None, max_length=64, description="When that last changed.", json_schema_extra={"format": "date-time"}
    )
    observed_generation: int | None = Field(None, description="The generation that this was said of.")


class WorkflowStatus(Status):
    """How far a run is."""

    phase: Phase | None = Field(None, description="Where the run stands as a whole.")
    reason: str | None = Field(
        None, max_length=1024, description="Why, in one word, such as InvalidSpec or NodesFailed."
    )
    message: str | None = Field(
        None, max_length=32_768, description="Why, for people: what failed or waits, and what to do."
    )
    progress: str | None = Field(None, max_length=64, description="Nodes that have ended, of all: 5/7.")
    started_at: str | None = Field(
        None, max_length=64, description="When it started.", json_schema_extra={"format": "date-time"}
    )
    finished_at: str | None = Field(
        None, max_length=64, description="When it ended.", json_schema_extra={"format": "date-time"}
    )
    observed_generation: int | None = Field(
        None, description="The generation of the spec that was seen last."
    )
    conditions: list[StatusCondition] | None = Field(
        None,
        max_length=32,
        description="Accepted: the spec can run. Completed: it ended. Mirrored: it is recorded.",
    )
    outputs: dict[str, Json] | None = Field(
        None,
        description="The entry block's outputs: the JSON value of each, or a reference where it is large.",
    )
    nodes: dict[str, Json] | None = Field(
        None,
        description="By path: {phase, attempts, at: [created, queue s, run s]} of each node and, where there is "
        "something to say, items, waiting, message and error.",
    )
    engine: str | None = Field(
        None, max_length=1_400_000, description="The operator's own notes about the run, compressed."
    )
    settled: Literal["", "true"] | None = Field(
        None, description="true when the run has ended, is recorded, and nothing is left to do."
    )


class WorkflowTemplateStatus(Status):
    """What the operator says of a template."""

    observed_generation: int | None = Field(
        None, description="The generation of the spec that was seen last."
    )
    conditions: list[StatusCondition] | None = Field(
        None, max_length=32, description="Accepted: whether the template can run."
    )


class CronWorkflowStatus(Status):
    """What a schedule has started."""

    last_schedule_time: str | None = Field(
        None,
        max_length=64,
        json_schema_extra={"format": "date-time"},
        description="The last time that was due and started.",
    )
    next_schedule_time: str | None = Field(
        None,
        max_length=64,
        json_schema_extra={"format": "date-time"},
        description="The next time that will be due.",
    )
    active: list[str] | None = Field(
        None, max_length=1000, description="Runs of it that have not ended, by name."
    )
    backfilled_to: str | None = Field(
        None,
        max_length=64,
        json_schema_extra={"format": "date-time"},
        description="Up to when the times of `backfill` have been started.",
    )
    message: str | None = Field(
        None, max_length=32_768, description="What stands in its way, and what to do."
    )
    observed_generation: int | None = Field(
        None, description="The generation of the spec that was seen last."
    )
    conditions: list[StatusCondition] | None = Field(
        None, max_length=32, description="Accepted: whether the schedule and its workflow can run."
    )


class SlurmClusterStatus(Status):
    """Whether a Slurm cluster can be used."""

    phase: Literal["Unknown", "Ready", "Unreachable", "Invalid"] | None = Field(
        None, description="Whether jobs can be submitted."
    )
    message: str | None = Field(None, max_length=32_768, description="Why not, and what to do.")
    version: str | None = Field(None, max_length=256, description="The Slurm that answered last.")
    partitions: list[str] | None = Field(None, max_length=1000, description="The partitions that it has.")
    last_seen: str | None = Field(
        None,
        max_length=64,
        json_schema_extra={"format": "date-time"},
        description="When it answered last: it is asked when it is new or changed, and while runs use it.",
    )
    observed_generation: int | None = Field(
        None, description="The generation of the spec that was seen last."
    )
    conditions: list[StatusCondition] | None = Field(
        None, max_length=32, description="Ready: whether jobs can be submitted."
    )
