"""Every case on every backend: the same outputs, phases, order and errors."""

from __future__ import annotations

from pathlib import Path

import pytest
from headwater.configuration import config

import tests.conformance.cases  # noqa: F401  # registers them
from tests.conformance.backends import BACKENDS
from tests.conformance.case import CASES, Case, difference


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_case(case: Case, backend: str, tmp_path: Path) -> None:
    run = BACKENDS[backend]
    with config.override(case.config or {}):
        if case.refusal is not None:
            with pytest.raises(case.refusal.type) as refused:
                run(case.workflow(tmp_path), **case.inputs)
            assert [words for words in case.refusal.says if words not in str(refused.value)] == []
            return
        result = run(case.workflow(tmp_path), **case.inputs)
    if case.error is None:
        assert str(result.error) == "None"
    else:
        assert result.error is not None
        found = (result.error.node, result.error.type, result.error.error_class)
        assert found == (case.error.node, case.error.type, case.error.error_class)
        assert [words for words in case.error.says if words not in result.error.message] == []
    assert result.phase == case.phase
    if case.outputs is not None:
        assert difference(dict(case.outputs), dict(result.outputs)) is None
    assert {path: result.nodes[path].phase for path in case.nodes} == dict(case.nodes)
    assert {path: result.nodes[path].attempts for path in case.attempts} == dict(case.attempts)
    for path, expected in case.items.items():
        items = result.nodes[path].items
        assert items is not None
        assert (items.total, items.succeeded, items.failed, items.cached) == expected
    if case.check is not None:
        case.check(tmp_path)


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 60
