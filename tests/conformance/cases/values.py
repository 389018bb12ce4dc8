"""Values arrive with the type that they left with."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import math
import pathlib
from collections import OrderedDict

import numpy as np
from headwater import MapWorkflow, Workflow, task

from tests.conformance.case import case


class Colour(enum.Enum):
    RED = 1


@dataclasses.dataclass(frozen=True)
class Point:
    x: int
    y: float


EVERYTHING = {
    "tuple": (1, (2, 3)),
    "set": {1, 2},
    "frozenset": frozenset({"a"}),
    "int keys": {1: "a", 2: "b"},
    "bytes": b"\x00\xff",
    "nan": math.nan,
    "inf": math.inf,
    "none": None,
    "bools": [True, 1, 1.0, False, 0],
    "big": 2**100,
    "complex": 1 + 2j,
    "enum": Colour.RED,
    "dataclass": Point(1, 2.0),
    "datetime": datetime.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=datetime.UTC),
    "date": datetime.date(2026, 1, 2),
    "decimal": decimal.Decimal("1.10"),
    "path": pathlib.PurePosixPath("/a/b"),
    "numpy scalar": np.float32(1.5),
    "array": np.arange(6, dtype=np.int16).reshape(2, 3),
    "ordered": OrderedDict(b=1, a=2),
    "unicode": "日本語 \U0001f600 \x00",
    "range": range(3),
    "nested": {"list": [{"tuple": (1,)}]},
}


@task
def make() -> {"value": dict}:
    return {"value": EVERYTHING}


@task
def passed(value: dict) -> {"value": dict}:
    return {"value": value}


@case(outputs={"value": EVERYTHING})
def through_two_tasks() -> Workflow:
    with Workflow() as w:
        make() | passed()
    return w


@case(outputs={"value": EVERYTHING}, inputs={"value": EVERYTHING})
def as_an_input_of_the_run() -> Workflow:
    with Workflow() as w:
        passed()
    return w


@task
def each(x: object) -> {"y": object}:
    return {"y": x}


@case(outputs={"y": list(EVERYTHING.values())}, inputs={"xs": list(EVERYTHING.values())})
def through_the_items_of_a_map() -> MapWorkflow:
    with MapWorkflow(map_on={"xs": "x"}) as m:
        each()
    return m


@task
def large(size: int) -> {"array": np.ndarray}:
    return np.arange(size, dtype=np.float64)


@task
def summed(array: np.ndarray) -> {"total": float}:
    return float(array.sum())


@case(outputs={"total": 499999500000.0}, inputs={"size": 1_000_000})
def a_large_array() -> Workflow:
    with Workflow() as w:
        large() | summed()
    return w


@task
def adder(offset: int) -> {"function": object}:
    return {"function": lambda x: x + offset}


@task
def call(function: object, x: int) -> {"y": int}:
    return function(x)


@case(outputs={"y": 42}, inputs={"offset": 40})
def a_closure_travels() -> Workflow:
    with Workflow() as w:
        adder() | call(x=2)
    return w


@case(outputs={"y": 6}, inputs={"x": 3, "function": lambda x: 2 * x})
def a_closure_as_an_input() -> Workflow:
    with Workflow() as w:
        call()
    return w


@task
def rows(array: np.ndarray) -> {"total": float}:
    return float(array.sum())


@case(outputs={"total": [6.0, 15.0]}, inputs={"matrix": np.array([[1.0, 2, 3], [4, 5, 6]])})
def a_map_over_the_rows_of_an_array() -> MapWorkflow:
    with MapWorkflow(map_on={"matrix": "array"}) as m:
        rows()
    return m


@task
def change(xs: list) -> {"changed": list}:
    xs.append(4)
    return xs


@task
def big_item(x: int) -> {"data": bytes}:
    return bytes([x]) * 2_000_000


@task
def sizes(data: list) -> {"sizes": list[int]}:
    return [len(each) + each[0] for each in data]


@case(outputs={"sizes": [2_000_000 + i for i in range(8)]}, inputs={"xs": list(range(8))})
def items_of_two_megabytes() -> Workflow:
    with Workflow() as w:
        MapWorkflow(big_item(), map_on={"xs": "x"}) | sizes()
    return w
