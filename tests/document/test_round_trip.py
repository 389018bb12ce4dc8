"""Text, data, models and the engine's graph: the same document on every side."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest
from headwater.backends.documents import compiled_document
from headwater.document import dump_yaml, json_schema, load, to_document, validate
from headwater.document.graph import to_graph
from hypothesis import given
from hypothesis import strategies as st

import tests.conformance.cases.everything  # noqa: F401  # registers them
from tests.conformance.case import CASES, difference

RUNNABLE = {name: case for name, case in CASES.items() if case.refusal is None and case.config is None}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(json_values)
def test_any_json_survives_the_text(value: object) -> None:
    from headwater.document.yaml_text import parse

    parsed = parse(dump_yaml({"value": value}))
    assert parsed.issues == []
    assert difference({"value": value}, parsed.data) is None


@pytest.mark.parametrize("name", RUNNABLE)
def test_what_python_compiles_to_is_valid_and_comes_back(name: str, tmp_path: Path) -> None:
    compiled = RUNNABLE[name].workflow(tmp_path).compiled()
    text = dump_yaml(compiled.document)
    loaded = load(text)
    model = validate(loaded)
    assert loaded == compiled.document
    assert to_document(model) == loaded
    assert repr(to_graph(to_document(model)["spec"])) == repr(to_graph(loaded["spec"]))
    jsonschema.validate(loaded, json_schema())


@pytest.mark.parametrize("name", RUNNABLE)
def test_a_document_runs_as_its_python_does(name: str, tmp_path: Path) -> None:
    from headwater.backends import run

    case = RUNNABLE[name]
    document = load(dump_yaml(case.workflow(tmp_path).compiled().document))
    result = run(compiled_document(document), backend="default", inputs=case.inputs, check=False)
    assert result.phase == case.phase
    if case.outputs is not None:
        assert difference(dict(case.outputs), dict(result.outputs)) is None


def test_compiling_twice_gives_the_same_text(tmp_path: Path) -> None:
    case = RUNNABLE["maps/a_map_in_a_map"]
    texts = {dump_yaml(case.workflow(tmp_path).compiled().document) for _ in range(2)}
    assert len(texts) == 1
