"""The reports of the tasks of an array as the one report of the map's wave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from headwater.document.unit import UnitReport
from headwater.engine import IntervalSet


def shares(items: str, per_task: int) -> list[IntervalSet]:
    """Which items each task of the array has, in order.

    >>> [str(share) for share in shares("0-4,9", 4)]
    ['0-3', '4,9']
    """
    every = list(IntervalSet.parse(items))
    found = []
    for start in range(0, len(every), max(per_task, 1)):
        share = IntervalSet()
        for index in every[start : start + max(per_task, 1)]:
            share.add(index, index + 1)
        found.append(share)
    return found


def merged(reports: Mapping[int, UnitReport], share_of: Sequence[IntervalSet]) -> UnitReport:
    """One report of all tasks; a task that failed as a whole fails each of its items.

    >>> parts = {0: UnitReport(items="0-1", at=(1, 2)), 1: UnitReport(failure={"type": "Oom"}, at=(2, 5))}
    >>> report = merged(parts, shares("0-3", 2))
    >>> report.items, report.failed_items, report.failed[3], report.at
    ('0-1', '2-3', {'type': 'Oom'}, (1, 5))
    """
    good, bad = IntervalSet(), IntervalSet()
    failed: dict[int, Mapping[str, object]] = {}
    results: dict[int, Mapping[str, Mapping[str, object]] | None] = {}
    whole = True
    cached = 0
    for task, report in sorted(reports.items()):
        if report.exit_code is not None:
            return report
        cached += report.cached
        if report.failure is not None:
            _add(bad, share_of[task])
            failed.update(dict.fromkeys(share_of[task], report.failure))
            continue
        _add(good, IntervalSet.parse(report.items or ""))
        _add(bad, IntervalSet.parse(report.failed_items))
        failed.update(report.failed)
        if report.results is None:
            whole = whole and not report.items
        else:
            results.update(report.results)
    times = [report.at for report in reports.values() if report.at[1]]
    began = min((at[0] for at in times), default=0.0)
    ended = max((at[1] for at in times), default=0.0)
    return UnitReport(
        items=str(good), cached=cached, failed=failed, failed_items=str(bad),
        results=results if whole else None, at=(began, ended),
    )  # fmt: skip


def _add(to: IntervalSet, more: IntervalSet) -> None:
    for start, stop in more.ranges():
        to.add(start, stop)
