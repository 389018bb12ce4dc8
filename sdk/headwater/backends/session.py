"""One run on this machine from start to end: records, log, signals, mailbox, the driver, the result."""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Protocol

from headwater.backends.control import Mailbox
from headwater.backends.result import RunResult, nodes_of, run_error
from headwater.backends.signals import RunInterrupted, SignalGuard
from headwater.backends.untracked import Untracked
from headwater.blocks.compile import Compiled
from headwater.configuration import cache_dir, config, settings, warn_of_slips
from headwater.document.graph import to_graph, without_units
from headwater.document.problems import as_declared, nearest, wrong_type
from headwater.engine import Engine, Graph, Known, Phase
from headwater.engine.events import Stopped
from headwater.engine.graph import Container, Map
from headwater.errors import MapFailed, RunFailed, UsageError
from headwater.runtime.caching import CacheAccess, source_of
from headwater.runtime.code import Code, live_inputs
from headwater.runtime.driver import Driver
from headwater.runtime.facts import RunFacts
from headwater.runtime.inline import InlineExecutor, LocalExecutor
from headwater.values.code import code_digest

if TYPE_CHECKING:
    from headwater.backends.tracking import Tracking


_PLAIN = (bool, int, float, str, list, dict)


class Backend(Protocol):
    """What a backend's module offers."""

    SLOTS: int | None
    MAP_SLOTS: bool
    QUEUED: bool

    @staticmethod
    def executor(
        graph: Graph,
        code: Code,
        *,
        cache: CacheAccess | None,
        known_items: Mapping[str, Mapping[int, Mapping[str, object]]],
        workers: int | None,
        log: str | None,
        echo: bool,
        store: str | None,
    ) -> LocalExecutor:
        """An executor for one run."""


class Elsewhere(Protocol):
    """What the module of a backend offers that runs whole documents in another place."""

    @staticmethod
    def run_document(
        compiled: Compiled,
        inputs: Mapping[str, object],
        *,
        name: str | None,
        observers: Sequence[object],
        record: bool,
        overwrite_cache: bool,
        resumed_from: str | None,
        options: Mapping[str, str | None] | None,
    ) -> RunResult:
        """Run it to its end; raises `RunInterrupted` after a signal."""


def backend_named(name: str) -> Any:
    """The module of a backend.

    Raises:
        UsageError: there is no such backend; the message lists those that are.
    """
    known: Mapping[str, str] = settings.BACKENDS
    if name not in known:
        close = get_close_matches(name, known, 1)
        meant = f"Did you mean {close[0]!r}? " if close else ""
        raise UsageError(
            f"unknown backend {name!r}", fix=f"{meant}Known backends: {', '.join(sorted(known))}."
        )
    return importlib.import_module(known[name])


