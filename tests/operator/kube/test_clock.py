"""The API server's clock, told from the dates of its answers."""

from __future__ import annotations

import random
from email.utils import formatdate

from headwater_operator.kube.clock import ServerClock


def test_clocks_an_hour_apart_agree_within_a_tenth_of_a_second_after_some_answers() -> None:
    rng = random.Random(3)
    true_time, own = [1_800_000_000.0], [50.0]
    clock = ServerClock(lambda: own[0])
    for _ in range(100):
        step = rng.random() * 2
        true_time[0] += step
        own[0] += step
        sent = own[0]
        date = formatdate(int(true_time[0]), usegmt=True)
        own[0] += 0.01
        true_time[0] += 0.01
        clock.heard(date, sent)
    assert abs(clock.now() - true_time[0]) < 0.1


def test_it_never_goes_back() -> None:
    own = [0.0]
    clock = ServerClock(lambda: own[0])
    clock.heard(formatdate(1000, usegmt=True), 0.0)
    first = clock.now()
    clock.heard(formatdate(500, usegmt=True), 0.0)
    assert clock.now() >= first


def test_a_date_that_is_none_is_passed_over() -> None:
    clock = ServerClock(lambda: 1.0)
    before = clock.now()
    clock.heard("yesterday", 0.0)
    assert clock.now() == before
