"""The Workflow document as models: what may be written where, and what each field means."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema, model_validator
from pydantic.alias_generators import to_camel

from headwater.document.types import Duration, Name, References, TaskRef, Tolerance, wrong

API_VERSION = "headwater.dev/v1alpha1"
KINDS = (
    "task", "container", "call", "map", "loop", "iterate", "condition", "merge", "race", "suspend",
)  # fmt: skip


class Model(BaseModel):
    """Every part of a document: camelCase names, no unknown fields."""

    model_config = ConfigDict(
        extra="forbid", alias_generator=to_camel, frozen=True, hide_input_in_errors=True
    )


Json = Any


class Source(Model):
    """Where a value comes from: another node, an input of the block, a fact about the run, or a literal."""

    from_: References | None = Field(
        None,
        alias="from",
        description="NODE.OUTPUT, inputs.NAME, run.name, run.phase or run.failures; of several, the live one.",
    )
    value: Json = Field(None, description="A literal: any JSON.")
    range: int | None = Field(None, ge=0, description="The numbers from 0 up to, but without, this one.")
    pickle: str | None = Field(None, description="A Python constant that JSON cannot carry, in base64.")

    @model_validator(mode="after")
    def _exactly_one(self) -> Source:
        if len(self.model_fields_set) != 1:
            raise ValueError("give one of `from`, `value` or `range`")
        return self


def _source_or_json(value: Any) -> Any:
    """`initial` takes plain JSON too; what looks like a source is checked as one."""
    if isinstance(value, dict) and set(value) & {"from", "pickle"}:
        return Source.model_validate(value)
    return value


Initial = Annotated[
    Any, PlainValidator(_source_or_json), WithJsonSchema({"x-kubernetes-preserve-unknown-fields": True})
]


class Output(Model):
    """A declared output."""

    type: str | None = Field(
        None, description="Its type: int, float, str, bool, list, dict, or a Python type."
    )


class Input(Model):
    """An input of a block."""

    type: str | None = Field(None, description="Its type, as for outputs.")
    default: Json = Field(None, description="What it is when nothing is given.")
    required: bool | None = Field(
        None, description="Whether something has to be given; by default without a default."
    )
    description: str | None = None
    pickle: str | None = Field(None, description="A default that JSON cannot carry, in base64.")


class Backoff(Model):
    """How long to wait before a retry."""

    initial: Duration = Field("0s", description="Before the first retry.")
    factor: float = Field(2.0, ge=1, description="How much longer each time.")
    max: Duration = Field("5m", description="Never longer than this.")


ErrorClassName = Literal["Error", "Oom", "Preempted", "Timeout", "Infrastructure"]


class Retry(Model):
    """How often, and after which kinds of failure, to try again."""

    limit: int = Field(0, ge=0, le=1000, description="Retries: attempts are one more.")
    classes: list[ErrorClassName] | None = Field(None, description="Failures to retry after; all by default.")
    backoff: Backoff | None = None
    oom_factor: float | None = Field(None, ge=1, description="Memory of a retry after Oom, as a factor.")


class Test(Model):
    """A question about one value."""

    __test__: ClassVar[bool] = False
    input: Source
    operator: Literal["in", "notIn", "exists"] = "exists"
    values: list[Json] | None = Field(None, max_length=256)


class Policy(Model):
    """What can be said of every node, or of all of them in `defaults`."""

    retry: Retry | None = None
    timeout: Duration | None = Field(None, description="How long one attempt may run.")
    queue_timeout: Duration | None = Field(None, description="How long it may wait to start.")
    cache: Literal["off", "inputs", "code"] | None = Field(
        None, description="Whether outputs are reused: when inputs, or inputs and code, are the same."
    )
    resources: dict[str, Json] | None = Field(None, description="As a container's resources in Kubernetes.")
    image: str | None = Field(None, description="The image to run in, instead of the workflow's.")
    executor: Literal["pod", "slurm"] | None = None
    slurm: dict[str, Json] | None = Field(None, description="cluster, partition, account, time and so on.")
    continue_on_failure: bool | None = Field(None, description="Its failure does not fail the run.")
    pod_template: dict[str, Json] | None = Field(None, description="Merged into the Pod by strategic merge.")
    node_selector: dict[str, str] | None = None
    tolerations: list[dict[str, Json]] | None = None
    affinity: dict[str, Json] | None = None
    priority_class_name: str | None = None
    image_pull_secrets: list[dict[str, str]] | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    queue: str | None = Field(None, description="A Kueue LocalQueue.")


class Container(Model):
    """Any program in any image; the fields are Kubernetes' own."""

    image: str = Field(min_length=1)
    command: list[str] | None = None
    args: list[str] | None = None
    env: list[dict[str, Json]] | None = None
    env_from: list[dict[str, Json]] | None = None
    volume_mounts: list[dict[str, Json]] | None = None
    resources: dict[str, Json] | None = None
    security_context: dict[str, Json] | None = None
    working_dir: str | None = None
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = None


