"""Interval sets behave as sets of integers."""

from headwater.engine.intervals import IntervalSet
from hypothesis import given
from hypothesis import strategies as st

ranges = st.tuples(st.integers(0, 40), st.integers(0, 12)).map(lambda pair: (pair[0], pair[0] + pair[1]))
changes = st.lists(st.tuples(st.sampled_from(["add", "discard"]), ranges), max_size=30)


def both(steps):
    ours, model = IntervalSet(), set()
    for action, (start, stop) in steps:
        getattr(ours, action)(start, stop)
        members = set(range(start, stop))
        model = model | members if action == "add" else model - members
    return ours, model


@given(changes)
def test_adding_and_discarding_does_what_a_set_does(steps):
    ours, model = both(steps)
    assert list(ours) == sorted(model)
    assert len(ours) == len(model)
    assert all((index in ours) == (index in model) for index in range(60))


@given(changes)
def test_the_ranges_are_sorted_disjoint_and_do_not_touch(steps):
    ours, _ = both(steps)
    flat = [edge for pair in ours.ranges() for edge in pair]
    assert flat == sorted(set(flat))


@given(changes)
def test_what_is_written_is_read_back(steps):
    ours, _ = both(steps)
    assert IntervalSet.parse(str(ours)) == ours


@given(changes, st.integers(0, 20))
def test_popping_takes_the_smallest(steps, count):
    ours, model = both(steps)
    taken = [index for start, stop in ours.pop_first(count) for index in range(start, stop)]
    assert taken == sorted(model)[:count]
    assert list(ours) == sorted(model)[count:]
    assert len(ours) == len(model) - len(taken)


@given(changes, ranges)
def test_an_intersection_is_what_both_have(steps, window):
    ours, model = both(steps)
    found = {index for start, stop in ours.intersection(*window) for index in range(start, stop)}
    assert found == model & set(range(*window))


@given(changes)
def test_a_set_of_indices_is_the_same_set(steps):
    ours, model = both(steps)
    assert IntervalSet.of(model) == ours
    assert len(IntervalSet.of(model)) == len(model)
