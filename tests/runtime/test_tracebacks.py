"""What a person is shown of an exception: their own lines, and the exceptions that led to it."""

from __future__ import annotations

import json

from headwater.errors import StoreError, TargetError
from headwater.runtime.tracebacks import CAUSE, traceback_of
from headwater.values import codec


def shown(fails) -> str:
    try:
        fails()
    except Exception as error:
        return traceback_of(error)
    raise AssertionError("it did not fail")


def reads() -> None:
    try:
        json.loads("{")
    except ValueError as error:
        raise RuntimeError("no settings") from error


def test_the_cause_is_shown_before_what_it_led_to() -> None:
    text = shown(reads)
    first, _, second = text.partition(CAUSE)
    assert 'json.loads("{")' in first
    assert "JSONDecodeError: Expecting property name" in first
    assert second.rstrip().endswith("RuntimeError: no settings")


def test_what_was_being_handled_is_shown_unless_it_is_to_be_hidden() -> None:
    def handles() -> None:
        try:
            {}["gone"]
        except KeyError:
            raise ValueError("another") from None

    assert "KeyError" not in shown(handles)


def test_an_error_of_ours_below_no_line_of_theirs_needs_no_traceback() -> None:
    error = TargetError("not an int")
    error.__cause__ = StoreError("the disk is full")
    assert traceback_of(error) == ""


def test_frames_of_ours_are_left_out() -> None:
    class Stubborn:
        def __reduce__(self):
            raise OSError("it stays here")

    text = shown(lambda: codec.encode(Stubborn(), None))
    assert "it stays here" in text
    assert "/headwater/" not in text
