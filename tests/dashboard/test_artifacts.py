"""Values in the artifact store: what they look like, and what must not be done with them."""

from __future__ import annotations

import io
import os
import pickle
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from headwater import task, workflow
from headwater.configuration import state_dir
from headwater.values.store import ArtifactStore
from headwater_dashboard.previews import COLUMNS, READ_BYTES, ROWS, TEXT_BYTES, preview
from headwater_dashboard.tables import MEMORY
from starlette.testclient import TestClient

from tests.dashboard.conftest import Insert, row, run_row

NOWHERE = f"sha256:{'0' * 64}"


def png() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return b"\x89PNG\r\n\x1a\n" + b"".join(
        (
            chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)),
            chunk(b"IDAT", zlib.compress(b"\x00\xff\x00\x00")),
            chunk(b"IEND", b""),
        )
    )


@task
def draw() -> {"plot": bytes, "numbers": list, "page": bytes}:
    return {"plot": png() + b" " * 3000, "numbers": list(range(2000)), "page": b"<script>1</script>" * 300}


@workflow
def drawn():
    draw()


Ask = Callable[[str, str], Any]


@pytest.fixture
def stored(here: TestClient) -> Callable[[str], tuple[str, dict[str, Any]]]:
    """The address below the API of an output of a real run, and how the record names it."""
    drawn.run(check=False)
    (run,) = here.get("/api/v1/runs").json()["items"]
    (node,) = here.get(f"/api/v1/runs/{run['run_id']}/nodes").json()["nodes"]

    def place(name: str) -> tuple[str, dict[str, Any]]:
        value = node["outputs"][name]
        return f"/api/v1/runs/{run['run_id']}/artifacts/{value['ref']}", value

    return place


def test_an_image_is_shown(here: TestClient, stored: Any) -> None:
    place, value = stored("plot")
    assert here.get(place, params={"format": value["format"]}).json()["kind"] == "image"
    content = here.get(f"{place}/content")
    assert content.headers["content-type"] == "image/png"
    assert content.headers["x-content-type-options"] == "nosniff"
    assert content.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert content.content.startswith(png())


def test_json_is_a_tree(here: TestClient, stored: Any) -> None:
    place, value = stored("numbers")
    found = here.get(place, params={"format": value["format"]}).json()
    assert (found["kind"], found["value"][:3]) == ("json", [0, 1, 2])


def test_html_is_text_and_is_never_served_as_a_page(here: TestClient, stored: Any) -> None:
    place, value = stored("page")
    found = here.get(place, params={"format": value["format"]}).json()
    assert (found["kind"], found["text"][:8]) == ("text", "<script>")
    content = here.get(f"{place}/content")
    assert content.headers["content-type"] == "application/octet-stream"
    assert content.headers["content-disposition"].startswith("attachment")


def test_only_artifacts_that_the_run_names_are_given(here: TestClient, stored: Any) -> None:
    place, _ = stored("plot")
    other = ArtifactStore(state_dir() / "artifacts").put(b"of nobody" * 1000)
    base = place.rpartition("/")[0]
    for reference in (other, NOWHERE):
        assert here.get(f"{base}/{reference}").status_code == 404
        assert here.get(f"{base}/{reference}/content").status_code == 404
    for reference in ("..%2F..%2Fetc%2Fpasswd", "sha256:../../x", f"sha256:{'A' * 64}", "%00"):
        assert here.get(f"{base}/{reference}").status_code in (400, 404, 422)


def test_an_artifact_that_is_gone_says_where_it_may_be(ask: TestClient, insert: Insert) -> None:
    insert("run", run_row("r1"))
    outputs = f'{{"y":{{"ref":"{NOWHERE}","format":"npy"}}}}'
    insert("block", row("block", run_id="r1", path="a", kind="task", ref="", phase="Succeeded", attempt=1,
                        message="", outputs=outputs, version=1))  # fmt: skip
    answer = ask.get(f"/api/v1/runs/r1/artifacts/{NOWHERE}")
    assert answer.status_code == 404
    assert "--store" in answer.json()["fix"]


def test_an_artifact_that_is_a_link_out_of_the_store_has_not_been_written_by_us(
    here: TestClient, stored: Any, tmp_path: Path
) -> None:
    place, value = stored("page")
    file = ArtifactStore(state_dir() / "artifacts").path(value["ref"])
    assert file is not None
    file.unlink()
    (tmp_path / "secret").write_bytes(b"secret")
    file.symlink_to(tmp_path / "secret")
    assert b"secret" not in here.get(f"{place}/content").content
    assert "secret" not in here.get(place).text


def test_an_artifact_that_is_no_regular_file_of_the_store_is_not_read(
    here: TestClient, stored: Any, tmp_path: Path
) -> None:
    place, value = stored("page")
    file = ArtifactStore(state_dir() / "artifacts").path(value["ref"])
    assert file is not None
    file.unlink()
    os.mkfifo(file)  # whose reader would wait for ever
    assert here.get(place).status_code == here.get(f"{place}/content").status_code == 404
    file.unlink()
    folder = file.parent.rename(tmp_path / "elsewhere")
    (folder / file.name).write_bytes(b"secret")
    file.parent.symlink_to(folder)
    assert here.get(place).status_code == here.get(f"{place}/content").status_code == 404


