"""Every kind of encoded value, as a pod opens it."""

import base64
import json
import pickle

import pytest
from headwater.document.unit import KINDS, ItemFiles, items_file
from headwater.errors import StoreError, TargetError
from headwater.runtime.pod.columns import Column
from headwater.runtime.pod.outputs import encoded
from headwater.runtime.pod.values import Values
from hypothesis import given, settings
from hypothesis import strategies as st

TUPLE = {"pickle": base64.b64encode(pickle.dumps((1, 2))).decode()}


@pytest.fixture(params=["folder", "file://", "memory://"])
def values(request, tmp_path):
    if request.param == "folder":
        return Values(str(tmp_path / "store"))
    if request.param == "file://":
        return Values(f"file://{tmp_path}/store")
    return Values(f"memory://store-{tmp_path.name}")


def leave_items(values, attempt, first, entries):
    content = json.dumps({str(index): entry for index, entry in entries.items()}).encode()
    values.store.write_file(items_file("u1", "m", attempt, first), [content])


def examples(values, tmp_path):
    (tmp_path / "mounted").write_text('["a", {"b": null}]')
    leave_items(values, 1, 0, {0: {"outputs": {"y": {"json": 1}}}, 1: {"outputs": {"y": TUPLE}}})
    reference = values.store.put(b"raw")
    return {
        "json": ({"json": {"a": [1, None]}}, {"a": [1, None]}),
        "pickle": (TUPLE, (1, 2)),
        "ref": ({"ref": reference, "format": "bytes", "size": 3, "length": 3}, b"raw"),
        "range": ({"range": 4}, range(4)),
        "list": ({"list": [{"json": 1}, TUPLE, {"list": []}]}, [1, (1, 2), []]),
        "dict": ({"dict": {"a": {"json": 1}, "b": TUPLE}}, {"a": 1, "b": (1, 2)}),
        "items": (ItemFiles("u1", "m", 2, ((1, "0-1", 2),), "y").to_encoded(), [1, (1, 2)]),
        "file": ({"file": str(tmp_path / "mounted"), "length": 2}, ["a", {"b": None}]),
        "item": ({"item": [{"list": [{"json": 1}, TUPLE]}, 1]}, (1, 2)),
    }


def test_every_kind_can_be_opened(values, tmp_path):
    found = examples(values, tmp_path)
    assert set(found) == set(KINDS)
    for kind, (written, value) in found.items():
        assert values.decode(written) == value, kind


def test_every_kind_of_sequence_has_a_length_and_elements(values, tmp_path):
    for kind, (written, value) in examples(values, tmp_path).items():
        if kind in ("json", "ref", "dict"):
            continue
        assert values.length(written) == len(value), kind
        sequence = values.sequence(written)
        assert [sequence[i] for i in range(len(value))] == list(value), kind


def test_one_element_of_a_list_opens_no_other(values):
    missing = {"ref": "sha256:" + "0" * 64, "format": "bytes", "size": 1}
    assert values.sequence({"list": [missing, {"json": 7}]})[1] == 7
    assert values.length({"list": [missing, missing]}) == 2
    with pytest.raises(StoreError, match="cannot read artifact"):
        values.decode({"list": [missing]})


def test_many_references_come_in_order(values):
    parts = [encoded("x", bytes([i]) * 3000, values) for i in range(40)]
    assert values.decode({"list": parts}) == [bytes([i]) * 3000 for i in range(40)]


def test_a_map_cannot_run_over_a_text(values):
    with pytest.raises(TargetError, match="a map cannot run over a str"):
        values.length({"json": "abc"})


def test_what_cannot_be_unpickled_says_what_is_missing(values):
    written = {"pickle": base64.b64encode(b"cnowhere\nThing\n.").decode()}
    with pytest.raises(StoreError, match="No module named 'nowhere'"):
        values.decode(written)


def test_a_mounted_file_that_is_not_there(values):
    with pytest.raises(StoreError, match="the mounted value /nowhere cannot be read"):
        values.decode({"file": "/nowhere"})


def test_the_last_attempt_of_an_item_counts_and_other_files_are_not_read(values):
    leave_items(
        values, 1, 0, {0: {"outputs": {"y": {"json": "old"}}}, 1: {"outputs": {"y": {"json": "one"}}}}
    )
    leave_items(values, 2, 0, {0: {"outputs": {"y": {"json": "new"}}}})
    files = ItemFiles("u1", "m", 4, ((1, "0-3", 2), (2, "0,3", 1)), "y")
    column = Column(files, values)
    assert [column[0], column[1]] == ["new", "one"]
    assert values.decode(files.to_encoded())[:2] == ["new", "one"]


def test_files_of_many_pods_in_a_remote_store(tmp_path):
    values = Values(f"memory://many-{tmp_path.name}")
    for first in range(0, 100, 5):
        leave_items(values, 1, first, {i: {"outputs": {"y": {"json": i}}} for i in range(first, first + 5)})
    files = ItemFiles("u1", "m", 100, ((1, "0-99", 5),), "y")
    assert values.decode(files.to_encoded()) == list(range(100))


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text() | st.integers(), inner)
    | st.frozensets(st.integers()),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(plain)
def test_outputs_arrive_with_the_types_that_they_left_with(tmp_path_factory, value):
    values = Values(str(tmp_path_factory.getbasetemp() / "shared"))
    written = json.loads(json.dumps(encoded("x", value, values)))
    found = values.decode(written)
    assert found == value
    assert type(found) is type(value)
