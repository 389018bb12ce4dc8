"""The models of nodes: what a step can be, and the policy that can be said of it."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema, model_validator

from headwater.document.base import Json, Model
from headwater.document.types import (
    Duration,
    Name,
    PositiveDuration,
    References,
    TaskRef,
    Tolerance,
    wrong,
)

KINDS = (
    "task", "container", "call", "map", "loop", "iterate", "condition", "merge", "race", "suspend",
)  # fmt: skip
_KINDS = frozenset(KINDS)


class Source(Model):
    """Where a value comes from: another node, an input of the block, a fact about the run, or a literal."""

    from_: References | None = Field(
        None,
        alias="from",
        description="NODE.OUTPUT, inputs.NAME, run.name, run.phase or run.failures; of several, the live one.",
    )
    value: Json = Field(None, description="A literal: any JSON.")
    range: int | None = Field(
        None, ge=0, le=10_000_000, description="The numbers from 0 up to, but without, this one."
    )
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


Initial = Annotated[Any, PlainValidator(_source_or_json), WithJsonSchema({})]


class Output(Model):
    """A declared output."""

    type: str | None = Field(
        None,
        max_length=4096,
        description="Its type: int, float, str, bool, list, dict, or a Python type such as list[int].",
    )


class Backoff(Model):
    """How long to wait before a retry."""

    initial: Duration = Field("0s", description="How long to wait before the first retry.")
    factor: float = Field(2.0, ge=1, description="How many times longer each further wait is.")
    max: Duration = Field("5m", description="No wait is longer than this.")


ErrorClassName = Literal["Error", "Oom", "Preempted", "Timeout", "Infrastructure"]


class Retry(Model):
    """How often, and after which kinds of failure, to try again."""

    limit: int = Field(0, ge=0, le=1000, description="How many retries: attempts are one more.")
    classes: list[ErrorClassName] | None = Field(
        None,
        max_length=16,
        description="Kinds of failure to retry after, all when left out. Error: an exception or an exit code. "
        "Oom: over memory. Timeout: over its time. Preempted and Infrastructure: lost with its machine; those "
        "are retried 5 times without counting unless they are named here.",
    )
    backoff: Backoff | None = Field(None, description="How long to wait before each retry.")
    oom_factor: float | None = Field(
        None, ge=1, description="How many times more memory a retry after Oom asks for; 1.5 when left out."
    )


class Test(Model):
    """A question about one value."""

    __test__: ClassVar[bool] = False
    input: Source = Field(description="The value that is asked about.")
    operator: Literal["in", "notIn", "exists"] = Field(
        "exists", description="in or notIn: whether it is one of `values`. exists: whether there is one."
    )
    values: list[Json] | None = Field(None, max_length=256, description="What it is compared with.")


def _cache(value: Any) -> Any:
    """An unquoted `off` is false to the YAML readers of Kubernetes' tools."""
    return "off" if value is False else value


CacheMode = Annotated[
    Literal["off", "inputs", "code"],
    BeforeValidator(_cache),
    WithJsonSchema({"enum": ["off", "inputs", "code", False]}),
]


class Policy(Model):
    """What can be said of every node, or of all of them in `defaults`."""

    retry: Retry | None = Field(None, description="How often, and after what, to try again.")
    timeout: PositiveDuration | None = Field(
        None, description="How long one attempt may run, such as 90s, 15m, 2h or 1d."
    )
    queue_timeout: PositiveDuration | None = Field(
        None, description="How long it may wait to start, such as 10m."
    )
    cache: CacheMode | None = Field(
        None,
        description="Whether outputs of an earlier run are taken instead: `inputs`, when the inputs are the same; "
        "`code`, when the code is the same too; `off`, never.",
    )
    resources: dict[str, Json] | None = Field(
        None, description='As of a container in Kubernetes: {requests: {cpu: "1"}, limits: {memory: 2Gi}}.'
    )
    image: str | None = Field(
        None, min_length=1, max_length=1024, description="The image to run in, instead of the workflow's."
    )
    executor: Literal["pod", "slurm"] | None = Field(
        None,
        description="pod: as a pod here. slurm: as a job of the SlurmCluster that `slurm.cluster` names.",
    )
    slurm: dict[str, Json] | None = Field(
        None,
        description="What a Slurm job asks for: cluster, partition, account, time, qos, mem, cpusPerTask, gres "
        "and others, as sbatch's options are called.",
    )
    continue_on_failure: bool | None = Field(
        None, description="Whether the run goes on, and can succeed, when this fails."
    )
    pod_template: dict[str, Json] | None = Field(
        None, description="Merged into the Pod by strategic merge, as `kubectl patch` does."
    )
    node_selector: dict[str, str] | None = Field(
        None, max_length=64, description="Labels that the machine must have."
    )
    tolerations: list[dict[str, Json]] | None = Field(
        None, max_length=64, description="Taints of machines that are accepted, as of a Pod."
    )
    affinity: dict[str, Json] | None = Field(None, description="Rules about machines, as of a Pod.")
    priority_class_name: str | None = Field(
        None, max_length=253, description="The PriorityClass of its pods."
    )
    image_pull_secrets: list[dict[str, str]] | None = Field(
        None, max_length=64, description="Secrets to pull images with: [{name: registry}]."
    )
    labels: dict[str, str] | None = Field(None, max_length=256, description="Labels of its pods.")
    annotations: dict[str, str] | None = Field(None, max_length=256, description="Annotations of its pods.")
    queue: str | None = Field(None, max_length=253, description="The Kueue LocalQueue that admits its pods.")


