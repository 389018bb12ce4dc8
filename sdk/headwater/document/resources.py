"""The other kinds: WorkflowTemplate, CronWorkflow and SlurmCluster."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from headwater.document.base import Json, Model
from headwater.document.models import Metadata, TemplateSpec, Workflow, WorkflowSpec
from headwater.document.status import CronWorkflowStatus, SlurmClusterStatus, WorkflowTemplateStatus
from headwater.document.types import CronText, Moment, ResourceName, TimeZone


class WorkflowTemplateSpec(TemplateSpec):
    """A registered flow: what a Workflow says, without its arguments. It cannot be changed afterwards."""

    project: str | None = Field(None, max_length=253, description="The project that registered it.")
    version: int | None = Field(
        None, ge=1, description="Its number: a changed flow is registered under a higher one."
    )
    description: str | None = Field(None, max_length=32_768, description="What it does, for people.")

    @model_validator(mode="after")
    def _has_blocks(self) -> WorkflowTemplateSpec:
        if self.blocks is None:
            raise ValueError("give `blocks`: what the template runs")
        return self


class WorkflowTemplate(Model):
    """A registered flow that Workflows and other templates can name."""

    api_version: Literal["headwater.dev/v1alpha1"]
    kind: Literal["WorkflowTemplate"]
    metadata: Metadata = Field(default_factory=lambda: Metadata())
    spec: WorkflowTemplateSpec = Field(description="What the template runs. It cannot be changed.")
    status: WorkflowTemplateStatus | None = Field(None, description="What the operator says of it.")


class Backfill(Model):
    """A span of the past whose times are started once."""

    from_: Moment = Field(alias="from", description="Its begin, such as 2026-01-31T00:00:00Z.")
    to: Moment = Field(description="Its end, which does not belong to it.")

    @model_validator(mode="after")
    def _forward(self) -> Backfill:
        if self.to <= self.from_:
            raise ValueError("`to` must be later than `from`")
        return self


class RunMetadata(Model):
    """What the runs of a schedule are marked with."""

    labels: dict[str, str] | None = Field(None, max_length=256, description="Labels of each run.")
    annotations: dict[str, str] | None = Field(None, max_length=256, description="Annotations of each run.")


class RunTemplate(Model):
    """The run that a schedule starts."""

    metadata: RunMetadata | None = Field(None, description="Labels and annotations of each run.")
    spec: WorkflowSpec = Field(description="The spec of each run, as of a Workflow.")


class CronWorkflowSpec(Model):
    """When to start runs, and which."""

    schedules: list[CronText] = Field(
        min_length=1,
        max_length=10,
        description='When: cron lines of five fields, such as "*/5 * * * *", or @hourly, @daily, @weekly, @monthly.',
    )
    time_zone: TimeZone | None = Field(
        None,
        description="The zone that the schedules are meant in, such as Europe/Berlin; UTC when left out.",
    )
    concurrency_policy: Literal["Allow", "Forbid", "Replace"] = Field(
        "Allow",
        description="What happens when the last run still goes on. Allow: both run. Forbid: the new one is left "
        "out. Replace: the old one is cancelled.",
    )
    starting_deadline_seconds: int | None = Field(
        None,
        ge=1,
        description="How late a missed time may still be started, in seconds; at any time when left out.",
    )
    suspend: bool | None = Field(None, description="Start nothing while true.")
    successful_runs_history_limit: int = Field(
        3, ge=0, le=10_000, description="How many runs that succeeded are kept."
    )
    failed_runs_history_limit: int = Field(
        1, ge=0, le=10_000, description="How many runs that failed are kept."
    )
    backfill: Backfill | None = Field(None, description="A span of the past whose times are started once.")
    workflow: RunTemplate = Field(description="The run to start.")


class CronWorkflow(Model):
    """Starts runs of a workflow by the clock."""

    api_version: Literal["headwater.dev/v1alpha1"]
    kind: Literal["CronWorkflow"]
    metadata: Metadata = Field(default_factory=lambda: Metadata())
    spec: CronWorkflowSpec = Field(description="When to start runs, and which.")
    status: CronWorkflowStatus | None = Field(None, description="What it has started.")


class SecretRef(Model):
    """A Secret in the same namespace."""

    name: ResourceName = Field(description="The name of the Secret.")


class SlurmClusterSpec(Model):
    """Where a Slurm cluster is and how jobs get there."""

    transport: Literal["rest", "ssh", "local"] = Field(
        description="How jobs are submitted. rest: by slurmrestd. ssh: by sbatch on a login machine. local: by sbatch "
        "in the bridge pod, whose image then has Slurm's commands."
    )
    endpoint: str | None = Field(
        None,
        max_length=4096,
        description="rest: the URL of slurmrestd. ssh: USER@HOST or USER@HOST:PORT of the login machine.",
    )
    secret_ref: SecretRef | None = Field(
        None,
        description="The Secret to log in with. rest: its keys `user`, and `token` or (to make tokens) `key`. ssh: "
        "its keys `id` (a private key) and `known_hosts`.",
    )
    workdir: str = Field(
        min_length=1,
        max_length=4096,
        pattern="^/",
        description="A folder on the cluster that all its machines share: jobs keep their files in it.",
    )
    python: str | None = Field(
        None, max_length=4096, description="The Python on the cluster that has Headwater installed."
    )
    setup: str | None = Field(
        None,
        max_length=32_768,
        description="Shell text that each job runs first, such as `module load python/3.11`.",
    )
    version: str | None = Field(
        None,
        max_length=64,
        description="rest: the version of the API, such as v0.0.40; found out when left out.",
    )
    defaults: dict[str, Json] | None = Field(
        None,
        description="What jobs ask for that do not say otherwise: partition, account, time, qos and so on.",
    )
    poll_seconds: int | None = Field(
        None,
        ge=1,
        le=3600,
        description="The longest time between two looks at the queue: 15 s when left out.",
    )
    grace_seconds: int | None = Field(
        None,
        ge=1,
        le=3600,
        description="How long a result may take to appear on the shared file system: 30 s when left out.",
    )

    @model_validator(mode="after")
    def _reachable(self) -> SlurmClusterSpec:
        if self.transport != "local" and not self.endpoint:
            raise ValueError(f"`transport: {self.transport}` needs an `endpoint`")
        return self


class SlurmCluster(Model):
    """A Slurm cluster that nodes with `executor: slurm` can name."""

    api_version: Literal["headwater.dev/v1alpha1"]
    kind: Literal["SlurmCluster"]
    metadata: Metadata = Field(default_factory=lambda: Metadata())
    spec: SlurmClusterSpec = Field(description="Where the cluster is and how jobs get there.")
    status: SlurmClusterStatus | None = Field(None, description="Whether it can be used.")


KINDS: dict[str, type[Model]] = {
    "Workflow": Workflow,
    "WorkflowTemplate": WorkflowTemplate,
    "CronWorkflow": CronWorkflow,
    "SlurmCluster": SlurmCluster,
}
"""By `kind`: its model."""
