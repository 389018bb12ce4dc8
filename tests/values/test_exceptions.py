"""Exceptions come back from a pickle as what they were."""

from __future__ import annotations

import pickle

import pytest
from headwater.backends.pool.protocol import dump_by_value
from headwater.values import pickles


class Refused(Exception):
    def __init__(self, who: str, status: int) -> None:
        super().__init__(f"{who} said {status}")
        self.status = status


class Undecodable(UnicodeDecodeError):
    def __init__(self, content: bytes) -> None:
        super().__init__("utf-8", content, 0, 1, "odd")


@pytest.mark.parametrize("dump", [lambda e: b"".join(pickles.dump(e)), lambda e: dump_by_value(e)[0]])
def test_also_where_their_class_takes_other_arguments(dump) -> None:
    refused = pickle.loads(dump([Refused("the server", 503)]))[0]
    assert (type(refused), str(refused), refused.status) == (Refused, "the server said 503", 503)
    undecodable = pickle.loads(dump(Undecodable(b"\xff")))
    assert (type(undecodable), undecodable.object, undecodable.reason) == (Undecodable, b"\xff", "odd")


def test_those_of_python_go_as_they_always_do() -> None:
    gone = pickle.loads(b"".join(pickles.dump(FileNotFoundError(2, "gone", "a.txt"))))
    assert (gone.errno, gone.filename) == (2, "a.txt")
