"""Digests of values: the same for the same content, in every process; different for anything else."""

from __future__ import annotations

import collections
import copy
import dataclasses
import datetime
import decimal
import enum
import fractions
import itertools
import os
import pathlib
import pickle
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from headwater.errors import StoreError
from headwater.values.digest import digest, digest_and_types
from hypothesis import given, settings
from hypothesis import strategies as st


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Level(enum.IntEnum):
    ONE = 1


class Text(str):
    pass


class Number(int):
    pass


@dataclasses.dataclass
class Point:
    x: object
    y: object = None


@dataclasses.dataclass
class Place:
    x: object
    y: object = None


class Slotted:
    __slots__ = ("a",)

    def __init__(self, a):
        self.a = a


Pair = collections.namedtuple("Pair", "a b")
TZ = datetime.timezone(datetime.timedelta(hours=2))

DIFFERENT = [
    None,
    True,
    False,
    0,
    1,
    -1,
    2**62,
    2**63,
    2**64,
    -(2**63),
    -(2**64),
    1.0,
    0.0,
    -0.0,
    float("inf"),
    float("nan"),
    1 + 0j,
    "",
    "1",
    "a",
    "b",
    "\ud800",
    b"",
    b"1",
    b"a",
    bytearray(b"a"),
    memoryview(b"a"),
    [],
    [1],
    [True],
    [1.0],
    ["1"],
    [b"1"],
    [None],
    [[]],
    [[1]],
    [[], []],
    [1, 2],
    [2, 1],
    [12],
    ["a", "b"],
    ["ab"],
    ["", "ab"],
    (),
    (1,),
    (True,),
    ((),),
    ((1,),),
    (1, 2),
    {},
    {"a": 1},
    {"a": True},
    {"a": 1.0},
    {"a": (1,)},
    {"a": [1]},
    {"b": 1},
    {"a": 1, "b": 2},
    {"a": 2, "b": 1},
    {1: "a"},
    {"1": "a"},
    {True: "a"},
    {None: 1},
    {(1, 2): 3},
    {"a": {}},
    set(),
    {1},
    {1.0},
    {"1"},
    {1, 2},
    {1, "2"},
    frozenset(),
    frozenset({1}),
    frozenset({frozenset()}),
    {(1,)},
    range(3),
    range(0, 3, 2),
    slice(1, 2),
    ...,
    NotImplemented,
    Colour.RED,
    Colour.BLUE,
    Level.ONE,
    Text("a"),
    Number(1),
    Point(1),
    Point(1.0),
    Point(2),
    Place(1),
    Point(Point(1)),
    Slotted(1),
    Slotted(2),
    Pair(1, 2),
    Pair(2, 1),
    datetime.datetime(2020, 1, 1),
    datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC),
    datetime.datetime(2020, 1, 1, tzinfo=TZ),
    datetime.date(2020, 1, 1),
    datetime.timedelta(1),
    decimal.Decimal(1),
    decimal.Decimal("1.0"),
    fractions.Fraction(1),
    pathlib.PurePosixPath("a"),
    collections.OrderedDict(a=1),
    collections.OrderedDict([("a", 1), ("b", 2)]),
    collections.OrderedDict([("b", 2), ("a", 1)]),
    collections.Counter("a"),
    collections.defaultdict(int, a=1),
    collections.deque([1]),
    collections.deque([1], 3),
    np.int64(1),
    np.int32(1),
    np.uint64(1),
    np.float64(1),
    np.float32(1),
    np.bool_(True),
    np.str_("a"),
    np.datetime64("2020-01-01"),
    np.datetime64("2020-01-01", "ns"),
    np.array(1),
    np.array([1]),
    np.array([1], "i4"),
    np.array([1.0]),
    np.array([[1]]),
    np.array([1, 2, 3, 4]),
    np.array([[1, 2], [3, 4]]),
    np.array([[1, 3], [2, 4]]),
    np.asfortranarray([[1, 2], [3, 4]]),
    np.array([1], ">i8"),
    np.array([1], "M8[s]"),
    np.array([1], "M8[ms]"),
    np.array([1], object),
    np.array([True], object),
    np.array(["1"], object),
    np.array([], "i4"),
    np.array([], "i8"),
    np.array([(1, 2)], [("a", "i4"), ("b", "i4")]),
    np.array([(1, 2)], [("a", "i4"), ("c", "i4")]),
    np.ma.masked_array([1], mask=[True]),
    np.ma.masked_array([1]),
    np.dtype("i4"),
    np.dtype("i8"),
    np.sin,
    np.cos,
    pd.DataFrame({"a": [1]}),
    pd.DataFrame({"b": [1]}),
    pd.DataFrame({"a": [1.0]}),
    pd.DataFrame({"a": [1]}, index=[1]),
    pd.DataFrame({"a": [1]}, index=pd.Index([0], name="n")),
    pd.DataFrame({"a": ["x"]}),
    pd.DataFrame({"a": [None]}),
    pd.DataFrame({"a": pd.Categorical(["x"])}),
    pd.DataFrame({"a": pd.Categorical(["x"], ["x", "y"])}),
    pd.DataFrame({"a": pd.array([1], "Int64")}),
    pd.DataFrame({"a": pd.array([1], "int64[pyarrow]")}),
    pd.Series([1]),
    pd.Series([1], name="a"),
    pd.Series([1.0]),
    pd.Series([True]),
    pd.Index([1]),
    pd.RangeIndex(1),
    pd.Timestamp("2020"),
    pd.Timestamp("2020", tz="UTC"),
    pd.Timedelta(1),
    pd.NA,
    pd.NaT,
    pd.date_range("2020", periods=2),
    pd.date_range("2020", periods=2, tz="UTC"),
    pa.table({"a": [1]}),
    pa.table({"b": [1]}),
    pa.table({"a": [1.0]}),
    pa.table({"a": [None]}),
    pa.array([1]),
    pa.chunked_array([[1]]),
    pa.array([1], pa.int8()),
    pa.record_batch({"a": [1]}),
    pa.scalar(1),
    pa.int8(),
    pa.int16(),
    int,
    float,
    len,
    max,
    np,
    pd,
    os,
    Point,
    Place,
]