def run(
    compiled: Compiled,
    *,
    backend: str | None = None,
    inputs: Mapping[str, object] | None = None,
    check: bool = True,
    track: bool = True,
    name: str | None = None,
    known: Mapping[str, Known] | None = None,
    known_items: Mapping[str, Mapping[int, Mapping[str, object]]] | None = None,
    observers: Sequence[object] = (),
    target: str | None = None,
    overwrite_cache: bool = False,
    workers: int | None = None,
    resumed_from: str | None = None,
    options: Mapping[str, str | None] | None = None,
) -> RunResult:
    """Run a compiled workflow to its end. `options` are what only the chosen backend knows.

    Raises:
        RunFailed: the run failed or was cancelled, and `check` is true.
        RunInterrupted: SIGINT or SIGTERM ended it.
    """
    chosen = backend or config.get("backend") or "default"
    module = backend_named(str(chosen))
    graph = _graph_of(compiled, units=getattr(module, "QUEUED", True))
    warn_of_slips()
    given = inputs_of(compiled.spec, inputs or {})
    refuse_wrong_inputs(graph, given)
    if hasattr(module, "run_document"):
        _refuse_known(str(chosen), known, known_items)
        result: RunResult = module.run_document(
            compiled,
            given,
            name=name,
            observers=observers,
            record=track,
            overwrite_cache=overwrite_cache,
            resumed_from=resumed_from,
            options=options,
        )
        return _checked(result) if check else result
    _refuse_containers(graph, str(chosen))
    _refuse_options(str(chosen), options)
    code = Code(compiled.objects, compiled.spec.get("parameters") or {})
    tracking: Tracking | Untracked = Untracked()
    if track or observers:
        from headwater.backends.tracking import open_tracking

        tracking = open_tracking(
            compiled,
            graph,
            given,
            str(chosen),
            name,
            target,
            observers,
            resumed_from,
            track,
            lambda: code_digests(code),
        )
    cache = CacheAccess(cache_dir(), overwrite_cache, tracking.run_id) if _caches(graph) else None
    executor: LocalExecutor = module.executor(
        graph,
        code,
        cache=cache,
        known_items=known_items or {},
        workers=workers,
        log=tracking.log_file,
        echo=tracking.echo,
        store=tracking.store,
    )
    executor.begin(
        RunFacts(
            tracking.run_id,
            name or compiled.name,
            compiled.spec,
            resumed_from or "",
            recompute=overwrite_cache,
        )
    )
    engine = Engine(
        graph,
        given,
        name=name or compiled.name,
        known=known,
        slots=module.SLOTS(workers) if callable(module.SLOTS) else module.SLOTS,
        map_slots=module.MAP_SLOTS,
        queued=module.QUEUED,
    )
    return _Session(engine, executor, tracking).run(check=check)


class _Session:
    def __init__(self, engine: Engine, executor: Any, tracking: Tracking | Untracked) -> None:
        self.engine = engine
        self.executor = executor
        self.tracking = tracking
        self.started_at = time.time()

    def run(self, *, check: bool) -> RunResult:
        engine, executor, tracking = self.engine, self.executor, self.tracking
        mailbox = Mailbox(tracking.run_id) if tracking.run_id else None
        guard = SignalGuard()
        with guard:
            driver = Driver(engine, executor, clock=time.time, watchers=tracking.watchers)
            executor.seconds_to_next_timer = driver.seconds_to_next_timer
            if mailbox is not None and mailbox.open():
                driver.mailbox = mailbox.read
                if isinstance(executor, InlineExecutor):
                    guard.watch(mailbox, driver)
            try:
                tracking.start(executor.maps)
                self._drive(driver, guard)
            finally:
                executor.release_claims()
                executor.close()
                if mailbox is not None:
                    mailbox.close()
                result = self._result()
                tracking.finish(result, engine.outputs)
                executor.discard_values()
        if guard.signum is not None:
            raise RunInterrupted(guard.signum, result)
        return _checked(result) if check else result

    def _give_up(self, signum: int) -> None:
        """The task in this thread cannot be ended: write the end, end the workers and leave all the same."""
        try:
            if not self.engine.ended:
                self.engine.handle(
                    Stopped(time.time(), kill=True, reason="interrupted; its task would not end")
                )
            self.executor.close()
            self.tracking.finish(self._result(), self.engine.outputs)
        finally:
            os._exit(128 + signum)

    def _drive(self, driver: Driver, guard: SignalGuard) -> None:
        guard.told = driver
        guard.last_resort = self._give_up
        try:
            driver.run()
        except BaseException as error:
            # Whatever broke the driver itself, the run must not stay `Running` in the records.
            if not self.engine.ended:
                self.engine.handle(Stopped(time.time(), kill=True, reason=f"{type(error).__name__}: {error}"))
            raise

    def _result(self) -> RunResult:
        engine = self.engine
        phase = engine.phase if engine.ended else Phase.CANCELLED
        stopping = engine.stopping
        return RunResult(
            self.tracking.run_id,
            str(phase),
            dict(live_inputs(engine.outputs)),
            nodes_of(engine),
            run_error(engine.error),
            self.started_at,
            time.time(),
            stopping.code if stopping is not None else None,
        )


