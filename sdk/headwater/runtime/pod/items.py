"""A unit that is one pod's share of a map: its items one after the other, their outputs in one file of the store."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from headwater.document.unit import UnitReport, items_file
from headwater.engine.graph import Call, Map, Task
from headwater.runtime import capture, scope
from headwater.runtime.items import Cached, ItemRunner
from headwater.runtime.pod.lines import prefixed_lines
from headwater.runtime.pod.outputs import encode_all
from headwater.runtime.pod.results import Results
from headwater.runtime.pod.shares import Shares
from headwater.runtime.pod.task import within
from headwater.runtime.pod.work import Work

INDEX_VARIABLE = "JOB_COMPLETION_INDEX"


def run(work: Work) -> UnitReport:
    """Run the share; what was done before the pod was restarted is not done again."""
    spec = work.spec
    ranges = Shares(spec.items, spec.per_pod).of(int(os.environ.get(INDEX_VARIABLE) or 0))
    if not ranges:
        return UnitReport(items="")
    results = Results(work.values, items_file(spec.run, spec.path, spec.attempt, ranges[0][0]))
    if not results.complete:
        many = sum(stop - start for start, stop in ranges) > 1
        items = _Items(work)
        with prefixed_lines(many or isinstance(items.mapped.body, Call)):
            for start, stop in ranges:
                for index in range(start, stop):
                    if index not in results:
                        items.one(index, results)
        results.finish()
    return _report(results)


def _report(results: Results) -> UnitReport:
    return UnitReport(
        items=str(results.succeeded),
        cached=results.cached,
        failed=results.shown_failures,
        failed_items=str(results.failed),
        results=results.inline,
    )


class _Items:
    """The items of the map, each run when it is asked for."""

    def __init__(self, work: Work) -> None:
        code = work.code()
        called = (work.written["map"].get("call") or {}).get("block")
        if called is not None:
            work.match(code, called)
        spec, node = work.spec, work.node
        assert isinstance(node.kind, Map)
        self.work = work
        self.mapped = node.kind
        if isinstance(self.mapped.body, Task):
            work.resolved(code, self.mapped.body.ref)
        self._sequences: Sequence[Any] = [work.values.sequence(value) for value in spec.over.values()]
        cache = work.cache if node.policy.cache != "off" else None
        names = list(spec.over)
        self._runner = ItemRunner(spec.path, node, work.graph, code, names, work.inputs, cache)

    def one(self, index: int, results: Results) -> None:
        """Run one item and note how it ended. `exit_pipeline` and signals are not the item's: they go on."""
        from headwater.blocks.signals import ExitPipeline
        from headwater.runtime.pod.signals import Terminated

        path = f"{self.work.spec.path}[{index}]"
        capture.enter(self.work.spec.path, self.work.spec.attempt, index)
        try:
            found = self._called(index)
            cached = isinstance(found, Cached)
            outputs: Mapping[str, object] | None = found.outputs if isinstance(found, Cached) else found
            encoded = None if outputs is None else encode_all(outputs, self.work.values)
        except (ExitPipeline, Terminated):
            raise
        except BaseException as error:  # the item's own failure, whatever it is
            from headwater.runtime.pod.failures import described

            results.failure(index, described(error, path))
        else:
            results.success(index, encoded, cached=cached)
        finally:
            capture.leave()

    def _called(self, index: int) -> Mapping[str, object] | Cached | None:
        elements = [_element(sequence, index) for sequence in self._sequences]
        item = elements[0] if len(elements) == 1 else tuple(elements)
        with within(None), self.work.termination.task():
            try:
                return self._runner(index, item)
            finally:
                scope.end()


def _element(sequence: Any, index: int) -> object:
    return sequence.iloc[index] if hasattr(sequence, "iloc") else sequence[index]