class Container(Model):
    """Any program in any image; the fields are Kubernetes' own."""

    image: str = Field(min_length=1, max_length=1024, description="The image to run.")
    command: list[str] | None = Field(
        None,
        max_length=4096,
        description="The program, instead of the image's entrypoint. $(INPUT_X) stands for the input x.",
    )
    args: list[str] | None = Field(
        None, max_length=4096, description="Its arguments. $(INPUT_X) stands for the input x."
    )
    env: list[dict[str, Json]] | None = Field(
        None, max_length=4096, description="Environment variables: [{name: A, value: b}], or with valueFrom."
    )
    env_from: list[dict[str, Json]] | None = Field(
        None, max_length=256, description="ConfigMaps and Secrets to take environment variables from."
    )
    volume_mounts: list[dict[str, Json]] | None = Field(
        None, max_length=256, description="Where volumes of `podTemplate` appear: [{name, mountPath}]."
    )
    resources: dict[str, Json] | None = Field(
        None, description='What it asks for and may use: {requests: {cpu: "1"}, limits: {memory: 2Gi}}.'
    )
    security_context: dict[str, Json] | None = Field(
        None,
        description="User, capabilities and so on. Privileged ones are refused unless the operator allows them.",
    )
    working_dir: str | None = Field(None, max_length=4096, description="The folder it starts in.")
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = Field(
        None, description="When the image is pulled."
    )


class Call(Model):
    """A block, or a registered template, as one node."""

    block: Name | None = Field(None, description="The block of this document to run.")
    template: Name | None = Field(None, description="The WorkflowTemplate of this namespace to run.")
    version: int | None = Field(
        None, ge=1, description="The version of the template that is meant; whichever is there when left out."
    )

    @model_validator(mode="after")
    def _one_of_them(self) -> Call:
        if (self.block is None) == (self.template is None):
            raise ValueError("give `block` or `template`, one of the two")
        return self


class Map(Model):
    """One item for each element of a sequence; several sequences are zipped."""

    task: TaskRef | None = Field(None, description='A Python task or function for each item, "module:name".')
    container: Container | None = Field(None, description="A program for each item.")
    call: Call | None = Field(None, description="A block or template for each item.")
    over: dict[str, Source] = Field(
        min_length=1, max_length=64, description="By input: the sequence that it takes its elements from."
    )
    items_per_pod: int | None = Field(
        None, ge=1, description="Items that one pod runs, one after the other; for Python only."
    )
    parallelism: int | None = Field(None, ge=1, description="Items running at once.")
    tolerate: Tolerance = Field(0, description='How many items may fail: a number, "10%" or "all".')
    collect: Literal["flat", "items", "none"] = Field(
        "flat",
        description="What becomes of the outputs. flat: a list for each output. items: one list of objects. "
        "none: nothing.",
    )
    output_name: str | None = Field(
        None, max_length=256, description="The name of the list with `collect: items`."
    )

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

    block: Name = Field(description="The block to repeat.")
    iterations: int | None = Field(None, ge=0, description="How often.")
    forever: Literal[True] | None = Field(None, description="Until the run is stopped.")

    @model_validator(mode="after")
    def _one_of_them(self) -> Loop:
        if (self.iterations is None) == (self.forever is None):
            raise ValueError("give `iterations: N` or `forever: true`, one of the two")
        return self


class TaskOnly(Model):
    """A Python function."""

    task: TaskRef = Field(description='The function, "module:name".')


class Iterate(Model):
    """A block whose outputs are the inputs of its next pass."""

    block: Name = Field(description="The block to repeat.")
    max_iterations: int = Field(ge=1, description="It ends after so many passes at the latest.")
    until: TaskOnly | None = Field(None, description="A function of the outputs; true ends the iteration.")
    initial: dict[str, Initial] | None = Field(
        None, max_length=256, description="The fed-back inputs of the first pass: plain values, or sources."
    )


