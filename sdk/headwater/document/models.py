"""The Workflow document as models: what may be written where, and what each field means."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from headwater.document.base import Json, Model
from headwater.document.nodes import Node, Policy, Source
from headwater.document.status import WorkflowStatus
from headwater.document.types import Name, PositiveDuration

API_VERSION = "headwater.dev/v1alpha1"


class Input(Model):
    """An input of a block."""

    type: str | None = Field(None, max_length=4096, description="Its type, as for outputs.")
    default: Json = Field(None, description="What it is when nothing is given.")
    required: bool | None = Field(
        None, description="Whether something has to be given; by default when there is no default."
    )
    description: str | None = Field(None, max_length=4096, description="What it means, for people.")
    pickle: str | None = Field(None, description="A default that JSON cannot carry, in base64.")


class Block(Model):
    """Nodes that belong together."""

    name: Name = Field(
        description="The name of the block, unique in the document: letters, digits, '-' and '_', at most 63."
    )
    inputs: dict[str, Input] | None = Field(
        None, max_length=256, description="What has to be given to the block, by name."
    )
    outputs: dict[str, Source] | None = Field(
        None,
        max_length=256,
        description="What the block gives back, by name; by default the union of the end nodes' outputs.",
    )
    placement: Literal["auto", "unit", "nodes"] | None = Field(
        None, description="unit: all nodes in one pod; nodes: one pod each; auto: the compiler decides."
    )
    nodes: list[Node] = Field(
        min_length=1, max_length=10_000, description="The steps, in any order: what they read decides."
    )

    def needed(self) -> list[str]:
        """The inputs that have to be given."""
        return [
            name
            for name, each in (self.inputs or {}).items()
            if each.required is not False and "default" not in each.model_fields_set and each.pickle is None
        ]


_DIGEST = re.compile(r"^sha256:[0-9a-f]{64}\Z")


class TemplateRef(Model):
    """A registered WorkflowTemplate."""

    name: Name = Field(description="The name of the WorkflowTemplate.")
    version: int | None = Field(None, ge=1, description="The version of it that is meant.")


class Code(Model):
    """Where the Python code is."""

    image: str | None = Field(
        None, min_length=1, max_length=1024, description="The image that Python nodes run in."
    )
    config_map: str | None = Field(
        None, max_length=253, description="The ConfigMap with a code bundle, under the key bundle.zip."
    )
    digest: str | None = Field(
        None, max_length=256, description="What the bundle must be: sha256:… of its bytes."
    )
    url: str | None = Field(
        None, max_length=4096, description="Where a bundle lies that is too large for a ConfigMap."
    )
    inline: dict[str, str] | None = Field(
        None,
        max_length=10_000,
        description="Objects by value: pickles in base64. `flowctl compile` writes it.",
    )

    @model_validator(mode="after")
    def _one_bundle(self) -> Code:
        if self.config_map is not None and self.url is not None:
            raise ValueError("give `configMap` or `url`, one of the two")
        if self.digest is not None and not _DIGEST.match(self.digest):
            raise ValueError("`digest` must be sha256: and 64 hexadecimal digits")
        return self


class Semaphore(Model):
    """A limit shared by runs."""

    name: Name = Field(description="The name of the limit; runs of one namespace share it.")
    limit: int = Field(ge=1, description="How many runs may hold it at once.")


class Synchronization(Model):
    """What runs take turns for."""

    mutex: Name | None = Field(None, description="A name that one run of the namespace holds at a time.")
    semaphore: Semaphore | None = Field(None, description="A limit that several runs may hold.")

    @model_validator(mode="after")
    def _one_of_them(self) -> Synchronization:
        if (self.mutex is None) == (self.semaphore is None):
            raise ValueError("give `mutex` or `semaphore`, one of the two")
        return self


class TemplateSpec(Model):
    """What a Workflow and a WorkflowTemplate share."""

    entrypoint: Name | None = Field(
        None, description="The block to start; may be left out when there is one."
    )
    parameters: dict[str, dict[str, Json]] | None = Field(
        None, description="By task: what its `Parameter` targets read."
    )
    code: Code | None = Field(None, description="Where the Python code is: an image, a ConfigMap or a URL.")
    defaults: Policy | None = Field(None, description="Policy for all nodes that do not say otherwise.")
    parallelism: int | None = Field(
        None, ge=1, description="Units running at once. Can be changed while the run goes on."
    )
    fail_fast: bool = Field(
        True,
        description="true: after a failure start nothing new. false: finish every branch that does not need it.",
    )
    timeout: PositiveDuration | None = Field(
        None, description="How long the run may take, such as 90s, 15m, 2h or 1d."
    )
    on_exit: Name | None = Field(
        None,
        description="The block to run at the end, whatever the outcome; its inputs may read run.phase, run.name "
        "and run.failures.",
    )
    suspend: bool | None = Field(
        None, description="Start nothing new while true. Can be changed while the run goes on."
    )
    terminate: Literal["", "Stop", "Cancel"] | None = Field(
        None,
        description="Stop: start nothing more, then run `onExit`. Cancel: also end what runs. Can be set while "
        "the run goes on.",
    )
    ttl_seconds_after_finished: int | None = Field(
        None, ge=0, description="Seconds after its end when the run is deleted; kept when left out."
    )
    priority: int | None = Field(
        None, description="The order among runs that wait for the same limit: higher ones first."
    )
    synchronization: Synchronization | None = Field(None, description="What runs take turns for.")
    service_account_name: str | None = Field(
        None,
        max_length=253,
        description="For pods that need the Kubernetes API; without it they get no token.",
    )
    blocks: list[Block] | None = Field(
        None, min_length=1, max_length=10_000, description="What to run: a flat list, named by each other."
    )


class WorkflowSpec(TemplateSpec):
    """One run: what to run, with which arguments, under which policy.

    After it was created, only `suspend`, `terminate` and `parallelism` can change.
    """

    template: TemplateRef | None = Field(
        None, description="A registered WorkflowTemplate, instead of `blocks`; copied when the run starts."
    )
    arguments: dict[str, Json] | None = Field(
        None, description="The entry block's inputs, by name: any JSON."
    )

    @model_validator(mode="after")
    def _blocks_or_template(self) -> WorkflowSpec:
        if (self.blocks is None) == (self.template is None):
            raise ValueError("give `blocks` or `template`, one of the two")
        return self


class Metadata(BaseModel):
    """Kubernetes' own metadata; only the name matters here."""

    model_config = ConfigDict(extra="allow", frozen=True)
    name: str | None = Field(default=None, max_length=253)
    generateName: str | None = None  # noqa: N815  # Kubernetes' own spelling
    namespace: str | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None


class Workflow(Model):
    """One run of a workflow: what to run, and how far it is."""

    api_version: Literal["headwater.dev/v1alpha1"]
    kind: Literal["Workflow"]
    metadata: Metadata = Field(default_factory=lambda: Metadata())
    spec: WorkflowSpec = Field(description="What to run, with which arguments, under which policy.")
    status: WorkflowStatus | None = Field(None, description="How far the run is. The operator writes it.")
