"""The state machine: events in, commands out. Every rule about what runs, waits, repeats or ends is here or
in the modules beside it: `handlers` for what each event does, `simple` and `composite` for the kinds of node,
`maps` for items, `failures` for retries.

It does no I/O, reads no clock and starts no thread; an event costs time by what it changes, not by the graph.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

from headwater.engine import bounds, composite, failures, maps, simple
from headwater.engine.commands import (
    Cancel,
    ClearTimer,
    Command,
    Decide,
    Finish,
    Lookup,
    SetTimer,
    Start,
    StoreCached,
)
from headwater.engine.events import (
    Event,
    Failure,
    Stopped,
)
from headwater.engine.graph import (
    BlockInput,
    Call,
    Condition,
    Const,
    Container,
    FirstOf,
    From,
    Graph,
    Iterate,
    Loop,
    Map,
    Merge,
    Race,
    Source,
    Suspend,
    Task,
)
from headwater.engine.handlers import HANDLERS
from headwater.engine.patience import runs_from_now, set_patience
from headwater.engine.plan import ALTERNATIVE, FAILED, FINISHED, ORDER, plan_of
from headwater.engine.state import ENDED, LIVE, MISSING, Frame, Known, NodeState, Phase


class Engine:
    """Decides what a run does next.

    `slots` is how many tasks the backend wants at once (None: as many as there are); `map_slots` says whether
    a map takes one of them; with `whole_waves` a map that may start at all is handed out whole, since the
    backend itself keeps to the limit of what runs at once; with `queued` what is handed out may wait elsewhere, and a
    map runs from when the first of its items is told to. `known` maps paths to outcomes of an earlier try;
    a run that begins `suspended` starts nothing until a `Changed` lets it. A run that has more than `most_nodes` at
    once, or takes many times as many steps in which nothing can run, is ended: one run must not stop all others.

    >>> from headwater.engine.events import Succeeded
    >>> from headwater.engine.graph import Block, Node
    >>> graph = Graph({"main": Block("main", (Node("a", Task("m:a")),))}, "main")
    >>> engine = Engine(graph, {})
    >>> engine.start(at=0.0)[0].path
    'a'
    >>> engine.handle(Succeeded("a", 1, {"x": 1}, at=1.0))
    [Finish(phase='Succeeded')]
    """

    def __init__(
        self,
        graph: Graph,
        inputs: Mapping[str, object],
        *,
        name: str = "",
        known: Mapping[str, Known] | None = None,
        slots: int | None = None,
        map_slots: bool = True,
        whole_waves: bool = False,
        queued: bool = False,
        suspended: bool = False,
        most_nodes: int | None = None,
    ) -> None:
        self.graph = graph
        self.name = name
        self.known: Mapping[str, Known] = known or {}
        self.phase = Phase.PENDING
        self.outputs: Mapping[str, object] = {}
        self.error: Failure | None = None
        self.failures: list[tuple[float, Failure]] = []
        self.states: dict[str, NodeState] = {}
        self.timers: dict[str, str] = {}
        self.past_attempts: dict[str, int] = {}
        self.parallelism = graph.policy.parallelism
        self.suspended = suspended
        self.stopping: Stopped | None = None
        self.changes: list[NodeState] = []
        self.running = 0
        self.busy_slots = 0
        self.waiting_people = 0
        self.slots = slots
        self.map_slots = map_slots
        self.whole_waves = whole_waves
        self.queued = queued
        self.most_nodes = most_nodes
        self.handing: list[NodeState] = []
        self.ready: deque[NodeState] = deque()
        self._launchable: deque[NodeState] = deque()
        self.out: list[Command] = []
        self.now = 0.0
        self._inputs = inputs
        self.root: Frame | None = None
        self.exit_frame: Frame | None = None
        self._main_phase: Phase | None = None

    # ------------------------------------------------------------------ what callers use

    def start(self, at: float) -> list[Command]:
        """Begin the run."""
        self.now = at
        self.phase = Phase.RUNNING
        if self.graph.policy.timeout is not None:
            self.set_timer("run", self.graph.policy.timeout, "")
        block = self.graph.blocks[self.graph.entrypoint]
        inputs = {name: spec.default for name, spec in block.inputs.items() if not spec.required}
        inputs.update(self._inputs)
        self.root = self.open_frame(self.graph.entrypoint, "", inputs, None, "")
        return self._advance()

    def handle(self, event: Event) -> list[Command]:
        """Fold one event into the state. Events that were seen before, or come too late, change nothing."""
        if self._main_phase is not None and self.phase in ENDED:
            return []
        self.now = event.at
        HANDLERS[type(event)](self, event)
        return self._advance()

    def take_changes(self) -> list[NodeState]:
        """The nodes whose phase changed since the last call, oldest first."""
        changes, self.changes = self.changes, []
        return changes

    @property
    def ended(self) -> bool:
        """Whether the run is over."""
        return self.phase in ENDED

    # ------------------------------------------------------------------ frames and readiness

    def open_frame(
        self, block: str, prefix: str, inputs: Mapping[str, object], owner: NodeState | None, key: str
    ) -> Frame:
        """Start running a block below `owner`."""
        plan = plan_of(self.graph.blocks[block])
        frame = Frame(plan, prefix, inputs, owner, key)
        for state in frame.nodes:
            earlier = self.states.get(state.path)
            if earlier is not None:
                state.attempt = earlier.attempt
            elif self.past_attempts:
                state.attempt = self.past_attempts.pop(state.path, 0)
            self.states[state.path] = state
        if owner is not None:
            if owner.children is None:
                owner.children = {}
            owner.children[key] = frame
            frame.exempt = owner.frame.stopped
        if not frame.nodes:
            self._close_frame(frame)
        for i in plan.starts:
            self.ready.append(frame.nodes[i])
        return frame

    def remember_attempts(self, frame: Frame) -> None:
        """An item is tried again: its nodes go on counting where they were."""
        for state in frame.nodes:
            if state.attempt:
                self.past_attempts[state.path] = state.attempt
            for child in (state.children or {}).values():
                self.remember_attempts(child)

    def drop_frame(self, frame: Frame) -> None:
        """Forget a frame that nobody will ask about again (an item, an earlier pass)."""
        for state in frame.nodes:
            if self.states.get(state.path) is state:
                del self.states[state.path]
            for child in (state.children or {}).values():
                self.drop_frame(child)
        if frame.owner is not None and frame.owner.children is not None:
            frame.owner.children.pop(frame.key, None)

    def give_up(self, why: str) -> list[Command]:
        """End a run that would go on without end: it fails, whatever runs of it is cancelled."""
        bounds.end(self, why)
        return self._advance()

    def _advance(self) -> list[Command]:
        steps = 0
        while True:
            steps += 1
            if self.most_nodes is not None:
                bounds.keep(self, steps, self.most_nodes)
            if self.ready:
                self.consider(self.ready.popleft())
            elif self._launchable and self._may_launch():
                self._launch(self._launchable.popleft())
            elif not maps.hand_out(self):
                break
        out, self.out = self.out, []
        return out

    def _may_launch(self) -> bool:
        if self.suspended:
            return False
        if self.slots is not None and self.busy_slots >= self.slots:
            return False
        return self.parallelism is None or self.running < self.parallelism

    def consider(self, state: NodeState) -> None:
        """Decide what becomes of a node all of whose upstreams have ended."""
        if state.phase is not Phase.PENDING or state.stage:
            return
        frame = state.frame
        planned = frame.plan.nodes[state.index]
        if self.stopping is not None and not self.in_exit(frame):
            self.end(state, Phase.CANCELLED, message=self.stopping.reason or "the run was stopped")
            return
        verdict = self._verdict(state)
        if verdict is not None:
            self.end(state, verdict[0], message=verdict[1])
            return
        if frame.stopped and not planned.catches:
            self.end(state, Phase.CANCELLED, message="not started: another node failed")
            return
        if state.path in self.known and self._adopt(state, self.known[state.path]):
            return
        self.proceed(state)

    def _verdict(self, state: NodeState) -> tuple[Phase, str] | None:
        """Why a node whose upstreams have all ended is not run, or None when it is."""
        frame = state.frame
        alternatives = live = 0
        blocked = skipped = ""
        for upstream_index, need in frame.plan.nodes[state.index].needs:
            upstream = frame.nodes[upstream_index]
            phase = upstream.phase
            if need is ALTERNATIVE or need == ALTERNATIVE:
                alternatives += 1
                live += phase in LIVE
                if phase is Phase.FAILED:
                    blocked = upstream.node.name
            elif need == FAILED:
                if phase is not Phase.FAILED:
                    skipped = upstream.node.name
            elif need == FINISHED:
                if phase is Phase.CANCELLED:
                    blocked = upstream.node.name
            elif phase is Phase.SKIPPED:
                if upstream.message.startswith("upstream "):
                    blocked = upstream.node.name
                else:
                    skipped = upstream.node.name
            elif phase is Phase.CANCELLED:
                return (Phase.CANCELLED, f"upstream {upstream.node.name!r} was cancelled")
            elif phase is Phase.FAILED and not (need == ORDER and upstream.node.policy.continue_on_failure):
                blocked = upstream.node.name
        if blocked and (not alternatives or not live):
            return (Phase.SKIPPED, f"upstream {blocked!r} failed")
        if skipped:
            return (Phase.SKIPPED, f"{skipped!r} was skipped")
        if alternatives and not live:
            return (Phase.SKIPPED, "no branch into it is live")
        branch = state.node.branch
        if branch is not None:
            condition = frame.nodes[frame.plan.index[branch.of]]
            if condition.answer is not branch.when:
                return (Phase.SKIPPED, f"condition {branch.of!r} was {str(condition.answer).lower()}")
        return None

    def _adopt(self, state: NodeState, known: Known) -> bool:
        if known.failure is not None:
            state.started_at = self.now
            self.end(state, Phase.FAILED, failure=known.failure)
            return True
        if isinstance(state.node.kind, Map) and known.phase not in LIVE:
            return False
        if known.phase in LIVE or known.phase is Phase.SKIPPED:
            state.answer = known.answer
            state.started_at = self.now
            self.end(state, known.phase, outputs=known.outputs, message="kept from the earlier run")
            return True
        return False

    # ------------------------------------------------------------------ starting a node

    def proceed(self, state: NodeState) -> None:
        """Take a ready node one stage further: its `when`, its cache, then its kind."""
        node = state.node
        if node.when is not None and not state.asked_when:
            state.asked_when = True
            state.stage = "when"
            value = self.resolve(state.frame, node.when.input)
            self.out.append(Decide(state.path, "when", node.when, {}, None if value is MISSING else value))
            return
        inputs = self._gather(state)
        if inputs is None:
            return
        state.inputs = inputs
        cacheable = node.policy.cache != "off" and not isinstance(
            node.kind, Map | Condition | Merge | Suspend
        )
        if cacheable and not state.looked_up:
            state.looked_up = True
            state.stage = "lookup"
            self.out.append(Lookup(state.path, 1, node, inputs))
            return
        self.begin(state)

    def begin_again(self, state: NodeState) -> None:
        """Start the next attempt of a node whose inputs may have been let go."""
        if state.inputs is None:
            inputs = self._gather(state)
            if inputs is None:
                return
            state.inputs = inputs
        state.items = None
        self.begin(state)

    def begin(self, state: NodeState) -> None:
        """Start the node's kind, now that nothing stands before it."""
        kind = state.node.kind
        if isinstance(kind, Task | Container) or (
            isinstance(kind, Call) and self.graph.blocks[kind.block].unit
        ):
            state.stage = "queued"
            self._launchable.append(state)
            return
        state.attempt += 1
        self.mark(state, Phase.RUNNING)
        if not isinstance(kind, Map) or maps.is_expanded(self, state):
            runs_from_now(self, state)
        _BEGIN[type(kind)](self, state)

    def _launch(self, state: NodeState) -> None:
        if state.stage != "queued":
            return
        if self._blocked_since_ready(state):
            return
        state.attempt += 1
        state.stage = "run"
        state.slots = 1
        self.busy_slots += 1
        self.running += 1
        self.mark(state, Phase.RUNNING)
        kind = state.node.kind
        assert isinstance(kind, Task | Container | Call)
        self.out.append(Start(state.path, state.attempt, state.node, kind, state.inputs or {}))
        set_patience(self, state)

    def _blocked_since_ready(self, state: NodeState) -> bool:
        planned = state.frame.plan.nodes[state.index]
        if self.stopping is not None and not self.in_exit(state.frame):
            self.end(state, Phase.CANCELLED, message="the run was stopped")
            return True
        if state.frame.stopped and not planned.catches:
            self.end(state, Phase.CANCELLED, message="not started: another node failed")
            return True
        return False

    def release(self, state: NodeState) -> None:
        """Give back the slot that a node held."""
        if state.slots:
            self.busy_slots -= 1
            if state.items is None:
                self.running -= 1
            state.slots = 0

    def _gather(self, state: NodeState) -> Mapping[str, object] | None:
        inputs = {}
        for name, source in state.node.inputs.items():
            value = self.resolve(state.frame, source)
            if value is MISSING:
                if isinstance(source, From | FirstOf):
                    self.end(state, Phase.SKIPPED, message=f"nothing came for input {name!r}")
                    return None
                continue
            inputs[name] = value
        return inputs

    def resolve(self, frame: Frame, source: Source) -> object:
        """The value that a source stands for now, or MISSING."""
        if type(source) is From:
            upstream = frame.nodes[frame.plan.index[source.node]]
            outputs = upstream.outputs
            if outputs is not None and source.output in outputs:
                return outputs[source.output]
            if source.output == "error":
                return _described(upstream.failure) if upstream.failure else None
            return MISSING
        if type(source) is Const:
            return source.value
        if type(source) is BlockInput:
            return frame.inputs.get(source.name, MISSING)
        if type(source) is FirstOf:
            for alternative in source.sources:
                value = self.resolve(frame, alternative)
                if value is not MISSING:
                    return value
            return MISSING
        return self._run_field(source.name)  # type: ignore[union-attr]  # RunField is what is left

    def _run_field(self, name: str) -> object:
        if name == "name":
            return self.name
        if name == "phase":
            return str(self._main_phase or self.phase)
        return [_described(failure) for _, failure in sorted(self.failures, key=_by_time)]

    # ------------------------------------------------------------------ ending a node

    def mark(self, state: NodeState, phase: Phase) -> None:
        """Set a phase that is not final."""
        if state.started_at is None:
            state.started_at = self.now
        state.phase = phase
        self.changes.append(state)

    def end(
        self,
        state: NodeState,
        phase: Phase,
        *,
        outputs: Mapping[str, object] | None = None,
        failure: Failure | None = None,
        message: str = "",
    ) -> None:
        """Give a node its final phase and tell its downstream nodes."""
        self.release(state)
        state.phase = phase
        state.stage = ""
        state.outputs = outputs
        state.failure = failure
        state.message = message
        state.inputs = None
        state.ended_at = self.now
        self.changes.append(state)
        if self.timers:
            self.clear_timers(state)
        if state.looked_up and phase is not Phase.CACHED:
            self.out.append(
                StoreCached(
                    state.path,
                    state.node,
                    outputs if phase is Phase.SUCCEEDED and not _holds_failure(state) else None,
                )
            )
        frame = state.frame
        if phase is Phase.FAILED:
            failures.note(self, state)
        nodes = frame.nodes
        for i in frame.plan.nodes[state.index].downstream:
            waiter = nodes[i]
            waiter.waiting -= 1
            if not waiter.waiting:
                self.ready.append(waiter)
        frame.remaining -= 1
        if not frame.remaining:
            self._close_frame(frame)

    def _close_frame(self, frame: Frame) -> None:
        owner = frame.owner
        if owner is not None:
            composite.frame_ended(self, owner, frame)
        elif frame is self.exit_frame:
            self._finish(Phase.FAILED if frame.failed else self._main_phase or Phase.SUCCEEDED)
        else:
            self._main_ended(frame)

    def frame_outputs(self, frame: Frame) -> dict[str, object]:
        """The outputs of a block that has ended; those of skipped nodes are left out."""
        block = frame.plan.block
        outputs = {}
        for name, source in block.outputs.items():
            value = self.resolve(frame, source)
            if value is not MISSING:
                outputs[name] = value
        if not block.outputs:
            for planned, state in zip(frame.plan.nodes, frame.nodes, strict=True):
                if not planned.downstream and state.outputs:
                    outputs.update(state.outputs)
        return outputs

    def _main_ended(self, frame: Frame) -> None:
        if self.stopping is not None and self.stopping.code is not None:
            phase = Phase.FAILED if self.stopping.code else Phase.SUCCEEDED
        elif self.stopping is not None:
            phase = Phase.CANCELLED
        else:
            phase = Phase.FAILED if frame.failed else Phase.SUCCEEDED
        if self.error is not None and self.error.node == "":
            phase = Phase.FAILED
        self._main_phase = phase
        if phase is Phase.SUCCEEDED:
            self.outputs = self.frame_outputs(frame)
        elif self.error is None:
            self.error = frame.failed
        on_exit = self.graph.policy.on_exit
        if on_exit is None:
            self._finish(phase)
            return
        block = self.graph.blocks[on_exit]
        inputs = {name: spec.default for name, spec in block.inputs.items() if not spec.required}
        self.stopping = None
        exit_frame = Frame(plan_of(block), "on-exit/", inputs, None, "")
        self.exit_frame = exit_frame
        for state in exit_frame.nodes:
            self.states[state.path] = state
        for i in exit_frame.plan.starts:
            self.ready.append(exit_frame.nodes[i])

    def _finish(self, phase: Phase) -> None:
        if phase is Phase.FAILED and self.error is None and self.exit_frame is not None:
            self.error = self.exit_frame.failed
        self.phase = phase
        self._main_phase = phase
        for key in list(self.timers):
            self.clear_timer(key)
        self.out.append(Finish(str(phase)))

    def in_exit(self, frame: Frame) -> bool:
        """Whether a frame belongs to the block that runs at the end."""
        while frame.owner is not None:
            frame = frame.owner.frame
        return frame is self.exit_frame

    # ------------------------------------------------------------------ timers

    def set_timer(self, key: str, seconds: float, path: str) -> None:
        """Ask for a `TimerFired(key)`; it is cleared when the node at `path` ends."""
        self.timers[key] = path
        self.out.append(SetTimer(key, seconds))

    def clear_timer(self, key: str) -> None:
        """Forget a timer."""
        if self.timers.pop(key, None) is not None:
            self.out.append(ClearTimer(key))

    def clear_timers(self, state: NodeState) -> None:
        """Forget every timer of a node."""
        for key in [key for key, path in self.timers.items() if path == state.path]:
            self.clear_timer(key)

    def cancel(self, state: NodeState, reason: str) -> None:
        """End a node from outside, and with it whatever runs below it."""
        if state.phase in ENDED:
            return
        if state.stage in ("run", "running", "items", "condition", "measure") or state.stage.startswith(
            "until"
        ):
            self.out.append(Cancel(state.path, 0, reason))
        if state.stage == "approval":
            self.waiting_people -= 1
        if state.items is not None:
            maps.forget_running(self, state)
        children = list((state.children or {}).values())
        state.stage = "cancelling"
        for frame in children:
            frame.halted = True
            for child in frame.nodes:
                self.cancel(child, reason)
        if state.phase not in ENDED:
            self.end(state, Phase.CANCELLED, message=reason)


def _holds_failure(state: NodeState) -> bool:
    """Whether something below a node failed, although the node itself did not."""
    return any(
        child.phase is Phase.FAILED or _holds_failure(child)
        for frame in (state.children or {}).values()
        for child in frame.nodes
    )


def _described(failure: Failure) -> dict[str, object]:
    return {
        "node": failure.node,
        "type": failure.type,
        "message": failure.message,
        "class": str(failure.error_class),
    }


def _by_time(entry: tuple[float, Failure]) -> tuple[float, str]:
    return (entry[0], entry[1].node)


_BEGIN: dict[type, Callable[[Engine, NodeState], None]] = {
    Call: composite.begin_call,
    Map: maps.begin,
    Loop: composite.begin_loop,
    Iterate: composite.begin_iterate,
    Race: composite.begin_race,
    Condition: simple.begin_condition,
    Merge: simple.begin_merge,
    Suspend: simple.begin_suspend,
}
