"""Arrays and tables: exact, with no copy through pickle, writable where they arrive."""

from __future__ import annotations

import pickle
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from headwater.errors import StoreError
from headwater.values import arrays, codec, pickles
from headwater.values.store import ArtifactStore
from hypothesis import HealthCheck, given, settings
from hypothesis.extra import numpy as npst

PADDED = np.dtype([("a", "u1"), ("b", "<f8")], align=True)


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "artifacts")


def travel(value, store):
    return codec.decode(codec.encode(value, store), store)


def assert_same(left, right):
    assert type(left) is type(right)
    assert left.dtype == right.dtype
    assert left.shape == right.shape
    if arrays.is_plain_dtype(left.dtype):
        assert left.tobytes() == right.tobytes()
    else:
        np.testing.assert_array_equal(left, right)


ARRAYS = {
    "float": np.random.default_rng(0).random((5, 7)),
    "fortran": np.asfortranarray(np.arange(12.0).reshape(3, 4)),
    "strided": np.arange(100)[::3],
    "transposed-3d": np.arange(24).reshape(2, 3, 4).transpose(1, 2, 0),
    "reversed": np.arange(5)[::-1],
    "broadcast": np.broadcast_to(np.arange(3), (4, 3)),
    "0-d": np.array(3.5),
    "0-d structured": np.array((1, 2.0), dtype=[("a", "i4"), ("b", "f8")]),
    "empty": np.empty((0, 3), dtype="i2"),
    "structured": np.array([(1, "x"), (2, "yy")], dtype=[("n", "<i4"), ("s", "U4")]),
    "padded": np.array([(1, 2.0)], dtype=PADDED),
    "records-nested": np.zeros(2, dtype=[("p", [("x", "f4"), ("y", "f4", (2,))])]),
    "bool": np.array([True, False]),
    "complex": np.array([1 + 2j]),
    "bytes": np.array([b"a", b"bc"]),
    "unicode": np.array(["a", "é☃"]),
    "zero-width": np.array(["", ""], dtype="U0"),
    "void": np.array([b"abc"], dtype="V3"),
    "datetime": np.array(["2020-01-01", "NaT"], dtype="M8[ns]"),
    "timedelta": np.array([1, 2], dtype="m8[s]"),
    "big-endian": np.arange(3, dtype=">i4"),
    "half": np.array([1, 2], dtype="f2"),
    "longdouble": np.array([1, 2], dtype="g"),
    "object": np.array([1, "a", None, (1, 2)], dtype=object),
    "object-structured": np.array([(1, {"a": 1})], dtype=[("n", "i4"), ("o", "O")]),
    "nan": np.array([np.nan, np.inf, -0.0]),
    "strings": np.array(["a", "long " * 100], dtype=np.dtypes.StringDType()),
    "metadata": np.arange(3, dtype=np.dtype("i4", metadata={"unit": "m"})),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_arrives_as_it_was(name, store):
    array = ARRAYS[name]
    back = travel(array, store)
    assert_same(back, array)
    assert back.dtype.isalignedstruct == array.dtype.isalignedstruct
    assert back.dtype.metadata == array.dtype.metadata
    assert arrays.is_fortran(back) == arrays.is_fortran(array)
    assert back.flags.writeable


@pytest.mark.parametrize("name", ["float", "fortran", "0-d", "structured", "datetime", "strided", "empty"])
def test_the_artifact_is_a_file_that_numpy_opens(name, store):
    encoded = codec.encode(ARRAYS[name], store)
    assert encoded["format"] == "npy"
    assert_same(np.load(store.path(encoded["ref"])), ARRAYS[name])


@pytest.mark.parametrize("name", ["object", "object-structured", "padded", "metadata", "strings"])
def test_what_npy_would_change_is_pickled(name, store):
    assert codec.encode(ARRAYS[name], store)["format"] == "pickle"


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    npst.arrays(
        npst.array_dtypes() | npst.scalar_dtypes(), npst.array_shapes(min_dims=0, max_dims=3, max_side=4)
    )
)
def test_any_array_arrives_as_it_was(store, array):
    assert_same(travel(array, store), array)


