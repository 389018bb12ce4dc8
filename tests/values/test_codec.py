"""Values arrive with the type that they left with."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import json
import math
import pathlib
import re
import subprocess
import sys
import textwrap
import threading
import uuid
from pathlib import Path

import pytest
from headwater.errors import StoreError
from headwater.values import codec, pickles
from headwater.values.store import ArtifactStore
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


class Colour(enum.Enum):
    RED = 1


class Level(enum.IntEnum):
    LOW = 1


class Mode(enum.StrEnum):
    FAST = "fast"


class Bits(enum.Flag):
    A = 1
    B = 2


@dataclasses.dataclass
class Point:
    x: int
    y: object


@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    x: int


class Text(str):
    pass


class Number(int):
    pass


class Mapping(dict):
    pass


Pair = collections.namedtuple("Pair", "a b")


class Reduced:
    def __init__(self, value):
        self.value = value

    def __reduce__(self):
        return (Reduced, (self.value,))

    def __eq__(self, other):
        return isinstance(other, Reduced) and other.value == self.value

    __hash__ = None


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "artifacts")


def travel(value, store):
    """Through the codec, and through JSON text as a document or a database would carry it."""
    encoded = codec.encode(value, store)
    assert set(encoded) in ({"json"}, {"ref", "format", "size", "length"})
    return codec.decode(json.loads(json.dumps(encoded)), store)


def same(left, right):
    if type(left) is not type(right):
        return False
    if isinstance(left, float):
        if left != left:
            return right != right
        return left == right and math.copysign(1, left) == math.copysign(1, right)
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return len(left) == len(right) and all(
            same(a, b) and same(left[a], right[b]) for a, b in zip(left, right, strict=True)
        )
    return left == right


EXACT = [
    None,
    True,
    False,
    0,
    1,
    -1,
    2**31,
    2**63 - 1,
    2**63,
    -(2**63),
    10**400,
    0.0,
    -0.0,
    1.5,
    1e308,
    5e-324,
    float("inf"),
    float("-inf"),
    float("nan"),
    1j,
    complex("nan"),
    "",
    "text",
    "naïve ☃ 🜲",
    "\0",
    "a\0b",
    "\ud800",
    "\ud83d\ude00",
    '\n\r\t"\\',
    b"",
    b"bytes",
    bytearray(b"x"),
    (),
    (1, 2),
    (1, (2, [3])),
    [],
    [1, [2, {}]],
    [(1,)],
    {},
    {"a": 1},
    {"a": {"b": [None, True, 1.0]}},
    {1: "a"},
    {None: 1},
    {(1, 2): 3},
    {1.5: 1},
    {True: 1},
    {"1": 1, 1: 2},
    {"\ud800": 1},
    {Text("a"): 1},
    set(),
    {1, 2},
    {"a", (1,)},
    frozenset({1}),
    [{1}],
    range(3),
    slice(1, 2),
    ...,
    NotImplemented,
    Colour.RED,
    Level.LOW,
    Mode.FAST,
    Bits.A | Bits.B,
    Point(1, (2,)),
    Frozen(3),
    Text("t"),
    Number(3),
    Mapping(a=1),
    Pair(1, [2]),
    Reduced([1]),
    datetime.datetime(2020, 1, 2, 3, 4, 5, 6),
    datetime.datetime(2020, 1, 2, tzinfo=datetime.UTC),
    datetime.date(2020, 1, 2),
    datetime.time(1),
    datetime.timedelta(1),
    decimal.Decimal("1.10"),
    fractions.Fraction(1, 3),
    uuid.UUID(int=5),
    pathlib.PurePosixPath("a/b"),
    re.compile("a+"),
    collections.OrderedDict([("b", 1), ("a", 2)]),
    collections.Counter("aab"),
    collections.deque([1, 2], maxlen=3),
    collections.defaultdict(list, {"a": [1]}),
    int,
    list,
    len,
    math.sin,
    Point,
    datetime,
    functools.partial(int, base=2),
]


@pytest.mark.parametrize("value", EXACT, ids=lambda value: type(value).__name__)
def test_a_value_arrives_with_its_type(value, store):
    if type(value) is complex and value != value:
        assert str(travel(value, store)) == str(value)
    elif isinstance(value, functools.partial):
        assert travel(value, store)("101") == 5
    else:
        assert same(travel(value, store), value)


@pytest.mark.parametrize("value", EXACT, ids=lambda value: type(value).__name__)
def test_inline_is_told_beforehand(value, store):
    assert codec.is_inline_json(value) == ("json" in codec.encode(value, store))


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()), max_size=8)
    | st.binary(max_size=8)
    | st.datetimes()
    | st.decimals(allow_nan=False)
    | st.sampled_from([Colour.RED, Level.LOW, Mode.FAST, Text("t"), Number(7)]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=4) | st.integers() | st.booleans(), inner, max_size=4)
        | st.sets(st.integers() | st.text(max_size=4), max_size=4)
        | st.frozensets(st.binary(max_size=4), max_size=4)
        | st.builds(Point, st.integers(), st.integers())
        | st.builds(Pair, st.integers(), st.integers())
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plain)
def test_any_value_arrives_with_its_type(store, value):
    assert same(travel(value, store), value)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plain, st.integers(0, 100))
def test_what_is_inline_fits_and_is_exact_json(store, value, limit):
    encoded = codec.encode(value, store, inline_limit=limit)
    if "json" in encoded:
        text = json.dumps(encoded["json"], separators=(",", ":"))
        assert same(json.loads(text), value)
        assert len(text) <= max(limit, 24)  # a single number is always inline


def test_small_json_is_inline_and_large_json_is_an_artifact_that_other_languages_read(store):
    assert codec.encode([1, "a"], store) == {"json": [1, "a"]}
    encoded = codec.encode(list(range(1000)), store)
    assert (encoded["format"], encoded["length"]) == ("json", 1000)
    assert json.loads(store.read(encoded["ref"])) == list(range(1000))
    assert encoded["size"] == len(store.read(encoded["ref"]))


def test_inline_values_are_snapshots(store):
    value = {"a": [1]}
    encoded = codec.encode(value, store)
    value["a"].append(2)
    first = codec.decode(encoded, store)
    first["a"].append(3)
    assert codec.decode(encoded, store) == {"a": [1]}


def test_shared_and_cyclic_references_stay_what_they_are(store):
    inner = [1]
    left, right = travel([inner, inner], store)
    assert left is right
    cycle: list[object] = []
    cycle.append(cycle)
    back = travel(cycle, store)
    assert back[0] is back
    assert travel([[1], [1]], store) == [[1], [1]]
    assert codec.encode([[1], [1]], store) == {"json": [[1], [1]]}


def test_bytes_are_stored_as_they_are(store):
    encoded = codec.encode(b"raw", store)
    assert (encoded["format"], encoded["length"], store.read(encoded["ref"])) == ("bytes", 3, b"raw")


def test_length_is_told_where_there_is_one(store):
    assert codec.encode((1, 2), store)["length"] == 2
    assert codec.encode(Point(1, 2), store)["length"] is None


def test_functions_closures_and_local_classes_travel(store):
    factor = 3

    def scale(x):
        return x * factor

    class Local:
        def twice(self):
            return scale(2)

    assert travel(scale, store)(2) == 6
    assert travel(lambda x: x + factor, store)(1) == 4
    assert travel(Local(), store).twice() == 6


def test_what_is_of_main_travels_to_another_process(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(
            """
            import dataclasses, enum, json, sys
            from headwater.values import codec
            from headwater.values.store import ArtifactStore

            OFFSET = 10

            class Kind(enum.Enum):
                A = 1

            @dataclasses.dataclass
            class Box:
                value: int
                def doubled(self):
                    return helper(self.value)

            def helper(x):
                return 2 * x + OFFSET

            store = ArtifactStore(sys.argv[1])
            values = [Box(4), helper, lambda x: helper(x) + 1, Kind.A, {"nested": [Box(1)]}]
            print(json.dumps([codec.encode(value, store) for value in values]))
            """
        )
    )
    run = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "store")], capture_output=True, text=True, check=True
    )
    store = ArtifactStore(tmp_path / "store")
    box, helper, function, kind, nested = (codec.decode(each, store) for each in json.loads(run.stdout))
    assert (box.value, box.doubled()) == (4, 18)
    assert (helper(1), function(1)) == (12, 13)
    assert (kind.name, kind.value) == ("A", 1)
    assert nested["nested"][0].value == 1


def test_plain_values_need_no_cloudpickle_and_no_numpy():
    code = """
