"""What a worker process is given to call: a task or a unit, or the items of a map."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headwater.blocks.signals import ExitPipeline, Skipped
from headwater.configuration import config, context
from headwater.configuration.logs import apply_logging, logging_in_force
from headwater.engine.graph import Call, Container, Graph, Task
from headwater.errors import TargetError
from headwater.runtime import capture, scope
from headwater.runtime.carry import kept
from headwater.runtime.code import Code, live_inputs
from headwater.runtime.items import Cached, ItemRunner

if TYPE_CHECKING:
    from headwater.runtime.caching import CacheAccess


@dataclass(frozen=True, slots=True)
class Left:
    """The task called `exit_pipeline`."""

    code: int


@dataclass(frozen=True, slots=True)
class Place:
    """What a worker needs to know about the run: where logs and large values go."""

    log: str | None
    echo: bool
    store: str | None
    context: Mapping[str, Any] = field(default_factory=dict)
    logging: dict[str, Any] | None = None
    config: dict[str, Any] | None = None

    @classmethod
    def here(cls, log: str | None, echo: bool, store: str | None) -> Place:
        """A place as this process is: its context, logging and, where it was not read from a file, config."""
        given = config.to_dict() if config.is_chosen else None
        return cls(log, echo, store, context.of_process(), logging_in_force(), given)

    def settle(self) -> None:
        """Make this worker process like the one that the run belongs to; once for each run."""
        for name, value in self.context.items():
            setattr(context, name, value)
        if self.logging is not None and self.logging != logging_in_force():
            apply_logging(self.logging)
        if self.config is not None:
            config.use(self.config)
        else:
            config.reload()

    def enter(self, path: str, attempt: int, index: int | None) -> None:
        """From here on what this process prints belongs to that node."""
        if self.log is not None:
            capture.open_in_worker(Path(self.log), echo=self.echo)
        capture.enter(path, attempt, index)


class TaskCall:
    """Calls tasks and units of one run. Sent to each worker once."""

    def __init__(self, graph: Graph, code: Code, cache: CacheAccess | None, place: Place) -> None:
        self.graph = graph
        self.code = code
        self.cache = cache
        self.place = place

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.place.settle()

    def __call__(
        self, path: str, attempt: int, body: Task | Container | Call, inputs: Mapping[str, object]
    ) -> Mapping[str, object] | Skipped | Left:
        self.place.enter(path, attempt, None)
        try:
            outputs = self._call(path, body, live_inputs(inputs))
        except ExitPipeline as leave:
            return Left(leave.code)
        finally:
            scope.end()
            capture.leave()
        return outputs if isinstance(outputs, Skipped) else kept(outputs, self.place.store)

    def _call(
        self, path: str, body: Task | Container | Call, inputs: Mapping[str, object]
    ) -> Mapping[str, object] | Skipped:
        if isinstance(body, Task):
            return self.code.run_task(body.ref, inputs)
        if isinstance(body, Call):
            from headwater.runtime.unit import run_unit  # an engine, which a single task does not need

            outputs = run_unit(self.graph, body.block, inputs, self.code, path, self.cache)
            return Skipped() if outputs is None else outputs
        raise TargetError("container nodes run on Kubernetes only", fix="Submit the workflow to a cluster.")


class ItemCall:
    """Runs items of one map. Sent to each worker once."""

    def __init__(self, runner: ItemRunner, attempt: int, place: Place) -> None:
        self.runner = runner
        self.attempt = attempt
        self.place = place

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.place.settle()

    def __call__(self, index: int, item: Any) -> Mapping[str, object] | Cached | Left | None:
        place = self.place
        if place.log is not None:
            place.enter(self.runner.path, self.attempt, index)
        try:
            outputs = self.runner(index, item)
        except ExitPipeline as leave:
            return Left(leave.code)
        finally:
            scope.end()
            if place.log is not None:
                capture.leave()
        if type(outputs) is Cached:
            return Cached(kept(outputs.outputs, place.store))
        return None if outputs is None else kept(outputs, place.store)  # type: ignore[arg-type]  # not Cached here