@pytest.mark.parametrize(
    "scalar",
    [
        np.int64(1),
        np.float32(1.5),
        np.bool_(True),
        np.str_("a"),
        np.bytes_(b"a"),
        np.datetime64("2020"),
        np.float64("nan"),
    ],
    ids=repr,
)
def test_numpy_scalars_keep_their_type(scalar, store):
    back = travel(scalar, store)
    assert type(back) is type(scalar)
    assert back == scalar or back != back


def test_masked_and_matrix_arrays_keep_their_class(store):
    masked = np.ma.masked_array([1, 2, 3], mask=[0, 1, 0])
    back = travel(masked, store)
    assert type(back) is type(masked)
    assert back.mask.tolist() == [False, True, False]
    record = np.array([(1,)], dtype=[("a", "i4")]).view(np.recarray)
    assert type(travel(record, store)) is np.recarray


def test_a_mapped_file_arrives_as_an_array(store, tmp_path):
    mapped = np.memmap(tmp_path / "data", dtype="i4", mode="w+", shape=(10,))
    mapped[:] = 7
    back = travel(mapped, store)
    assert type(back) is np.ndarray
    assert back.tolist() == [7] * 10


def test_a_large_array_is_mapped_and_can_be_written_to(store):
    array = np.arange(2_000_000.0)
    encoded = codec.encode(array, store)
    first = codec.decode(encoded, store)
    first[0] = 99
    second = codec.decode(encoded, store)
    assert (type(second), second[0], second.flags.writeable) == (np.ndarray, 0.0, True)
    store.delete(encoded["ref"])
    assert second.sum() == array.sum()


def test_writing_and_reading_a_large_array_copies_nothing(store):
    array = np.ones((1000, 4000))
    tracemalloc.start()
    try:
        encoded = codec.encode(array, store)
        back = codec.decode(encoded, store)
        several = codec.encode([array, array.T], store)
        travelled = codec.decode(several, store)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()
    assert back.sum() == travelled[0].sum() == array.sum()
    assert travelled[1].shape == (4000, 1000)


def test_a_list_of_many_arrays_keeps_each_writable(store):
    values = [np.full(1000 + number, number) for number in range(1500)]
    back = travel(values, store)
    assert all(map(np.array_equal, values, back))
    back[0][0] = 5
    back[-1][0] = 5
    small = travel({"a": np.arange(3)}, store)
    small["a"][0] = 9


def test_a_read_only_array_inside_a_list_stays_read_only(store):
    array = np.arange(10_000)
    array.flags.writeable = False
    assert not travel([array], store)[0].flags.writeable


def test_a_large_artifact_of_the_wrong_size_is_refused(store):
    encoded = codec.encode(np.ones(2_000_000), store)
    path = store.path(encoded["ref"])
    with path.open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(StoreError, match="is corrupt: it has 1000 bytes instead of 16000128"):
        codec.decode(encoded, store)
    assert codec.encode(np.ones(2_000_000), store) == encoded
    assert codec.decode(encoded, store).sum() == 2_000_000


def test_a_damaged_array_is_refused(store):
    encoded = codec.encode(np.ones(1000), store)
    path = store.path(encoded["ref"])
    path.write_bytes(path.read_bytes().replace(b"\xf0?", b"\xf1?", 1))
    with pytest.raises(StoreError, match="is corrupt: its content is not what was written"):
        codec.decode(encoded, store)


def test_npy_files_that_are_none_are_refused():
    content = b"".join(map(bytes, codec.pack(np.arange(4))[1]))
    assert arrays.read_npy(content).tolist() == [0, 1, 2, 3]
    for damaged in (content[:-1], content + b"x", content[:20], b""):
        with pytest.raises(ValueError):  # noqa: PT011  # numpy words it
            arrays.read_npy(damaged)