import sys, tempfile
from headwater.values import codec, digest, cache
from headwater.values.store import ArtifactStore
import fractions
with tempfile.TemporaryDirectory() as folder:
    store = ArtifactStore(folder)
    for value in ((1, 2), {3}, fractions.Fraction(1, 3)):
        assert codec.decode(codec.encode(value, store), store) == value
        digest.digest(value)
print(sorted({"numpy", "pandas", "pyarrow", "cloudpickle", "fsspec", "pydantic"} & set(sys.modules)))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_what_cannot_be_pickled_is_refused_with_its_type(store):
    with pytest.raises(StoreError, match=r"type _thread\.lock cannot be stored: .*lock.*Pass something"):
        codec.encode(threading.Lock(), store)
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(StoreError, match="nested too deeply"):
        codec.encode(deep, store)


def test_a_failing_pickle_method_is_named(store):
    class Broken:
        def __reduce__(self):
            raise OSError("no thanks")

    with pytest.raises(StoreError, match=r"Broken cannot be stored: no thanks"):
        codec.encode(Broken(), store)


@pytest.mark.parametrize("damage", [b"", b"garbage", None])
@pytest.mark.parametrize("value", [(1, 2), b"x" * 100, list(range(3000))], ids=["pickle", "bytes", "json"])
def test_a_corrupt_artifact_is_named(store, value, damage):
    encoded = codec.encode(value, store)
    path = store.path(encoded["ref"])
    content = path.read_bytes()
    path.write_bytes(content[:-1] if damage is None else damage)
    with pytest.raises(StoreError, match=r"is corrupt: .* Delete that file") as caught:
        codec.decode(encoded, store)
    assert str(path) in str(caught.value)
    path.write_bytes(content)
    assert codec.decode(encoded, store) == value


