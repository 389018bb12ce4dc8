"""From blocks to the Workflow document: one flat list of blocks, every source written out."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cached_property
from typing import Any

from headwater.blocks.block import Block, open_workflows
from headwater.blocks.conditions import BranchBlock, ConditionBlock, MergeTask
from headwater.blocks.hook import RunHook
from headwater.blocks.library import PASS_THROUGH
from headwater.blocks.matching import (
    Feed,
    Fixed,
    FromBlock,
    FromEither,
    FromInput,
    Wiring,
    _feedback_of,
    wiring_of,
)
from headwater.blocks.names import node_name
from headwater.blocks.parameters import parameters_for
from headwater.blocks.special import IterativeWorkflow, LoopWorkflow, MapWorkflow
from headwater.blocks.targets import Target
from headwater.blocks.task import Task
from headwater.blocks.typecheck import type_name
from headwater.blocks.workflow import Workflow
from headwater.errors import DefinitionError

Spec = dict[str, Any]
API_VERSION = "headwater.dev/v1alpha1"


@dataclass(frozen=True)
class Compiled:
    """A workflow ready to run.

    `spec` is the document's spec; where it was compiled from Python it may hold live objects as
    `{"object": value}`. `objects` maps the references in it to live objects; `annotations` go into the
    document's metadata. `document` is what can be written to a file: everything by name or by value.
    """

    name: str
    spec: Spec
    objects: Mapping[str, object] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    tasks: tuple[Task, ...] = field(default=(), compare=False, repr=False)

    def with_present_parameters(self) -> Compiled:
        """The same with the parameters that the config gives now."""
        parameters = parameters_for(self.tasks)
        if parameters == (self.spec.get("parameters") or {}):
            return self
        return replace(self, spec={**self.spec, "parameters": parameters})

    @classmethod
    def from_document(
        cls, *, name: str, spec: Spec, objects: Mapping[str, object], document: Spec
    ) -> Compiled:
        """A document that was read from a file."""
        compiled = cls(name, spec, objects)
        compiled.__dict__["document"] = document
        return compiled

    @cached_property
    def document(self) -> Spec:
        """The whole document, without live objects; raises when one cannot be pickled."""
        spec = _without_live_objects(self.spec)
        inline = {ref: _pickled(found, ref) for ref, found in self.objects.items() if not _importable(ref)}
        if inline:
            spec["code"] = {**spec.get("code", {}), "inline": inline}
        metadata: Spec = {"name": self.name}
        if self.annotations:
            metadata["annotations"] = dict(self.annotations)
        return {"apiVersion": API_VERSION, "kind": "Workflow", "metadata": metadata, "spec": spec}


def compile_workflow(workflow: Workflow, *, as_hook: bool = True) -> Compiled:
    """Check a workflow's graph and write it as a document.

    Raises:
        GraphError: the blocks do not fit together.
        ConfigError: a parameter is not in the config.
    """
    root = _root_of(workflow, as_hook)
    compiler = _Compiler(inside=None if as_hook else workflow)
    compiler.block(root, wiring_of(root, _feedback_of(root)), "main")
    spec: Spec = {"entrypoint": "main"}
    parameters = parameters_for(compiler.tasks)
    if parameters:
        spec["parameters"] = parameters
    spec["blocks"] = compiler.blocks
    with_parameters = tuple(task for task in compiler.tasks if task.parameters)
    return Compiled(node_name(workflow.name), spec, compiler.objects, tasks=with_parameters)


def _root_of(workflow: Workflow, as_hook: bool) -> Workflow:
    """The workflow itself, or one around it when it is special, or uses blocks that stand outside of it."""
    wiring = wiring_of(workflow, _feedback_of(workflow))
    special = isinstance(workflow, MapWorkflow | LoopWorkflow | IterativeWorkflow) or (
        as_hook and workflow.has_hook()
    )
    # What runs inside of a hook belongs to the node of the hook, which has the policy.
    plain = not special and (not as_hook or not _policy_of(workflow.options))
    if plain and not wiring.externals:
        return workflow
    return _Around(workflow, wiring)


class _Around(Workflow):
    """A workflow around one that is run by itself, and around the outside blocks that it uses."""

    def __init__(self, workflow: Workflow, wiring: Wiring) -> None:
        stack = open_workflows()
        kept, stack[:] = stack[:], []
        try:
            super().__init__(name=workflow.name)
        finally:
            stack[:] = kept
        outside: dict[Block, None] = {}
        pending = [source.block for source in wiring.externals.values()]
        for block in pending:
            if block not in outside and block.parent is None:
                outside[block] = None
                pending += block.upstreams
        self._lent = [(block, block.parent) for block in (*outside, workflow)]
        self.blocks = [block for block, _ in self._lent]
        for block in self.blocks:
            block.parent = self
        self._wirings[frozenset()] = wiring_of(self)
        for block, parent in self._lent:
            block.parent = parent


class _Compiler:
    def __init__(self, inside: Workflow | None = None) -> None:
        self.inside = inside
        self.blocks: list[Spec] = []
        self.objects: dict[str, object] = {}
        self.tasks: list[Task] = []
        self._refs: dict[int, str] = {}
        self._held: list[object] = []
        self._block_names: dict[str, int] = {}

    # ------------------------------------------------------------------ blocks

    def block(self, workflow: Workflow, wiring: Wiring, wanted: str) -> str:
        """Write a workflow as a block of the document and return the block's name."""
        name = _unique(wanted, self._block_names)
        written: Spec = {"name": name}
        self.blocks.append(written)
        if wiring.inputs:
            written["inputs"] = {
                target.name: self._declared_input(target, workflow) for target in wiring.inputs.values()
            }
        if workflow.options.get("placement"):
            written["placement"] = workflow.options["placement"]
        names: dict[Block, str] = {}
        taken: dict[str, int] = {}
        for block in workflow.blocks:
            if not isinstance(block, BranchBlock):
                names[block] = _unique(node_name(block.name), taken)
        sides = self._bare_sides(wiring, names, taken)
        written["nodes"] = [
            self._node(block, names, wiring)
            for block in workflow.blocks
            if not isinstance(block, BranchBlock)
        ]
        written["nodes"] += sides
        if not written["nodes"]:
            raise DefinitionError(
                f"workflow {workflow.name!r} has no blocks",
                fix="Call tasks in it: `first() | second()`; a task's name without parentheses makes none.",
            )
        if wiring.outputs:
            written["outputs"] = {
                output: self._source(feed, names) for output, (_, feed) in wiring.outputs.items()
            }
        return name

    def _declared_input(self, target: Target, workflow: Workflow) -> Spec:
        declared: Spec = {}
        if target.type is not Any:
            declared["type"] = type_name(target.type)
        default = workflow.bound.get(target.name, target.default)
        if target.required and target.name not in workflow.bound:
            return declared
        declared["required"] = False
        if _is_json(default):
            declared["default"] = default
        else:
            declared["object"] = default
        return declared

    def _bare_sides(self, wiring: Wiring, names: Mapping[Block, str], taken: dict[str, int]) -> list[Spec]:
        """Nodes that pass a condition's inputs on, for a side that is piped straight into a merge."""
        sides = []
        self._side_nodes: dict[tuple[Block, bool], str] = {}
        for block, (condition, when) in wiring.branches.items():
            if not isinstance(block, MergeTask):
                continue
            name = _unique("then" if when else "else", taken)
            self._side_nodes[condition, when] = name
            feeds = wiring.feeds[condition]
            ref = self._ref_of_task(_identity())
            sides.append(
                {
                    "name": name,
                    "task": ref,
                    "inputs": {n: self._source(feed, names) for n, feed in feeds.items()},
                    "branch": {"of": names[condition], "when": when},
                    "outputs": {n: {} for n in feeds},
                }
            )
        return sides

    # ------------------------------------------------------------------ nodes

    def _node(self, block: Block, names: Mapping[Block, str], wiring: Wiring) -> Spec:
        node: Spec = {"name": names[block]}
        feeds = wiring.feeds[block]
        if isinstance(block, MergeTask):
            node["merge"] = {}
            node["dependsOn"] = self._merge_sources(block, names, wiring)
            return node
        if isinstance(block, ConditionBlock):
            node["condition"] = {"task": self._ref_of_function(block.condition)}
        elif isinstance(block, Workflow):
            self._workflow_node(node, block, names, wiring)
            if block is not self.inside:
                node.update(_policy_of(block.options))
        else:
            assert isinstance(block, Task)
            self.tasks.append(block)
            node["task"] = self._ref_of_task(block)
            node.update(_policy_of(block.options))
        if isinstance(block, MapWorkflow) and "task" in node:
            # A map with a hook takes the sequences themselves.
            outer = {inner: name for name, inner in (block.map_on or {}).items()}
            over = {outer.get(inner, inner): feed for inner, feed in wiring.over.get(block, {}).items()}
            feeds = {**feeds, **over}
        if feeds:
            node["inputs"] = {name: self._source(feed, names) for name, feed in feeds.items()}
        self._add_order(node, block, names, wiring)
        outputs = wiring.offered.get(block) or {}
        if outputs:
            node["outputs"] = {name: _typed(target) for name, target in outputs.items()}
        return node

    def _add_order(self, node: Spec, block: Block, names: Mapping[Block, str], wiring: Wiring) -> None:
        used: set[Block] = set()
        for feed in [*wiring.feeds[block].values(), *wiring.over.get(block, {}).values()]:
            options = feed.options if isinstance(feed, FromEither) else (feed,)
            used.update(option.block for option in options if isinstance(option, FromBlock))
        branch = wiring.branches.get(block)
        if branch is not None:
            node["branch"] = {"of": names[branch[0]], "when": branch[1]}
            used.add(branch[0])
        after = [names[upstream] for upstream in wiring.upstreams[block] if upstream not in used]
        if after:
            if "task" in node:
                # Left out, they would be matched by name with what comes before, as in documents by hand.
                node.setdefault("inputs", {})
            node["dependsOn"] = after

    def _merge_sources(self, block: Block, names: Mapping[Block, str], wiring: Wiring) -> list[str]:
        sources = []
        for upstream in block.upstreams:
            if isinstance(upstream, BranchBlock):
                sources.append(self._side_nodes[upstream.condition, upstream.when])
            elif upstream in names:
                sources.append(names[upstream])
        return sources

    def _workflow_node(self, node: Spec, block: Workflow, names: Mapping[Block, str], wiring: Wiring) -> None:
        if block.has_hook() and block is not self.inside:
            node["task"] = self._ref_of_task(RunHook(block))
            return
        inner = wiring_of(block, _feedback_where(block, wiring))
        if isinstance(block, MapWorkflow):
            node["map"] = self._map(block, inner, names, wiring)
            return
        name = self.block(block, inner, node_name(block.name))
        if isinstance(block, LoopWorkflow):
            passes = block.options.get("iterations")
            node["loop"] = {
                "block": name,
                **({"forever": True} if passes is None else {"iterations": passes}),
            }
        elif isinstance(block, IterativeWorkflow):
            node["iterate"] = self._iterate(block, name, inner)
        else:
            node["call"] = {"block": name}

    def _map(self, block: MapWorkflow, inner: Wiring, names: Mapping[Block, str], wiring: Wiring) -> Spec:
        options = block.options
        only = block.blocks[0] if len(block.blocks) == 1 else None
        written: Spec
        if isinstance(only, Task) and self._is_bare(only, inner):
            self.tasks.append(only)
            written = {"task": self._ref_of_task(only)}
        else:
            written = {"call": {"block": self.block(block, inner, node_name(block.name))}}
        written["over"] = {
            name: self._source(feed, names) for name, feed in wiring.over.get(block, {}).items()
        }
        if options.get("simultaneous_tasks"):
            written["parallelism"] = options["simultaneous_tasks"]
        if options.get("items_per_pod"):
            written["itemsPerPod"] = options["items_per_pod"]
        if not options.get("raise_exceptions", False):
            written["tolerate"] = "all"
        if options.get("no_outputs"):
            written["collect"] = "none"
        elif not options.get("flatten_output", True):
            written["collect"] = "items"
            written["outputName"] = options.get("output_name") or "map_output"
        return written

    @staticmethod
    def _is_bare(task: Task, inner: Wiring) -> bool:
        """Whether the items of a map can be calls of the task itself, with no block around it."""
        return (
            not isinstance(task, (MergeTask, *PASS_THROUGH))
            and not _policy_of(task.options)
            and not inner.externals
            and all(feed == FromInput(name) for name, feed in inner.feeds[task].items())
        )

    def _iterate(self, block: IterativeWorkflow, name: str, inner: Wiring) -> Spec:
        written: Spec = {"block": name, "maxIterations": block.options["max_iterations"]}
        if block.break_func is not None:
            written["until"] = {"task": self._ref_of_function(block.break_func)}
        if "initial_value" in block.options:
            initial = block.options["initial_value"]
            fed_back = [n for n in inner.inputs if n in _feedback_of(block)]
            if not isinstance(initial, dict) or not set(initial) <= set(inner.inputs):
                if len(fed_back) != 1:
                    raise DefinitionError(
                        f"iteration {block.name!r}: initial_value must be a dict, since "
                        f"{', '.join(fed_back) or 'no input'} is fed back",
                        fix="Write initial_value={name: value}.",
                    )
                initial = {fed_back[0]: initial}
            written["initial"] = {n: self._source(Fixed(value), {}) for n, value in initial.items()}
        return written

    # ------------------------------------------------------------------ sources and references

    def _source(self, feed: Feed, names: Mapping[Block, str]) -> Spec:
        if isinstance(feed, FromBlock):
            return {"from": f"{names[feed.block]}.{feed.output}"}
        if isinstance(feed, FromInput):
            return {"from": f"inputs.{feed.name}"}
        if isinstance(feed, FromEither):
            return {"from": [f"{names[option.block]}.{option.output}" for option in feed.options]}
        return {"value": feed.value} if _is_json(feed.value) else {"object": feed.value}

    def _ref_of_task(self, task: Task) -> str:
        cls = type(task)
        plain = not task._own_targets and task.name == cls.name and not _extra_state(task)
        return self._ref(cls if plain else task, task, cls.__module__, cls.__qualname__)

    def _ref_of_function(self, function: Any) -> str:
        module = getattr(function, "__module__", None) or "inline"
        qualname = getattr(function, "__qualname__", type(function).__name__)
        return self._ref(function, function, module, qualname)

    def _ref(self, identity: object, live: object, module: str, qualname: str) -> str:
        known = self._refs.get(id(identity))
        if known is not None:
            return known
        by_name = identity is live or isinstance(identity, type)
        ref = f"{module}:{qualname}"
        if not by_name or not _is_found(identity, module, qualname) or ref in self.objects:
            base = f"inline:{node_name(qualname.rpartition('.')[2])}"
            ref, number = base, 2
            while ref in self.objects:
                ref, number = f"{base}-{number}", number + 1
        self._refs[id(identity)] = ref
        self._held.append(identity)
        self.objects[ref] = live
        return ref


