"""Which output feeds which input: the wiring of a workflow, worked out and checked before anything runs."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from headwater.blocks.block import Block
from headwater.blocks.conditions import BranchBlock, ConditionBlock, MergeTask
from headwater.blocks.library import PASS_THROUGH
from headwater.blocks.special import IterativeWorkflow, MapWorkflow
from headwater.blocks.targets import MISSING, Target
from headwater.blocks.task import Task
from headwater.blocks.typecheck import check_of, could_match, is_optional, is_sequence_type, type_name
from headwater.blocks.workflow import Workflow
from headwater.errors import GraphError


@dataclass(frozen=True, slots=True)
class FromBlock:
    """An output of another block of the same workflow."""

    block: Block
    output: str


@dataclass(frozen=True, slots=True)
class FromInput:
    """An input of the workflow."""

    name: str


@dataclass(frozen=True, slots=True)
class Fixed:
    """A value that was bound."""

    value: Any


@dataclass(frozen=True, slots=True)
class FromEither:
    """The one of several branches that is live."""

    options: tuple[FromBlock, ...]


Feed = FromBlock | FromInput | Fixed | FromEither


@dataclass
class Wiring:
    """How one workflow is wired: its own targets, and for each block inside where its inputs come from."""

    inputs: dict[str, Target] = field(default_factory=dict)
    outputs: dict[str, tuple[Target, Feed]] = field(default_factory=dict)
    feeds: dict[Block, dict[str, Feed]] = field(default_factory=dict)
    over: dict[Block, dict[str, Feed]] = field(default_factory=dict)
    branches: dict[Block, tuple[ConditionBlock, bool]] = field(default_factory=dict)
    upstreams: dict[Block, list[Block]] = field(default_factory=dict)
    externals: dict[str, FromBlock] = field(default_factory=dict)
    offered: dict[Block, dict[str, Target]] = field(default_factory=dict)
    order: list[Block] = field(default_factory=list)
    feedback: frozenset[str] = frozenset()

    @classmethod
    def of_targets(cls, inputs: Mapping[str, Target], outputs: Mapping[str, Target]) -> Wiring:
        """A wiring of which only the targets are known."""
        return cls(dict(inputs), {name: (target, FromInput(name)) for name, target in outputs.items()})


NO_FEEDBACK: frozenset[str] = frozenset()


def wiring_of(workflow: Workflow, feedback: frozenset[str] = NO_FEEDBACK) -> Wiring:
    """The wiring of a workflow. `feedback` are names that an iteration around it can serve.

    Raises:
        GraphError: an input that nothing feeds, a cycle, a clash, types that can never match.
    """
    known = workflow._wirings.get(feedback)
    if known is None:
        known = workflow._wirings[feedback] = _Wirer(workflow, feedback).wire()
    return known


def outer_inputs(workflow: Workflow) -> dict[str, Target]:
    """The inputs that a workflow shows to the outside, when nothing is piped into it."""
    inner = wiring_of(workflow, _feedback_of(workflow)).inputs
    if isinstance(workflow, MapWorkflow):
        mapped = _mapped_at_start(workflow, inner)
        return {
            mapped.get(name, name): Target(mapped.get(name, name), list) if name in mapped else target
            for name, target in inner.items()
            if name not in workflow.bound or name in mapped
        }
    return dict(inner)


def _mapped_at_start(workflow: MapWorkflow, inner: Mapping[str, Target]) -> dict[str, str]:
    """Inner input -> name of the sequence, for a map that nothing is piped into."""
    if workflow.map_on is not None:
        return {inner_name: sequence for sequence, inner_name in workflow.map_on.items()}
    externals = wiring_of(workflow, _feedback_of(workflow)).externals
    names = [name for name in inner if name not in workflow.bound and name not in externals]
    return {names[0]: names[0]} if len(names) == 1 else {}


def outer_outputs(workflow: Workflow) -> dict[str, Target]:
    """The outputs that a workflow shows to the outside."""
    return outer_outputs_of(workflow, wiring_of(workflow, _feedback_of(workflow)))


def _feedback_of(workflow: Workflow) -> frozenset[str]:
    if isinstance(workflow, IterativeWorkflow):
        initial = workflow.options.get("initial_value")
        ends = [block for block in workflow.blocks if not _inner_downstreams(workflow, block)]
        names = {name for block in ends for name in _declared_outputs(block)}
        return frozenset(names | set(initial if isinstance(initial, dict) else ()))
    return NO_FEEDBACK


def _inner_downstreams(workflow: Workflow, block: Block) -> list[Block]:
    return [other for other in block.downstreams if other.parent is workflow]


def _declared_outputs(block: Block) -> Mapping[str, Target]:
    """A block's outputs as far as they can be told without wiring: enough to know what is fed back."""
    if isinstance(block, Task):
        return block.output_targets
    if isinstance(block, Workflow) and not isinstance(block, MapWorkflow):
        ends = [inner for inner in block.blocks if not _inner_downstreams(block, inner)]
        return {name: target for inner in ends for name, target in _declared_outputs(inner).items()}
    if isinstance(block, MapWorkflow):
        if not block.options.get("flatten_output", True):
            return {block.options.get("output_name") or "map_output": Target("", list)}
        ends = [inner for inner in block.blocks if not _inner_downstreams(block, inner)]
        return {name: Target(name, list) for inner in ends for name in _declared_outputs(inner)}
    return {}