def _checked(result: RunResult) -> RunResult:
    """The result of a run that succeeded; what failed is raised."""
    if result.phase == Phase.SUCCEEDED:
        return result
    if result.error is None:
        if result.exit_code:
            raise RunFailed(f"the run was ended by exit_pipeline({result.exit_code})", result=result)
        raise RunFailed(f"the run ended {result.phase}", result=result)
    cause = result.error.exception
    record = result.nodes.get(result.error.node)
    if result.error.type == "MapFailed" and record is not None and record.items is not None:
        errors = {index: error.exception for index, error in record.items.failures.items()}
        failed = MapFailed(result.error.message, errors=errors)
        failed.__cause__ = cause if isinstance(cause, BaseException) else None
        cause = failed
    error = RunFailed(str(result.error), result=result)
    raise error from (cause if isinstance(cause, BaseException) else None)


def _graph_of(compiled: Compiled, *, units: bool) -> Graph:
    """The graph; without `units` each task of a block with a placement is seen, where nothing is saved by hiding it."""
    known: dict[bool, Graph] | None = compiled.__dict__.get("_graphs")
    if known is None:
        known = {}
        object.__setattr__(compiled, "_graphs", known)
    if units not in known:
        known[units] = to_graph(compiled.spec if units else without_units(compiled.spec))
    return known[units]


def code_digests(code: Code) -> dict[str, str]:
    """The digest of the code behind every reference that is in use."""
    return {ref: code_digest(source_of(found)) for ref, found in code.objects.items()}


def _refuse_containers(graph: Graph, backend: str) -> None:
    for block in graph.blocks.values():
        for node in block.nodes:
            body = node.kind.body if isinstance(node.kind, Map) else node.kind
            if isinstance(body, Container):
                raise UsageError(
                    f"node {node.name!r} of block {block.name!r} is a container, which {backend!r} cannot run",
                    fix="Submit the workflow to a Kubernetes cluster.",
                )


def _refuse_known(backend: str, known: object, known_items: object) -> None:
    if known or known_items:
        raise UsageError(
            f"{backend!r} cannot go on with a run of this machine",
            fix="Resume it on the backend that it ran on: --backend default.",
        )


def _refuse_options(backend: str, options: Mapping[str, str | None] | None) -> None:
    given = sorted(name for name, value in (options or {}).items() if value)
    if given:
        raise UsageError(
            f"{backend!r} knows nothing of {', '.join(given)}", fix="Give it with --backend kubernetes."
        )


def _caches(graph: Graph) -> bool:
    return any(node.policy.cache != "off" for block in graph.blocks.values() for node in block.nodes)


def inputs_of(spec: Mapping[str, Any], given: Mapping[str, object]) -> dict[str, object]:
    """The inputs of a run: the document's arguments and those given, of the types that are declared.

    Raises:
        UsageError: one is of another type.
    """
    entry = spec.get("entrypoint") or spec["blocks"][0]["name"]
    declared = next(block for block in spec["blocks"] if block["name"] == entry).get("inputs") or {}
    found: dict[str, object] = {}
    for name, value in {**(spec.get("arguments") or {}), **given}.items():
        wanted = (declared.get(name) or {}).get("type")
        # Objects of other kinds, such as numpy's numbers, are checked by the tasks, which know the types themselves.
        wrong = wrong_type(wanted, value) if type(value) in _PLAIN else ""
        if wrong:
            raise UsageError(f"input {name!r} {wrong}", fix=f"Give a value of type {wanted}.")
        found[name] = as_declared(wanted, value)
    return found


def refuse_wrong_inputs(graph: Graph, given: Mapping[str, object]) -> None:
    """Refuse inputs that the workflow does not have, and ask for those that it needs.

    Raises:
        UsageError: with what is unknown or missing.
    """
    declared = graph.blocks[graph.entrypoint].inputs
    unknown = sorted(set(given) - set(declared))
    if unknown:
        raise UsageError(
            f"unknown input{'s' if len(unknown) > 1 else ''} {', '.join(map(repr, unknown))}",
            fix=nearest(unknown[0], declared) if declared else "The workflow takes none.",
        )
    missing = [name for name, spec in declared.items() if spec.required and name not in given]
    if missing:
        raise UsageError(
            f"missing input{'s' if len(missing) > 1 else ''} {', '.join(map(repr, missing))}",
            fix="Give them to run(...), or with -p NAME=VALUE.",
        )