class Condition(Model):
    """A question that is decided once; nodes with `branch` follow it."""

    task: TaskRef | None = Field(
        None, description='A Python function that says true or false, "module:name".'
    )
    input: Source | None = Field(None, description="Instead of a function: the value that is asked about.")
    operator: Literal["in", "notIn", "exists"] | None = Field(
        None, description="in or notIn: whether it is one of `values`. exists: whether there is one."
    )
    values: list[Json] | None = Field(None, max_length=256, description="What it is compared with.")

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

    blocks: list[Name] = Field(min_length=2, max_length=64, description="The blocks that race.")


class Approval(Model):
    """Wait for a person."""

    message: str = Field("", max_length=4096, description="What the person is asked.")
    timeout: PositiveDuration | None = Field(
        None, description="How long to wait for an answer; without one the node fails."
    )


class Suspend(Model):
    """Wait for a time, or for a person."""

    duration: Duration | None = Field(None, description="How long to wait, such as 1h.")
    approval: Approval | None = Field(
        None, description="Wait until somebody runs `flowctl approve RUN NODE`."
    )

    @model_validator(mode="after")
    def _one_of_them(self) -> Suspend:
        if (self.duration is None) == (self.approval is None):
            raise ValueError("give `duration` or `approval`, one of the two")
        return self


class Branch(Model):
    """Which side of a condition the node stands on."""

    of: Name = Field(description="The condition.")
    when: bool = Field(description="The answer with which the node runs; with the other it is skipped.")


class Dependency(Model):
    """Order without data, or a reaction to an outcome."""

    node: Name = Field(description="The node to wait for.")
    outcome: Literal["succeeded", "failed", "finished"] = Field(
        "succeeded", description="Which end of it starts this node; with another one this node is skipped."
    )


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

    path: str = Field(min_length=1, max_length=4096, description="Where the container writes it.")
    url: str | None = Field(
        None, max_length=4096, description="Where it is put; in the artifact store when left out."
    )


class Node(Policy):
    """One step of a block: a name, exactly one kind, and policy.

    The kinds are task, container, call, map, loop, iterate, condition, merge, race and suspend.
    """

    name: Name = Field(
        description="The name of the node, unique in its block: letters, digits, '-' and '_', at most 63."
    )
    task: TaskRef | None = Field(None, description='Kind: a Python task or function, "module:name".')
    container: Container | None = Field(None, description="Kind: any program in any image.")
    call: Call | None = Field(None, description="Kind: a block, or a registered template, as one node.")
    map: Map | None = Field(None, description="Kind: one item for each element of a sequence.")
    loop: Loop | None = Field(None, description="Kind: a block again and again.")
    iterate: Iterate | None = Field(None, description="Kind: a block whose outputs are its next inputs.")
    condition: Condition | None = Field(
        None, description="Kind: a question that is decided once; nodes with `branch` follow it."
    )
    merge: Merge | None = Field(
        None, description="Kind: passes on the one live branch of those in `dependsOn`. Write `merge: {}`."
    )
    race: Race | None = Field(
        None, description="Kind: blocks of which the first to succeed wins; the rest are cancelled."
    )
    suspend: Suspend | None = Field(None, description="Kind: wait for a time, or for a person.")
    inputs: dict[str, Source] | None = Field(
        None,
        max_length=256,
        description="By name: where each input comes from. A Python task without it takes the outputs of the "
        "nodes that it depends on, by name.",
    )
    outputs: dict[str, Output] | None = Field(
        None, max_length=256, description="The outputs that it declares, by name. A container needs them."
    )
    depends_on: list[DependsOn] | None = Field(
        None,
        max_length=10_000,
        description="Nodes to wait for, beyond those that `inputs` names: a name, or {node, outcome} where "
        "outcome is succeeded, failed or finished.",
    )
    branch: Branch | None = Field(None, description="Run only when a condition was answered so.")
    when: Test | None = Field(None, description="When it does not hold, the node is skipped.")
    artifacts: dict[str, Artifact] | None = Field(
        None, max_length=256, description="By name: files that a container leaves behind and that are kept."
    )

    @model_validator(mode="after")
    def _exactly_one_kind(self) -> Node:
        given = self.model_fields_set & _KINDS
        if len(given) != 1 or getattr(self, next(iter(given))) is None:
            kinds = [kind for kind in KINDS if getattr(self, kind) is not None]
            found = f"has {' and '.join(f'`{kind}`' for kind in kinds)}" if kinds else "has no kind"
            raise ValueError(f"node {self.name!r} {found}: give it one of {', '.join(KINDS)}")
        if self.merge is not None and not self.depends_on:
            raise ValueError(f"merge {self.name!r} needs `dependsOn`: the branches that it brings together")
        if self.artifacts and self.container is None and (self.map is None or self.map.container is None):
            raise ValueError("`artifacts` are for container nodes; a Python task returns its values")
        return self
