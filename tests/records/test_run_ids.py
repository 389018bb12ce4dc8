"""Run ids: in order, unique, safe in names of files and pods."""

from __future__ import annotations

import re

from headwater.records import new_run_id


def test_ids_are_unique_and_sorted_by_time_within_a_process() -> None:
    made = [new_run_id() for _ in range(5000)]
    assert len(set(made)) == 5000
    assert made == sorted(made)
    assert all(re.fullmatch(r"\d{8}-\d{6}-[0-9a-z]{6}", run_id) for run_id in made)


def test_a_later_instant_sorts_later_whatever_the_random_part() -> None:
    early = new_run_id(1795423512.10, b"\xff\xff\xff")
    late = new_run_id(1795423512.20, b"\x00\x00\x00")
    assert early < late < new_run_id(1795423513.0, b"\x00\x00\x00")
    assert early.startswith("20261123-084512-")