def test_different_values_have_different_digests():
    digests = [digest(value) for value in DIFFERENT]
    clashes = [
        (left, right)
        for (left, a), (right, b) in itertools.combinations(zip(DIFFERENT, digests, strict=True), 2)
        if a == b
    ]
    assert clashes == []


@pytest.mark.parametrize("value", DIFFERENT, ids=lambda value: type(value).__name__)
def test_a_copy_has_the_same_digest(value):
    if not isinstance(value, memoryview) and type(value).__name__ != "module":
        assert digest(pickle.loads(pickle.dumps(value, 5))) == digest(value)
        assert digest([copy.deepcopy(value)]) == digest([value])


SCRIPT = textwrap.dedent(
    """
    import collections, dataclasses, enum, json, sys
    import numpy as np
    from headwater.values.digest import digest
    from headwater.values.code import code_digest

    class Colour(enum.Enum):
        RED = "red"

    @dataclasses.dataclass(frozen=True)
    class Point:
        x: object

    names = {"alpha", "beta", "gamma", "delta"}
    TABLE = {"one": {"a", "b", "c"}, "two": frozenset({"x", "y", None, 1})}

    def helper(x):
        return x in {"p", "q", "r", "s"} or TABLE[x] or names

    def task(x, *, flag={"k", "l", "m"}):
        return [helper(each) for each in x if each in ("u", "v")]

    values = [
        names, frozenset(names), {frozenset({"a", "b"}), frozenset({"c"})}, {"z": 1, "a": {2: names}},
        dict.fromkeys(names), {Colour.RED: 1, "x": 2}, {Point("a"), Point("b"), Point(None)},
        {1, "a", None, 2.5, b"x"}, np.array([names, None], dtype=object),
        collections.Counter(["a", "b"]), collections.OrderedDict(a=names),
        [Point({"s", "t", "u"})] * 20, {"mixed", 1, (2, "three")}, "text" * 3000, Colour.RED, task, helper,
    ]
    print(json.dumps([*map(digest, values), code_digest(task)]))
    """
)


def test_digests_are_the_same_in_every_process(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    found = set()
    for seed in ("0", "1", "42", "random"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        found.add(subprocess.check_output([sys.executable, str(script)], env=environment, text=True))
    assert len(found) == 1


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=6)
    | st.binary(max_size=6)
    | st.dates(),
    lambda inner: (
        st.lists(inner, max_size=20)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=4)
        | st.builds(Point, inner, inner)
        | st.sets(st.integers() | st.text(max_size=3), max_size=5)
    ),
    max_leaves=15,
)


@settings(max_examples=200, deadline=None)
@given(values)
def test_the_digest_follows_content_only(value):
    expected = digest(value)
    assert digest(copy.deepcopy(value)) == expected
    assert digest(pickle.loads(pickle.dumps(value))) == expected
    if isinstance(value, dict):
        assert digest(dict(reversed(value.items()))) == expected
    assert digest([value]) != expected


@settings(max_examples=200, deadline=None)
@given(values, values)
def test_two_values_share_a_digest_only_if_they_pickle_alike(left, right):
    if digest(left) == digest(right):
        assert str(left) == str(right) or left == right