def _identity() -> Task:
    from headwater.blocks.library import IdentityTask

    stack = open_workflows()
    kept, stack[:] = stack[:], []
    try:
        return IdentityTask()
    finally:
        stack[:] = kept


def _feedback_where(block: Workflow, outer: Wiring) -> frozenset[str]:
    """The feedback names under which a nested workflow was wired by the one around it."""
    fed = frozenset(outer.feedback) | _feedback_of(block)
    return fed


def _extra_state(task: Task) -> bool:
    usual = {"inputs", "outputs", "parameters", "_own_targets", "_plan", "upstreams", "downstreams", "bound",
             "parent"}  # fmt: skip
    return any(name not in usual for name in task.__dict__)


def _is_found(found: object, module: str, qualname: str) -> bool:
    """Whether importing the module and following the name gives this very object."""
    import sys

    current: Any = sys.modules.get(module)
    if current is None or module == "__main__":
        return False
    for part in qualname.split("."):
        current = getattr(current, part, None)
    return current is found


def _importable(ref: str) -> bool:
    return not ref.startswith("inline:")


def _unique(wanted: str, taken: dict[str, int]) -> str:
    """The wanted name, or the first of `wanted-2`, `wanted-3`, … that is free.

    `taken` maps a name to the number that was last tried for it: many blocks of one name stay cheap.
    """
    if wanted not in taken:
        taken[wanted] = 1
        return wanted
    while True:
        taken[wanted] += 1
        suffix = f"-{taken[wanted]}"
        name = wanted[: 63 - len(suffix)] + suffix
        if name not in taken:
            taken[name] = 1
            return name


