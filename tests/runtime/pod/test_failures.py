"""Whatever a task does, there is a report, it is valid, and it helps."""

import pytest

WORK = """
    import os, sys

    def divides(): return {"x": 1 / 0}

    class Odd(Exception):
        def __str__(self): raise RuntimeError("no text")

    class Picky(Exception):
        def __init__(self, a, b): super().__init__(f"{a} and {b}")

    class Held(Exception):
        def __init__(self): super().__init__("held"); self.lock = __import__("threading").Lock()

    class Base(BaseException): pass

    def odd(): raise Odd
    def picky(): raise Picky(1, 2)
    def held(): raise Held
    def base(): raise Base("bottom")
    def leaves(): sys.exit("so long")
    def interrupts(): raise KeyboardInterrupt
    def giant(): raise ValueError("long " * 100_000)
    def surrogate(): raise ValueError("half \\ud800 of a pair \\0")
    def memory(): raise MemoryError("too much")
    def recursion(): return {"x": recursion()}
    def lock():
        import threading
        return {"lock": threading.Lock()}
    def unpicklable_class():
        class Local(Exception): pass
        raise Local("local")
    def grouped(): raise ExceptionGroup("several", [ValueError(1), TypeError(2)])
    def dies(): os._exit(7)
"""


@pytest.fixture
def fails(pods):
    pods.write(WORK)
    return lambda name, **given: pods.task(f"work:{name}", **given).failure


def test_an_exception_comes_with_the_users_lines_and_itself(fails, pods):
    failure = fails("divides")
    assert (failure["type"], failure["class"], failure["node"]) == ("ZeroDivisionError", "Error", "t")
    assert failure["message"] == "division by zero"
    assert 'def divides(): return {"x": 1 / 0}' in failure["traceback"]
    assert "headwater" not in failure["traceback"]
    from headwater.runtime.pod.failures import exception_of

    assert isinstance(exception_of(failure), ZeroDivisionError)


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("odd", "Odd", "(a Odd that cannot be shown as text)"),
        ("picky", "Picky", "1 and 2"),
        ("held", "Held", "held"),
        ("base", "Base", "bottom"),
        ("leaves", "SystemExit", "so long"),
        ("interrupts", "KeyboardInterrupt", "KeyboardInterrupt()"),
        ("unpicklable_class", "Local", "local"),
        ("grouped", "ExceptionGroup", "several (2 sub-exceptions)"),
        ("recursion", "RecursionError", "maximum recursion depth exceeded"),
    ],
)
def test_odd_exceptions_are_reported(fails, name, kind, message):
    failure = fails(name)
    assert (failure["type"], failure["message"]) == (kind, message)


def test_of_what_cannot_travel_the_text_travels(fails):
    assert "pickle" in fails("picky")
    assert "pickle" not in fails("held")


def test_a_giant_message_is_cut_and_says_so(fails):
    failure = fails("giant")
    assert failure["message"].startswith("long long")
    assert "of 500,000 characters" in failure["message"]


def test_text_that_cannot_be_encoded_is_made_so(fails):
    assert fails("surrogate")["message"] == "half ? of a pair \0"


def test_too_little_memory_is_oom(fails):
    assert fails("memory")["class"] == "Oom"


def test_an_output_that_cannot_be_stored_is_named(fails):
    failure = fails("lock")
    assert failure["type"] == "StoreError"
    assert failure["message"].startswith("output 'lock': a value of type ")


def test_a_module_that_is_not_there_says_where_it_was_looked_for(fails, pods):
    failure = pods.task("nowhere.at_all:f").failure
    assert (failure["type"], failure["class"]) == ("DefinitionError", "InvalidSpec")
    assert "cannot import 'nowhere.at_all' for 'nowhere.at_all:f'" in failure["message"]
    assert str(pods.folder / "project") in failure["message"]


def test_a_name_that_is_not_there(fails):
    failure = fails("nothing")
    assert failure["class"] == "InvalidSpec"
    assert "module 'work' has no 'nothing'" in failure["message"]


def test_a_module_that_breaks_when_it_is_imported(pods):
    pods.write("print('importing')\nLIMIT = 1 / 0\n", "broken.py")
    ended = pods.task("broken:f")
    assert ended.out == "importing\n"
    assert (ended.failure["type"], ended.failure["class"]) == ("ZeroDivisionError", "Error")
    assert "LIMIT = 1 / 0" in ended.failure["traceback"]


def test_a_wrong_input_is_named(pods):
    pods.write("from headwater import task\n@task\ndef f(x: int) -> {'y': int}: return x\n")
    failure = pods.task("work:f", inputs={"x": "text"}).failure
    assert failure["message"] == "In task 'f': input \"x\" must be int; got str"


def test_a_process_that_dies_leaves_no_report(pods):
    pods.write(WORK)
    ended = pods.task("work:dies")
    assert (ended.code, ended.message) == (7, "")