FRAMES = {
    "default": pd.DataFrame({"a": [1, 2], "b": [1.5, None], "c": ["x", None]}),
    "named-index": pd.DataFrame({"a": [1, 2]}, index=pd.Index(["p", "q"], name="key")),
    "multi": pd.DataFrame(
        {("a", 1): [1, 2]}, index=pd.MultiIndex.from_tuples([(1, "x"), (2, "y")], names=["n", "s"])
    ),
    "dates": pd.DataFrame(
        {"v": range(3)}, index=pd.date_range("2020", periods=3, freq="D", tz="Europe/Paris")
    ),
    "category": pd.DataFrame({"c": pd.Categorical(["a", "b", "a"], categories=["b", "a"], ordered=True)}),
    "objects": pd.DataFrame({"o": [1, "a", (1, 2)]}, dtype=object),
    "nullable": pd.DataFrame(
        {"i": pd.array([1, None], dtype="Int64"), "s": pd.array(["a", None], dtype="string")}
    ),
    "int-columns": pd.DataFrame([[1, 2], [3, 4]]),
    "same-names": pd.DataFrame([[1, 2]], columns=["a", "a"]),
    "empty": pd.DataFrame(),
    "no-rows": pd.DataFrame({"a": pd.Series([], dtype="i2")}),
    "periods": pd.DataFrame({"p": pd.period_range("2020-01", periods=2, freq="M")}),
    "sparse-index": pd.DataFrame({"a": [1, 2, 3]}).iloc[[2, 0]],
    "arrow": pd.DataFrame({"a": pd.array([1, None], dtype="int64[pyarrow]")}),
}


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_arrives_as_it_was(name, store):
    frame = FRAMES[name]
    back = travel(frame, store)
    pd.testing.assert_frame_equal(back, frame, check_freq=True)
    assert type(back.index) is type(frame.index)
    assert back.columns.equals(frame.columns)


def test_series_and_attributes_arrive(store):
    series = pd.Series([1.0, 2.0], index=["a", "b"], name="s")
    series.attrs["unit"] = "m"
    back = travel(series, store)
    pd.testing.assert_series_equal(back, series)
    assert back.attrs == {"unit": "m"}


def test_a_frames_numbers_lie_beside_the_pickle(store):
    frame = pd.DataFrame(np.ones((20_000, 4)), columns=list("abcd"))
    assert len(pickle.dumps(frame, 5)) > 600_000
    assert len(pickles.dump(frame)[2]) < 10_000
    back = travel(frame, store)
    back.loc[0, "a"] = 5.0
    assert back.loc[0, "a"] == 5.0


TABLES = {
    "plain": pa.table({"a": [1, None], "s": ["x", "y"]}),
    "chunked": pa.concat_tables([pa.table({"a": [1]}), pa.table({"a": [2, 3]})]),
    "dictionary": pa.table({"d": pa.array(["a", "b", "a"]).dictionary_encode()}),
    "metadata": pa.table({"a": [1]}).replace_schema_metadata({"k": "v"}),
    "sliced": pa.table({"a": list(range(100)), "b": [True] * 100}).slice(3, 50),
    "nested": pa.table({"l": [[1], [], None], "st": [{"a": 1}, None, {"a": 2}]}),
    "empty": pa.table({"a": pa.array([], pa.int8())}),
    "no-columns": pa.table({}),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_an_arrow_stream(name, store):
    table = TABLES[name]
    encoded = codec.encode(table, store)
    back = codec.decode(encoded, store)
    assert encoded["format"] == "arrow"
    assert encoded["length"] == len(table)
    assert back.equals(table, check_metadata=True)
    assert back.schema.equals(table.schema, check_metadata=True)


@pytest.mark.parametrize(
    "value",
    [pa.array([1, 2]), pa.chunked_array([[1], [2]]), pa.record_batch({"a": [1]})],
    ids=["array", "chunked", "batch"],
)
def test_other_arrow_values_arrive(value, store):
    back = travel(value, store)
    assert type(back) is type(value)
    assert back.equals(value)