def _typed(target: Target) -> Spec:
    return {} if target.type is Any else {"type": type_name(target.type)}


_POLICY = {
    "image": "image", "resources": "resources", "executor": "executor", "slurm": "slurm",
    "pod_template": "podTemplate", "node_selector": "nodeSelector", "tolerations": "tolerations",
    "labels": "labels", "annotations": "annotations",
    "continue_on_failure": "continueOnFailure",
}  # fmt: skip
_SBATCH = (
    "partition", "account", "qos", "time", "mem", "mem_per_cpu", "cpus_per_task", "cpu_per_task", "gres",
    "nodes", "ntasks", "constraint", "exclude", "reservation", "sbatch",
)  # fmt: skip


def _policy_of(options: Mapping[str, Any]) -> Spec:
    policy: Spec = {_POLICY[name]: value for name, value in options.items() if name in _POLICY and value}
    retry = dict(options.get("retry") or {})
    if options.get("retries"):
        retry.setdefault("limit", options["retries"])
    if retry.get("classes") is not None:
        retry["classes"] = list(retry["classes"])
    if retry.get("backoff"):
        waits = {key: part if key == "factor" else _duration(part) for key, part in retry["backoff"].items()}
        retry["backoff"] = waits
    if retry:
        policy["retry"] = retry
    for name, key in (("timeout", "timeout"), ("queue_timeout", "queueTimeout")):
        if options.get(name) is not None:
            policy[key] = _duration(options[name])
    cache = options.get("cache")
    if cache and cache != "off":
        policy["cache"] = "inputs" if cache == "inputs" else "code"
    directives = {name: options[name] for name in _SBATCH if options.get(name) is not None}
    if directives:
        policy["slurm"] = {**directives, **policy.get("slurm", {})}
    return policy