def test_a_missing_artifact_is_named(store):
    encoded = codec.encode((1, 2), store)
    store.delete(encoded["ref"])
    with pytest.raises(
        StoreError, match=r"cannot read artifact .*No such file.*Run the node that made it again"
    ):
        codec.decode(encoded, store)


def test_a_class_that_is_gone_is_named(store):
    encoded = codec.encode(Reduced(1), store)
    kept = globals().pop("Reduced")
    try:
        with pytest.raises(StoreError, match=r"cannot be loaded: .*Reduced.*make it importable"):
            codec.decode(encoded, store)
    finally:
        globals()["Reduced"] = kept


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"ref": "sha256:00", "format": "pickle"},
        {"ref": "../x", "format": "json"},
        {"ref": 3, "format": "json"},
        {"ref": "sha256:" + "0" * 64, "format": "exe"},
    ],
)
def test_what_is_no_encoded_value_is_refused(store, wrong):
    with pytest.raises(StoreError, match="is no "):
        codec.decode(wrong, store)


def test_pickles_with_a_buffer_cut_off_are_refused():
    numpy = pytest.importorskip("numpy")
    content = b"".join(pickles.dump([numpy.arange(10_000)]))
    with pytest.raises(ValueError, match="cut short"):
        pickles.load(content[:-100])