def test_where_and_how_often_a_list_lies_does_not_count():
    inner = [1, [2]]
    assert digest([inner, inner]) == digest([[1, [2]], [1, [2]]])
    point = Point(1)
    assert digest([point, point]) == digest([Point(1), Point(1)])
    long = [[n] for n in range(40)]
    assert digest([long, long, (long,)]) == digest([copy.deepcopy(long), long, (copy.deepcopy(long),)])


def test_a_list_shared_many_times_over_is_read_once():
    value: object = [1]
    for _ in range(200):
        value = [value, value]
    digest(value)
    wide: object = [Point(1)]
    for _ in range(30):
        wide = [wide] * 100
    digest(wide)


def test_cycles_end():
    cycle: list[object] = [1]
    cycle.append(cycle)
    assert digest(cycle) == digest(copy.deepcopy(cycle))
    point = Point(1)
    point.y = {"self": point}
    assert digest(point) == digest(copy.deepcopy(point))
    table: dict[str, object] = {}
    table["self"] = [table]
    assert digest(table) != digest({"self": []})


def test_a_linked_structure_of_thousands_of_objects_is_quick():
    nodes = [Point(number) for number in range(300)]
    for node in nodes:
        node.y = nodes
    digest([nodes])


def test_arrays_count_by_content():
    array = np.arange(1000.0)
    assert digest(array) == digest(array.copy())
    assert digest(array[::2]) == digest(array[::2].copy())
    assert digest(np.broadcast_to(np.arange(3), (4, 3))) == digest(np.tile(np.arange(3), (4, 1)))
    assert digest(np.arange(24).reshape(2, 3, 4).transpose(1, 0, 2)[:, ::2]) == digest(
        np.arange(24).reshape(2, 3, 4).transpose(1, 0, 2)[:, ::2].copy()
    )
    changed = array.copy()
    changed[-1] += 1
    assert digest(changed) != digest(array)


def test_gaps_between_fields_do_not_count():
    dtype = np.dtype([("a", "u1"), ("b", "<i4")], align=True)
    left, right = np.zeros(2, dtype), np.frombuffer(bytearray(b"\xff" * 16), dtype)
    right["a"], right["b"] = 0, 0
    assert left.tobytes() != right.tobytes()
    assert digest(left) == digest(right)


def test_mapped_and_plain_arrays_are_the_same(tmp_path):
    mapped = np.memmap(tmp_path / "file", "i4", "w+", shape=(5,))
    mapped[:] = range(5)
    assert digest(mapped) == digest(np.arange(5, dtype="i4"))


def test_frames_count_by_content_not_by_layout():
    left = pd.DataFrame({"a": [1, 2], "b": [3, 4], "s": ["x", "y"]})
    right = pd.DataFrame({"a": [1, 2]})
    right["b"] = [3, 4]
    right["s"] = ["x", "y"]
    assert digest(left) == digest(right) == digest(pd.concat([left.iloc[:1], left.iloc[1:]]))
    assert digest(left) != digest(left[["b", "a", "s"]])
    attributed = left.copy()
    attributed.attrs["unit"] = "m"
    assert digest(attributed) != digest(left)


def test_tables_count_by_content_not_by_chunks():
    whole = pa.table({"a": [1, 2, 3], "s": ["x", None, "z"]})
    cut = pa.concat_tables([whole.slice(0, 1), whole.slice(1)])
    assert digest(cut) == digest(whole)
    assert digest(pa.chunked_array([[1], [2]])) == digest(pa.chunked_array([[1, 2]]))


def test_functions_count_by_their_code():
    def one(x):
        return x + 1

    def make(n):
        return lambda x: x + n

    def other(x):
        return x + 2

    again = one
    assert digest(one) == digest(again)
    assert digest(make(1)) == digest(make(1)) != digest(make(2))
    assert (
        len({digest(each) for each in (one, other, make(1), len, Point(1).__init__, Point(2).__init__)}) == 6
    )


def test_what_cannot_be_taken_apart_is_refused_with_its_type():
    with pytest.raises(StoreError, match=r"type _thread\.lock cannot be keyed.*leave caching off"):
        digest({"a": [threading.Lock()]})
    with pytest.raises(StoreError, match="generator cannot be keyed"):
        digest(x for x in ())
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(StoreError, match="nested too deeply"):
        digest(deep)


def test_the_classes_inside_are_told():
    types = digest_and_types([1, {"a": Point(Colour.RED)}, fractions.Fraction(1)])[1]
    assert {Point, Colour, fractions.Fraction} <= types
