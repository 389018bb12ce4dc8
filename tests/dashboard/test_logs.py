"""Logs by pieces, whatever is in the file; and followed as they grow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from headwater.configuration import database_url, state_dir
from headwater.errors import UsageError
from headwater.records import upgrade
from headwater.records.connection import connect
from headwater.records.log_files import LogFilter, log_file
from headwater.records.model import Run
from headwater_dashboard.log_reader import LINE_BYTES, TEXT_LIMIT, read_chunk
from headwater_dashboard.log_search import find_lines
from headwater_dashboard.pod_logs import PodLogs
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from tests.dashboard.conftest import reduce, run_row


def line(text: str, **more: object) -> bytes:
    return json.dumps({"t": 0, "p": "a", "a": 1, "s": "stdout", **more, "x": text}).encode() + b"\n"


def read(file: Path, offset: int = 0, limit: int = 65_536, text: str = "", **wanted: object) -> list[str]:
    chunk = read_chunk(file, offset=offset, limit=limit, wanted=LogFilter(**wanted), text=text)  # type: ignore[arg-type]
    return [each.partition(": ")[2] for each in chunk.text.splitlines()]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "r1.jsonl"


@pytest.fixture
def logged(here: TestClient) -> Path:
    """The log file of the run r1, which goes on."""
    upgrade(database_url())
    connection = connect(database_url())
    connection.write({"run": [run_row("r1", phase="Running", finished_at=None, host="elsewhere")]}, [
        ("UPDATE run SET heartbeat_at = 1e11", {})
    ])  # fmt: skip
    connection.close()
    (state_dir() / "logs").mkdir(parents=True)
    return log_file("r1")


def test_a_run_of_this_machine_says_what_it_printed(here: TestClient) -> None:
    reduce.run(check=False)
    run = here.get("/api/v1/runs").json()["items"][0]["run_id"]
    whole = here.get(f"/api/v1/runs/{run}/logs").json()
    assert "gen: generating 6\n" in whole["text"]
    assert whole["complete"] is True
    assert whole["next_offset"] == whole["size"]
    of_item = here.get(f"/api/v1/runs/{run}/logs?path=halves[3]").json()["text"]
    assert "halving 3" in of_item
    assert "halving 4" not in of_item
    assert "generating" not in of_item
    assert here.get(f"/api/v1/runs/{run}/logs?text=HALVING 4").json()["text"].count("\n") == 1
    found = here.get(f"/api/v1/runs/{run}/logs/matches?text=HALVING 4").json()
    (match,) = found["matches"]
    assert "halving 4" in whole["text"].splitlines()[match["line"]]
    assert (found["next_offset"], found["complete"]) == (whole["size"], True)
    assert here.get(f"/api/v1/runs/{run}/logs/matches").status_code == 422


def test_pieces_put_together_are_the_whole(file: Path) -> None:
    file.write_bytes(b"".join(line(f"line {at}") for at in range(100)))
    found, offset = [], 0
    while True:
        chunk = read_chunk(file, offset=offset, limit=200, wanted=LogFilter())
        found += chunk.text.splitlines()
        offset = chunk.next_offset
        if chunk.at_end:
            break
    assert [each.partition(": ")[2] for each in found] == [f"line {at}" for at in range(100)]
    assert offset == file.stat().st_size


def test_a_line_of_10_mb_is_cut_and_what_follows_is_read(file: Path) -> None:
    file.write_bytes(line("x" * 10_000_000) + line("after"))
    first = read_chunk(file, offset=0, limit=65_536, wanted=LogFilter())
    (long,) = read(file)
    assert long.startswith("xxx")
    assert len(long) < 2 * TEXT_LIMIT
    assert read(file, first.next_offset) == ["after"]


@given(st.text(min_size=1, max_size=3))
def test_a_long_line_of_any_characters_is_cut_to_readable_text(
    tmp_path_factory: pytest.TempPathFactory, unit: str
) -> None:
    file = tmp_path_factory.mktemp("log") / "r.jsonl"
    file.write_bytes(line(unit * (LINE_BYTES // len(unit))) + line("after"))
    chunk = read_chunk(file, offset=0, limit=10**6, wanted=LogFilter("a"))
    assert chunk.text.endswith("a: after\n")
    assert len(chunk.text) < 4 * TEXT_LIMIT


def test_a_line_that_is_still_written_waits(file: Path) -> None:
    file.write_bytes(line("one") + b'{"t": 1, "x": "ha')
    chunk = read_chunk(file, offset=0, limit=1000, wanted=LogFilter())
    assert chunk.text.endswith("one\n")
    assert chunk.next_offset == len(line("one"))
    assert chunk.at_end


def test_what_is_no_json_and_no_text_is_shown_as_it_is(file: Path) -> None:
    file.write_bytes(b"\xff\xfe\n[1]\n" + line("fine", t=1e300, i="<b>"))
    assert (
        read_chunk(file, offset=0, limit=1000, wanted=LogFilter()).text == "\ufffd\ufffd\n[1]\na[<b>]: fine\n"
    )


def test_an_offset_within_a_line_begins_at_the_next(file: Path) -> None:
    file.write_bytes(line("one") + line("two"))
    assert read(file, offset=3) == ["two"]
    assert read(file, offset=10_000) == []


def test_lines_before_a_byte_are_read_and_no_more(file: Path) -> None:
    lines = [line("one"), line("two"), line("three")]
    file.write_bytes(b"".join(lines))
    until = len(lines[0]) + len(lines[1])
    chunk = read_chunk(file, offset=0, limit=1000, wanted=LogFilter(), until=until)
    assert chunk.text.count("\n") == 2
    assert chunk.next_offset == until


def test_a_text_is_found_in_the_whole_log_piece_by_piece(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headwater_dashboard.log_search.SCAN_BYTES", 500)
    texts = [f"{'NEEDLE' if at % 7 == 3 else 'hay'} {at}" for at in range(50)]
    file.write_bytes(b"".join(line(text, p="b" if at % 2 else "a") for at, text in enumerate(texts)))
    found: list[int] = []
    offset = number = 0
    while True:
        piece = find_lines(file, text="needle", offset=offset, line=number, limit=2, wanted=LogFilter("b"))
        found += [match.line for match in piece.matches]
        for match in piece.matches:
            assert "NEEDLE" in read(file, match.offset)[0]
        offset, number = piece.next_offset, piece.next_line
        if piece.at_end:
            break
    assert found == [at // 2 for at in range(50) if at % 7 == 3 and at % 2]
    assert number == 25


def test_what_is_searched_is_the_line_as_it_is_shown_even_beyond_its_cut(file: Path) -> None:
    coloured = "\x1b[31mload\x1b[0ming"
    file.write_bytes(
        line("x" * TEXT_LIMIT + "far off") + line(coloured) + line("two\nlines", i=3) + line("end")
    )

    def lines_with(text: str) -> list[int]:
        found = find_lines(file, text=text, limit=10, wanted=LogFilter())
        return [match.line for match in found.matches]

    assert lines_with("FAR OFF") == [0]
    assert lines_with("loading") == [1]
    assert lines_with("a[3]: two") == [2]
    assert lines_with("end") == [4]
    assert lines_with("nowhere") == []


def test_a_long_line_is_searched_as_far_as_it_is_read(file: Path) -> None:
    file.write_bytes(line("x" * (LINE_BYTES // 2) + "needle" + "\\" * LINE_BYTES) + line("end"))
    found = find_lines(file, text="needle", limit=10, wanted=LogFilter())
    assert ([match.line for match in found.matches], found.at_end) == ([0], True)


def test_a_line_without_end_is_passed_piece_by_piece(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headwater_dashboard.log_reader.SCAN_BYTES", 3 * LINE_BYTES)
    with file.open("wb") as written:
        written.write(b"zeros")
        written.seek(60 * LINE_BYTES)
        written.write(b"\n" + line("end"))
    found, offset, looks = "", 0, 0
    while offset < file.stat().st_size:
        chunk = read_chunk(file, offset=offset, limit=1000, wanted=LogFilter())
        assert chunk.next_offset - offset <= 8 * LINE_BYTES
        found, offset, looks = found + chunk.text, chunk.next_offset, looks + 1
        assert chunk.at_end == (offset == file.stat().st_size)
    assert looks > 5
    assert found.startswith("zeros")
    assert found.endswith("a: end\n")
    piece = find_lines(file, text="end", offset=LINE_BYTES, line=1, limit=10, wanted=LogFilter())
    assert not piece.matches
    assert not piece.at_end


@pytest.mark.parametrize(
    "odd",
    [
        b'{"x": "text", "p": "\\udfff"}\n',
        b"[" * 200_000 + b"\n",
        b'{"x": ' + b"[" * 900 + b"]" * 900 + b"}\n",
        b'{"p": ' + b"[" * 900 + b"]" * 900 + b', "x": "text"}\n',
        b'{"i": {}, "p": [1], "t": true, "x": "text"}\n',
        b'{"i": ' + b"9" * 5000 + b', "x": "text"}\n',
        b'{"x": null}\n',
    ],
    ids=range(7),
)
def test_no_line_is_too_odd_to_be_shown_and_searched(here: TestClient, logged: Path, odd: bytes) -> None:
    logged.write_bytes(odd + line("after"))
    found = here.get("/api/v1/runs/r1/logs")
    assert found.status_code == 200
    assert found.json()["text"].endswith("a: after\n")
    assert here.get("/api/v1/runs/r1/logs?path=nope").status_code == 404
    (match,) = here.get("/api/v1/runs/r1/logs/matches?text=after").json()["matches"]
    assert match["offset"] == len(odd)


def test_a_log_that_is_no_regular_file_is_not_read(here: TestClient, logged: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(line("secret"))
    logged.symlink_to(tmp_path / "secret")
    assert here.get("/api/v1/runs/r1/logs").json()["text"] == ""
    assert here.get("/api/v1/runs/r1/logs/matches?text=secret").json()["matches"] == []
    logged.unlink()
    os.mkfifo(logged)  # whose reader would wait for ever
    assert here.get("/api/v1/runs/r1/logs").json()["text"] == ""
    assert here.get("/api/v1/runs/r1/logs/matches?text=secret").json()["matches"] == []


def test_no_id_leads_out_of_the_folder_of_logs() -> None:
    for run_id in ("../headwater", "..", "", "a/b", "/etc/passwd", ".hidden"):
        with pytest.raises(UsageError):
            log_file(run_id)


def test_a_recorded_run_whose_id_is_a_path_has_no_log(here: TestClient, tmp_path: Path) -> None:
    upgrade(database_url())
    secret = tmp_path / "secret.jsonl"
    secret.write_bytes(line("secret"))
    connection = connect(database_url())
    connection.write({"run": [run_row(str(secret.with_suffix(""))), run_row("..")]})
    connection.close()
    for run_id in ("%2F".join(secret.with_suffix("").parts), "%2E%2E", "..%2f..%2fetc%2fpasswd"):
        answer = here.get(f"/api/v1/runs/{run_id}/logs")
        assert "secret" not in answer.json().get("text", "")


def test_a_run_that_goes_on_is_not_complete(here: TestClient, logged: Path) -> None:
    logged.write_bytes(line("one"))
    found = here.get("/api/v1/runs/r1/logs").json()
    assert (found["text"].endswith("a: one\n"), found["complete"]) == (True, False)
    assert here.get("/api/v1/runs/r1/logs?path=nope").status_code == 404


def test_what_nobody_foresaw_while_pods_are_followed_is_said_where_the_log_would_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("headwater_dashboard.pod_logs._fill", full)
    logs = PodLogs()
    logs.keep(Run("u1", "n", "Failed", "kubernetes", "", 10.0, 11.0))
    source = logs.of(Run("u1", "n", "Failed", "kubernetes", "", 10.0, 11.0))
    assert source.done
    assert "No space left on device" in source.note
    assert logs.following == 0


def test_what_a_killed_dashboard_has_left_is_removed_and_what_another_writes_is_not() -> None:
    folder = state_dir() / "logs"
    folder.mkdir(parents=True)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left, going = folder / f".r1.{ended.pid}.part", folder / f".r2.{os.getpid()}.part"
    for file in (left, going):
        file.touch()
    PodLogs.clean_up()
    assert [file.name for file in folder.iterdir()] == [going.name]