def look(form: str, data: bytes) -> Any:
    return preview(io.BytesIO(data), form, len(data))


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        raise AssertionError("it was pickled")


def test_tables_show_their_first_rows() -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table = pyarrow.table({"<b>": list(range(1000)), "text": ["x" * 10_000] * 1000})
    sink = io.BytesIO()
    with pyarrow.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    file = io.BytesIO()
    parquet.write_table(table, file)
    for form, data in (("arrow", sink.getvalue()), ("bytes", file.getvalue())):
        found = look(form, data)
        assert (found.kind, found.columns, len(found.rows)) == ("table", ("<b>", "text"), ROWS)
        assert found.rows[7][0] == "7"
        assert len(found.rows[7][1]) < 300
    for damaged in (
        sink.getvalue()[:-200_000][: len(sink.getvalue()) // 2],
        b"PAR1" + b"\xff" * 500,
        b"ARROW1",
    ):
        assert look("arrow" if damaged[:1] != b"P" else "bytes", damaged).kind in ("none", "table", "text")


def test_arrays_show_their_shape_and_a_forged_size_allocates_nothing() -> None:
    numpy = pytest.importorskip("numpy")
    file = io.BytesIO()
    numpy.save(file, numpy.arange(12.0).reshape(4, 3))
    found = look("npy", file.getvalue())
    assert (found.kind, found.rows[1]) == ("table", ("3.0", "4.0", "5.0"))
    assert "(4, 3)" in found.note
    forged = file.getvalue().replace(b"(4, 3)", b"(9**99, 3)"[:6])
    assert look("npy", forged).kind == "none"
    big = file.getvalue().replace(b"'shape': (4, 3), }", b"'shape': (99999999999,)}"[:18])
    assert look("npy", big).kind == "none"


def test_a_table_that_unfolds_to_more_memory_than_there_is_is_said_and_harms_nobody() -> None:
    pyarrow, numpy = pytest.importorskip("pyarrow"), pytest.importorskip("numpy")
    zeros = pyarrow.record_batch({"z": numpy.zeros(MEMORY // 8 + 5_000_000, "i8")})
    file = io.BytesIO()
    options = pyarrow.ipc.IpcWriteOptions(compression="zstd")
    with pyarrow.ipc.new_stream(file, zeros.schema, options=options) as writer:
        writer.write_batch(zeros)
    assert len(file.getvalue()) < 200_000
    found = look("arrow", file.getvalue())
    assert found.kind == "none"
    assert "it takes more" in found.note


def test_an_array_is_read_as_far_as_it_is_shown() -> None:
    numpy = pytest.importorskip("numpy")

    class Wide(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            assert size is not None
            assert 0 <= size <= 2 * TEXT_BYTES
            return super().read(size)

    file = io.BytesIO()
    numpy.save(file, numpy.arange(1_000_000.0).reshape(100, 10_000))
    found = preview(Wide(file.getvalue()), "npy", len(file.getvalue()))
    assert (len(found.rows), len(found.columns), found.rows[99][49]) == (ROWS, COLUMNS, "990049.0")


def test_a_header_of_gigabytes_is_not_read() -> None:
    claims = b"\x93NUMPY\x02\x00\xff\xff\xff\xff"
    pytest.importorskip("numpy")

    class Endless(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            assert size is not None
            assert 0 <= size <= 2 * TEXT_BYTES
            return (claims + b" " * size)[:size]

    assert preview(Endless(), "npy", 1 << 32).kind == "none"


def test_halves_of_characters_and_deep_json_are_shown_as_far_as_they_can_be(
    here: TestClient, stored: Any
) -> None:
    numpy = pytest.importorskip("numpy")
    place, value = stored("page")
    file = ArtifactStore(state_dir() / "artifacts").path(value["ref"])
    assert file is not None
    array = io.BytesIO()
    numpy.save(array, numpy.array(["\ud800x"]))
    for form, data in (
        ("json", b'{"a": "\\ud800"}'),
        ("json", b"[" * 300 + b"]" * 300),
        ("npy", array.getvalue()),
    ):
        file.write_bytes(data)
        answer = here.get(place, params={"format": form})
        assert answer.status_code == 200
        assert answer.json()["kind"] in ("json", "table")


def test_nothing_is_unpickled() -> None:
    for form in ("pickle", "bytes", "npy", "arrow", "json"):
        found = look(form, pickle.dumps({"a": 1}) + b"cos\nsystem\n(S'exit 1'\ntR.")
        assert found.kind == "none", form
        assert found.note


@pytest.mark.parametrize("form", ["json", "npy", "arrow", "bytes", "pickle", "", "x" * 50])
@pytest.mark.parametrize(
    "data", [b"", b"\x00", b"\xff" * 100, b"[" * 100_000, b"\x93NUMPY\x01\x00\xff\xff", b"RIFF"]
)
def test_no_bytes_are_too_odd_to_be_looked_at(form: str, data: bytes) -> None:
    assert look(form, data).kind in ("none", "text", "json")


def test_what_is_too_large_is_said_and_not_read() -> None:
    class Huge(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            assert size is not None
            assert 0 <= size <= READ_BYTES
            return b"x" * min(size, 100_000)

    assert "bytes of JSON" in preview(Huge(), "json", 1 << 40).note
    assert "more than is read" in preview(Huge(), "arrow", 1 << 40).note
    assert preview(Huge(), "bytes", 1 << 40).kind == "text"
