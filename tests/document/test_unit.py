"""What a pod is told: written by the operator, read by the runtime."""

from __future__ import annotations

from headwater.document.unit import UnitSpec, read_unit, write_unit


def test_a_unit_that_carries_no_document_is_read_back() -> None:
    spec = UnitSpec("u1", "reduce", "note", 1, "task", {})
    assert read_unit(write_unit(spec)) == spec