class Call(Model):
    """A block, or a registered template, as one node."""

    block: Name | None = None
    template: Name | None = None
    version: int | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _one_of_them(self) -> Call:
        if (self.block is None) == (self.template is None):
            raise ValueError("give `block` or `template`, one of the two")
        return self


class Map(Model):
    """One item for each element of a sequence; several sequences are zipped."""

    task: TaskRef | None = None
    container: Container | None = None
    call: Call | None = None
    over: dict[str, Source] = Field(min_length=1, max_length=64)
    items_per_pod: int | None = Field(None, ge=1)
    parallelism: int | None = Field(None, ge=1, description="Items running at once.")
    tolerate: Tolerance = Field(0, description='How many items may fail: a number, "10%" or "all".')
    collect: Literal["flat", "items", "none"] = Field(
        "flat", description="A list for each output, one list of items, or nothing."
    )
    output_name: str | None = Field(None, description="The name of the list with `collect: items`.")

    @model_validator(mode="after")
    def _checks(self) -> Map:
        kinds = [name for name in ("task", "container", "call") if getattr(self, name) is not None]
        if len(kinds) != 1:
            raise ValueError("give one of `task`, `container` or `call`: what runs for each item")
        if self.container is not None and (self.items_per_pod or 1) > 1:
            raise ValueError("`itemsPerPod` above 1 needs a Python task or a block, not a container")
        lengths = {
            name: length for name, source in self.over.items() if (length := _length(source)) is not None
        }
        if len(set(lengths.values())) > 1:
            listed = ", ".join(f"{name!r} has {length}" for name, length in lengths.items())
            raise ValueError(f"zipped sequences must have one length: {listed}")
        return self


def _length(source: Source) -> int | None:
    if source.range is not None:
        return source.range
    return len(source.value) if isinstance(source.value, list) else None


class Loop(Model):
    """A block again and again."""

    block: Name
    iterations: int | None = Field(None, ge=0)
    forever: Literal[True] | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Loop:
        if (self.iterations is None) == (self.forever is None):
            raise ValueError("give `iterations: N` or `forever: true`, one of the two")
        return self


class TaskOnly(Model):
    """A Python function."""

    task: TaskRef


class Iterate(Model):
    """A block whose outputs are the inputs of its next pass."""

    block: Name
    max_iterations: int = Field(ge=1)
    until: TaskOnly | None = Field(None, description="A function of the outputs; true ends the iteration.")
    initial: dict[str, Initial] | None = Field(None, description="The fed-back inputs of the first pass.")


class Condition(Model):
    """A question that is decided once; nodes with `branch` follow it."""

    task: TaskRef | None = None
    input: Source | None = None
    operator: Literal["in", "notIn", "exists"] | None = None
    values: list[Json] | None = Field(None, max_length=256)

    @model_validator(mode="after")
    def _one_of_them(self) -> Condition:
        if (self.task is None) == (self.input is None):
            raise ValueError("give `task`, or `input` with `operator` and `values`")
        if self.operator in ("in", "notIn") and self.values is None:
            raise ValueError(f"`operator: {self.operator}` needs `values`")
        return self


class Merge(Model):
    """Passes on the one live branch among those that it depends on."""


class Race(Model):
    """All blocks start; the first to succeed wins and the rest are cancelled."""

    blocks: list[Name] = Field(min_length=2, max_length=64)


class Approval(Model):
    """Wait for a person."""

    message: str = ""
    timeout: Duration | None = None


class Suspend(Model):
    """Wait for a time, or for a person."""

    duration: Duration | None = None
    approval: Approval | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Suspend:
        if (self.duration is None) == (self.approval is None):
            raise ValueError("give `duration` or `approval`, one of the two")
        return self


class Branch(Model):
    """Which side of a condition the node stands on."""

    of: Name
    when: bool


class Dependency(Model):
    """Order without data, or a reaction to an outcome."""

    node: Name
    outcome: Literal["succeeded", "failed", "finished"] = "succeeded"


def upstream_of(dependency: str | Dependency) -> str:
    """The node that is waited for."""
    return dependency if isinstance(dependency, str) else dependency.node


def _dependency(value: Any) -> str | Dependency:
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return Dependency.model_validate(value)
    raise wrong("the name of a node, or {node, outcome}", value)


DependsOn = Annotated[
    str | Dependency,
    PlainValidator(_dependency),
    WithJsonSchema({"anyOf": [{"type": "string"}, Dependency.model_json_schema(by_alias=True)]}),
]