def _duration(given: str | float) -> str:
    """As the document has it; a number is in seconds.

    >>> _duration("15m"), _duration(0.5), _duration(1_500_000)
    ('15m', '0.5s', '1500000s')
    """
    return given if isinstance(given, str) else f"{Decimal(str(given)):f}s"


def _is_json(value: Any) -> bool:
    if value is None or type(value) in (bool, int, str):
        return True
    if type(value) is float:
        return math.isfinite(value)
    if type(value) is list:
        return all(_is_json(part) for part in value)
    return type(value) is dict and all(type(k) is str and _is_json(v) for k, v in value.items())


def _without_live_objects(written: Any) -> Any:
    if isinstance(written, dict):
        if "object" in written and set(written) <= {"object", "type", "required"}:
            rest = {key: value for key, value in written.items() if key != "object"}
            return {**rest, "pickle": _pickled(written["object"], "a value")}
        return {key: _without_live_objects(value) for key, value in written.items()}
    if isinstance(written, list):
        return [_without_live_objects(value) for value in written]
    return json.loads(json.dumps(written)) if isinstance(written, tuple) else written


def _pickled(found: object, what: str) -> str:
    import cloudpickle

    try:
        return base64.b64encode(cloudpickle.dumps(found)).decode()
    except Exception as error:
        raise DefinitionError(
            f"{what} cannot be put into a document: {error}",
            fix="Define it in a module, or make it picklable.",
        ) from error