class _Wirer:
    """Works out one workflow's wiring, block by block, upstreams first."""

    def __init__(self, workflow: Workflow, feedback: frozenset[str]) -> None:
        self.workflow = workflow
        self.feedback = feedback | _feedback_of(workflow)
        self.wiring = Wiring(feedback=self.feedback)
        self.constraints: dict[Block, frozenset[tuple[ConditionBlock, bool]]] = {}

    def wire(self) -> Wiring:
        workflow, wiring = self.workflow, self.wiring
        wiring.inputs.update(workflow.extra_inputs)
        blocks = [block for block in workflow.blocks if not isinstance(block, BranchBlock)]
        for block in blocks:
            wiring.upstreams[block] = self._inner_upstreams(block)
        wiring.order = self._in_order(blocks)
        for block in wiring.order:
            self._wire_block(block)
        self._find_outputs(wiring.order)
        for name, target in list(wiring.inputs.items()):
            if target.required and name in self._fed_back() and is_optional(target.type):
                wiring.inputs[name] = Target(name, target.type, None)
        return wiring

    def _fed_back(self) -> frozenset[str]:
        return self.feedback

    def _inner_upstreams(self, block: Block) -> list[Block]:
        """The blocks of this workflow that come directly before a block; the sides of a condition looked through."""
        found: dict[Block, None] = {}
        for upstream in block.upstreams:
            if isinstance(upstream, BranchBlock):
                self.wiring.branches[block] = (upstream.condition, upstream.when)
                found[upstream.condition] = None
            elif upstream.parent is self.workflow:
                found[upstream] = None
        return list(found)

    def _in_order(self, blocks: list[Block]) -> list[Block]:
        upstreams = self.wiring.upstreams
        waiting = {block: len(upstreams[block]) for block in blocks}
        downstreams: dict[Block, list[Block]] = {block: [] for block in blocks}
        for block in blocks:
            for upstream in upstreams[block]:
                downstreams[upstream].append(block)
        ready = [block for block in blocks if not waiting[block]]
        order = []
        for block in ready:
            order.append(block)
            for downstream in downstreams[block]:
                waiting[downstream] -= 1
                if not waiting[downstream]:
                    ready.append(downstream)
        if len(order) < len(blocks):
            raise GraphError(
                f"workflow {self.workflow.name!r} has a cycle: {self._cycle(set(blocks) - set(order))}",
                fix="Take one of these pipes out.",
            )
        return order

    def _cycle(self, among: set[Block]) -> str:
        block = min(among, key=lambda each: self.workflow.blocks.index(each))
        seen: list[Block] = []
        while block not in seen:
            seen.append(block)
            block = next(up for up in self.wiring.upstreams[block] if up in among)
        loop = [*seen[seen.index(block) :], block]
        return " -> ".join(each.name for each in reversed(loop))

    # ------------------------------------------------------------------ one block

    def _wire_block(self, block: Block) -> None:
        wiring = self.wiring
        self._inherit_constraints(block)
        if isinstance(block, Workflow):
            inner = wiring_of(block, self.feedback | _feedback_of(block))
            needed = inner.inputs
        else:
            inner = None
            needed = dict(block.input_targets)
        offers = self._offers(block)
        feeds = wiring.feeds[block] = {}
        if isinstance(block, MergeTask):
            wiring.offered[block] = self._merged(block)
            return
        if isinstance(block, ConditionBlock):
            self._feed_condition(block, offers)
            wiring.offered[block] = {}
            return
        if isinstance(block, PASS_THROUGH):
            needed = {**{name: target for name, (_, target) in _flat(offers).items()}, **needed}
            wiring.offered[block] = {n: Target(n, t.type) for n, t in needed.items()}
        elif inner is not None:
            assert isinstance(block, Workflow)
            wiring.offered[block] = outer_outputs_of(block, inner)
        else:
            wiring.offered[block] = dict(block.output_targets)
        if isinstance(block, MapWorkflow):
            self._wire_map(block, inner, offers)  # type: ignore[arg-type]  # a workflow has an inner wiring
            return
        for name, target in needed.items():
            feed = self._feed(block, name, target, offers, inner)
            if feed is not None:
                feeds[name] = feed

    def _inherit_constraints(self, block: Block) -> None:
        held: set[tuple[ConditionBlock, bool]] = set()
        if not isinstance(block, MergeTask):
            for upstream in self.wiring.upstreams[block]:
                held |= self.constraints.get(upstream, frozenset())
        if block in self.wiring.branches:
            held.add(self.wiring.branches[block])
        self.constraints[block] = frozenset(held)

    def _exclusive(self, one: Block, other: Block) -> bool:
        held = self.constraints[other]
        return any((condition, not when) in held for condition, when in self.constraints[one])

    def _offers(self, block: Block) -> dict[str, list[tuple[Block, Target]]]:
        """What the direct upstreams offer, by name. A condition offers what was piped into it."""
        offers: dict[str, list[tuple[Block, Target]]] = {}
        pending = list(self.wiring.upstreams[block])
        seen: set[Block] = set()
        for upstream in pending:
            if upstream in seen:
                continue
            seen.add(upstream)
            if isinstance(upstream, ConditionBlock):
                pending.extend(self.wiring.upstreams[upstream])
                continue
            for name, target in self.wiring.offered[upstream].items():
                offers.setdefault(name, []).append((upstream, target))
        return offers

    def _merged(self, block: Block) -> dict[str, Target]:
        merged: dict[str, Target] = {}
        for upstream in self.wiring.upstreams[block]:
            if isinstance(upstream, ConditionBlock):
                for offered in self._offers_of_condition(upstream).values():
                    merged.setdefault(offered.name, Target(offered.name, offered.type))
                continue
            for name, target in self.wiring.offered[upstream].items():
                known = merged.get(name)
                same = known is None or known.type == target.type
                merged[name] = Target(name, target.type if same else Any)
        return merged

    def _offers_of_condition(self, condition: ConditionBlock) -> dict[str, Target]:
        return {name: found[0][1] for name, found in self._offers(condition).items()}

    def _feed_condition(
        self, block: ConditionBlock, offers: Mapping[str, list[tuple[Block, Target]]]
    ) -> None:
        feeds = self.wiring.feeds[block]
        for name in offers:
            feeds[name] = self._offered(block, name, Target(name), offers)
        if not self.wiring.upstreams[block]:
            for parameter in inspect.signature(block.condition).parameters.values():
                if parameter.kind is parameter.VAR_KEYWORD or parameter.kind is parameter.VAR_POSITIONAL:
                    continue
                default = MISSING if parameter.default is parameter.empty else parameter.default
                feeds[parameter.name] = self._workflow_input(Target(parameter.name, Any, default))

    def _feed(
        self,
        block: Block,
        name: str,
        target: Target,
        offers: Mapping[str, list[tuple[Block, Target]]],
        inner: Wiring | None,
    ) -> Feed | None:
        if name in block.bound:
            check = check_of(target.type) if isinstance(block, Task) else None
            wrong = check(block.bound[name]) if check is not None else None
            if wrong is not None and not (block.bound[name] is None and target.default is None):
                raise GraphError(
                    f'In task {block.name!r}: input "{name}" must be {type_name(target.type)}; got {wrong}',
                    fix="It was given by a keyword or bind().",
                )
            return Fixed(block.bound[name])
        external = self._external(block, name, target, inner)
        if external is not None:
            return external
        if name in offers:
            return self._offered(block, name, target, offers)
        if name in self.workflow.extra_inputs:
            return self._workflow_input(target)
        if not self.wiring.upstreams[block]:
            return self._workflow_input(target)
        if name in self.feedback:
            return self._workflow_input(target)
        if not target.required:
            return None
        if self._fed_inside(block, name):
            return None
        raise self._unmatched(block, name, offers)

    def _fed_inside(self, block: Block, name: str) -> bool:
        """Whether an iteration serves the input itself: by its first values, or with None."""
        if not isinstance(block, IterativeWorkflow):
            return False
        initial = block.options.get("initial_value")
        return (
            name in _feedback_of(block)
            and "initial_value" in block.options
            and (not isinstance(initial, dict) or name in initial)
        )

    def _external(self, block: Block, name: str, target: Target, inner: Wiring | None) -> Feed | None:
        """The output of a block that stands outside this workflow, which becomes an input of it."""
        if inner is not None and name in inner.externals:
            source = inner.externals[name]
        else:
            outside = [
                upstream
                for upstream in block.upstreams
                if upstream.parent is not self.workflow
                and not isinstance(upstream, BranchBlock)
                and name in upstream.output_targets
            ]
            if not outside:
                return None
            source = FromBlock(outside[0], name)
        if source.block.parent is self.workflow:
            self._check_types(source.block, source.block.output_targets[source.output], block, target)
            if source.block not in self.wiring.upstreams[block]:
                self.wiring.upstreams[block].append(source.block)
            return source
        known = next((n for n, each in self.wiring.externals.items() if each == source), None)
        if known is None:
            known = name if name not in self.wiring.inputs else f"{source.block.name}_{source.output}"
            self.wiring.externals[known] = source
            self.wiring.inputs[known] = Target(known, target.type)
        return FromInput(known)

    def _offered(
        self,
        block: Block,
        name: str,
        target: Target,
        offers: Mapping[str, list[tuple[Block, Target]]],
    ) -> Feed:
        found = offers[name]
        for upstream, offered in found:
            self._check_types(upstream, offered, block, target)
        if len(found) == 1:
            return FromBlock(found[0][0], name)
        blocks = [upstream for upstream, _ in found]
        if all(self._exclusive(a, b) for i, a in enumerate(blocks) for b in blocks[i + 1 :]):
            return FromEither(tuple(FromBlock(upstream, name) for upstream in blocks))
        listed = " and ".join(repr(upstream.name) for upstream in blocks)
        raise GraphError(
            f"input {name!r} of {block.name!r} is ambiguous: {listed} both offer it",
            fix=f"Rename one output, or bind it: {block.name}.bind({name}=...).",
        )

    def _check_types(self, upstream: Block, offered: Target, block: Block, target: Target) -> None:
        if not could_match(offered.type, target.type):
            raise GraphError(
                f"output {offered.name!r} of {upstream.name!r} is {type_name(offered.type)}, which can never be "
                f"the {type_name(target.type)} that input {target.name!r} of {block.name!r} needs",
                fix="Change one of the two annotations, or put a task between them.",
            )

    def _workflow_input(self, target: Target) -> Feed:
        known = self.wiring.inputs.get(target.name)
        if known is None or (target.required and not known.required and not self._declared(target.name)):
            self.wiring.inputs[target.name] = Target(target.name, target.type, target.default)
        return FromInput(target.name)

    def _declared(self, name: str) -> bool:
        return name in self.workflow.extra_inputs

    def _unmatched(
        self, block: Block, name: str, offers: Mapping[str, list[tuple[Block, Target]]]
    ) -> GraphError:
        upstreams = ", ".join(
            f"{up.name} ({', '.join(self.wiring.offered[up]) or 'no outputs'})"
            for up in self.wiring.upstreams[block]
        )
        return GraphError(
            f"input {name!r} of {block.name!r} is fed by nothing; directly upstream: {upstreams}",
            fix=f"Name an upstream's output {name!r}, pipe the task that has it into {block.name!r}, "
            f"or bind a value: {block.name}.bind({name}=...).",
        )

    # ------------------------------------------------------------------ maps

    def _wire_map(
        self, block: MapWorkflow, inner: Wiring, offers: Mapping[str, list[tuple[Block, Target]]]
    ) -> None:
        feeds, over = self.wiring.feeds[block], self.wiring.over.setdefault(block, {})
        mapped = self._map_on(block, inner, offers)
        for name, target in inner.inputs.items():
            if name in mapped:
                over[name] = self._sequence(block, mapped[name], offers)
                continue
            feed = self._feed(block, name, target, offers, inner)
            if feed is not None:
                feeds[name] = feed

    def _sequence(
        self, block: MapWorkflow, name: str, offers: Mapping[str, list[tuple[Block, Target]]]
    ) -> Feed:
        if name in block.bound:
            return Fixed(block.bound[name])
        if name in offers:
            return self._offered(block, name, Target(name), offers)
        if not self.wiring.upstreams[block] or name in self.feedback:
            return self._workflow_input(Target(name, list))
        offered = ", ".join(offers) or "nothing"
        raise GraphError(
            f"map {block.name!r}: map_on names {name!r}, but upstream offers {offered}",
            fix="Use one of the names that the upstream offers as the key of map_on.",
        )

    def _map_on(
        self, block: MapWorkflow, inner: Wiring, offers: Mapping[str, list[tuple[Block, Target]]]
    ) -> dict[str, str]:
        """Inner input -> name of the sequence that it takes its elements from."""
        if block.map_on is not None:
            wrong = [name for name in block.map_on.values() if name not in inner.inputs]
            if wrong:
                raise GraphError(
                    f"map {block.name!r}: map_on gives elements to {', '.join(map(repr, wrong))}, "
                    "which no first task takes",
                    fix=f"Its inputs: {', '.join(inner.inputs) or 'none'}.",
                )
            return {inner_name: sequence for sequence, inner_name in block.map_on.items()}
        names = [
            name for name in inner.inputs
            if name not in block.bound and name not in inner.externals and name not in self.feedback
        ]  # fmt: skip
        bound = [name for name in inner.inputs if name in block.bound]
        if not offers and not self.wiring.upstreams[block]:
            if len(names) == 1:
                return {names[0]: names[0]}
            if not names and len(bound) == 1:
                return {bound[0]: bound[0]}
            raise self._no_candidate(block, names, offers)
        return self._candidate(block, names, inner, offers)

    def _candidate(
        self,
        block: MapWorkflow,
        names: list[str],
        inner: Wiring,
        offers: Mapping[str, list[tuple[Block, Target]]],
    ) -> dict[str, str]:
        same = [name for name in names if name in offers]
        left = [name for name in names if name not in offers and inner.inputs[name].required]
        free = [name for name in offers if name not in inner.inputs]
        if len(left) == 1:
            if len(free) == 1:
                return {left[0]: free[0]}
            sequences = [n for n in free if is_sequence_type(offers[n][0][1].type)]
            if len(sequences) == 1:
                return {left[0]: sequences[0]}
        if not left:
            if len(same) == 1:
                return {same[0]: same[0]}
            unlike = [
                name for name in same
                if is_sequence_type(offers[name][0][1].type)
                and not is_sequence_type(inner.inputs[name].type)
            ]  # fmt: skip
            if len(unlike) == 1:
                return {unlike[0]: unlike[0]}
        raise self._no_candidate(block, names, offers)

    def _no_candidate(
        self, block: MapWorkflow, names: list[str], offers: Mapping[str, list[tuple[Block, Target]]]
    ) -> GraphError:
        offered = ", ".join(offers) or "nothing"
        return GraphError(
            f"map {block.name!r}: cannot tell what to map on; candidates are the inputs "
            f"{', '.join(names) or '(none)'}, and upstream offers {offered}",
            fix='Say it: map_on={"sequence from upstream": "input of the first task"}.',
        )

    # ------------------------------------------------------------------ outputs

    def _find_outputs(self, blocks: list[Block]) -> None:
        if self.workflow.returned is not None:
            for index, block in enumerate(self.workflow.returned):
                for name, target in self.wiring.offered.get(block, {}).items():
                    self.wiring.outputs[f"{index}_{name}"] = (target, FromBlock(block, name))
            return
        used = {upstream for found in self.wiring.upstreams.values() for upstream in found}
        for block in self.workflow.blocks:
            if isinstance(block, BranchBlock | ConditionBlock) or block in used:
                continue
            for name, target in self.wiring.offered[block].items():
                self._add_output(name, target, block)

    def _add_output(self, name: str, target: Target, block: Block) -> None:
        outputs = self.wiring.outputs
        if name not in outputs:
            outputs[name] = (Target(name, target.type), FromBlock(block, name))
            return
        known, feed = outputs[name]
        options = feed.options if isinstance(feed, FromEither) else (feed,)
        others = [option for option in options if isinstance(option, FromBlock)]
        for other in others:
            if not self._exclusive(other.block, block):
                raise GraphError(
                    f"workflow {self.workflow.name!r}: output {name!r} is given by both "
                    f"{other.block.name!r} and {block.name!r}",
                    fix="Rename one of the two outputs.",
                )
        kind = known.type if known.type == target.type else Any
        outputs[name] = (Target(name, kind), FromEither((*others, FromBlock(block, name))))


def _flat(
    offers: Mapping[str, list[tuple[Block, Target]]],
) -> dict[str, tuple[Block, Target]]:
    return {name: found[0] for name, found in offers.items()}


def outer_outputs_of(block: Workflow, inner: Wiring) -> dict[str, Target]:
    """The outputs that a workflow shows, given how it is wired where it stands."""
    names = {name: target for name, (target, _) in inner.outputs.items()}
    if not isinstance(block, MapWorkflow):
        return names
    if block.options.get("no_outputs"):
        return {}
    if block.options.get("flatten_output", True):
        return {
            name: Target(name, list if target.type is Any else _list_of(target.type))
            for name, target in names.items()
        }
    name = block.options.get("output_name") or "map_output"
    return {name: Target(name, list)}


def _list_of(element: Any) -> Any:
    try:
        return list[element]
    except TypeError:
        return list