class Artifact(Model):
    """A file that a container leaves behind."""

    path: str
    url: str | None = None


class Node(Policy):
    """One step of a block: a name, exactly one kind, and policy."""

    name: Name
    task: TaskRef | None = Field(None, description='A Python task or function, "module:name".')
    container: Container | None = None
    call: Call | None = None
    map: Map | None = None
    loop: Loop | None = None
    iterate: Iterate | None = None
    condition: Condition | None = None
    merge: Merge | None = None
    race: Race | None = None
    suspend: Suspend | None = None
    inputs: dict[str, Source] | None = Field(None, max_length=256)
    outputs: dict[str, Output] | None = Field(None, max_length=256)
    depends_on: list[DependsOn] | None = Field(None, max_length=1024)
    branch: Branch | None = None
    when: Test | None = Field(None, description="When it does not hold, the node is skipped.")
    artifacts: dict[str, Artifact] | None = None

    @model_validator(mode="after")
    def _exactly_one_kind(self) -> Node:
        kinds = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(kinds) != 1:
            found = f"has {' and '.join(f'`{kind}`' for kind in kinds)}" if kinds else "has no kind"
            raise ValueError(f"node {self.name!r} {found}: give it one of {', '.join(KINDS)}")
        if self.merge is not None and not self.depends_on:
            raise ValueError(f"merge {self.name!r} needs `dependsOn`: the branches that it brings together")
        if self.artifacts and self.container is None:
            raise ValueError("`artifacts` are for container nodes; a Python task returns its values")
        return self


class Block(Model):
    """Nodes that belong together."""

    name: Name
    inputs: dict[str, Input] | None = Field(None, max_length=256)
    outputs: dict[str, Source] | None = Field(
        None, max_length=256, description="By default the union of the end nodes' outputs."
    )
    placement: Literal["auto", "unit", "nodes"] | None = Field(
        None, description="unit: all nodes in one pod; nodes: one pod each; auto: the compiler decides."
    )
    nodes: list[Node] = Field(min_length=1, max_length=10_000)


class TemplateRef(Model):
    """A registered WorkflowTemplate."""

    name: Name
    version: int | None = Field(None, ge=1)


class Code(Model):
    """Where the Python code is."""

    image: str | None = None
    config_map: str | None = None
    digest: str | None = None
    url: str | None = None
    inline: dict[str, str] | None = Field(None, description="Objects by value: pickles in base64.")


class Semaphore(Model):
    """A limit shared by runs."""

    name: Name
    limit: int = Field(ge=1)


class Synchronization(Model):
    """What runs take turns for."""

    mutex: Name | None = None
    semaphore: Semaphore | None = None

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
        None, description="By task: what `Parameter` targets read."
    )
    code: Code | None = None
    defaults: Policy | None = Field(None, description="Policy for all nodes.")
    parallelism: int | None = Field(None, ge=1, description="Units running at once.")
    fail_fast: bool = Field(True, description="After a failure start nothing new.")
    timeout: Duration | None = Field(None, description="How long the run may take.")
    on_exit: Name | None = Field(None, description="The block to run at the end, whatever the outcome.")
    suspend: bool | None = Field(None, description="Start nothing new while true.")
    terminate: Literal["", "Stop", "Cancel"] | None = Field(
        None, description="Stop: start nothing more. Cancel: also end what runs."
    )
    ttl_seconds_after_finished: int | None = Field(None, ge=0)
    priority: int | None = None
    synchronization: Synchronization | None = None
    service_account_name: str | None = None
    blocks: list[Block] | None = Field(None, min_length=1, max_length=1000)


class WorkflowSpec(TemplateSpec):
    """One run: what to run, with which arguments, under which policy."""

    template: TemplateRef | None = Field(None, description="A WorkflowTemplate, instead of `blocks`.")
    arguments: dict[str, Json] | None = Field(None, description="The entry block's inputs.")

    @model_validator(mode="after")
    def _blocks_or_template(self) -> WorkflowSpec:
        if (self.blocks is None) == (self.template is None):
            raise ValueError("give `blocks` or `template`, one of the two")
        return self


class Metadata(BaseModel):
    """Kubernetes' own metadata; only the name matters here."""

    model_config = ConfigDict(extra="allow", frozen=True)
    name: str | None = None
    generateName: str | None = None  # noqa: N815  # Kubernetes' own spelling
    namespace: str | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None


class Workflow(Model):
    """One run of a workflow."""

    api_version: Literal["headwater.dev/v1alpha1"]
    kind: Literal["Workflow"]
    metadata: Metadata = Field(default_factory=lambda: Metadata())
    spec: WorkflowSpec
    status: dict[str, Json] | None = None
