"""The inputs of a run are checked before anything runs, and are of the types that are declared."""

from __future__ import annotations

from typing import Any

import pytest
from headwater import task, workflow
from headwater.errors import UsageError


@task
def kinds(
    count: int = 1, energy: float = 1.0, label: str = "a", whatever: Any = None
) -> {"kinds": list[str]}:
    return [type(each).__name__ for each in (count, energy, label, whatever)]


@workflow
def flow():
    kinds()


@pytest.mark.parametrize("backend", ["default", "parallel"])
def test_a_whole_number_for_a_float_is_a_float(backend: str) -> None:
    result = flow.run(backend=backend, energy=3, whatever=3)
    assert result.outputs["kinds"] == ["int", "float", "str", "int"]


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"count": "3"}, "input 'count' must be int; got str"),
        ({"count": 1.5}, "input 'count' must be int; got float"),
        ({"energy": "high"}, "input 'energy' must be float; got str"),
        ({"label": 3}, "input 'label' must be str; got int"),
        ({"cuont": 3}, "unknown input 'cuont'. Did you mean 'count'?"),
    ],
)
def test_what_is_wrong_is_refused(inputs: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError) as refused:
        flow.run(**inputs)
    assert words in str(refused.value)
