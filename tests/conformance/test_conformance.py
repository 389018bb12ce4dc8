"""Every case on every backend: the same outputs, phases, order and errors."""

from __future__ import annotations

from pathlib import Path

import pytest
from headwater.configuration import config

import tests.conformance.cases.everything  # noqa: F401  # registers them
from tests.conformance.backends import BACKENDS
from tests.conformance.case import CASES, ENDING_PROCESSES, Case, check_result

# A chain of a hundred tasks is a hundred jobs in a row, each of which waits for the scheduler's next second.
PATIENCE = {"slurm": pytest.mark.timeout(400)}


ALL = [
    pytest.param(case, backend, id=f"{case.name}-{backend}", marks=PATIENCE.get(backend, ()))
    for backend in BACKENDS
    for case in (*CASES.values(), *(ENDING_PROCESSES.values() if backend != "default" else ()))
]


@pytest.mark.parametrize(("case", "backend"), ALL)
def test_case(case: Case, backend: str, tmp_path: Path) -> None:
    run = BACKENDS[backend]
    with config.override(case.config or {}):
        if case.refusal is not None:
            with pytest.raises(case.refusal.type) as refused:
                run(case.workflow(tmp_path), **case.inputs)
            assert [words for words in case.refusal.says if words not in str(refused.value)] == []
            return
        result = run(case.workflow(tmp_path), **case.inputs)
    check_result(case, result, tmp_path)


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 60
