"""The parts of the test cluster that can be tried without starting one."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cluster import processes
from tests.cluster.cached import made
from tests.cluster.machine import Slot
from tests.cluster.transfer import Layout, pack

root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing here touches the cluster that may be running."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(processes, "RECORDS", tmp_path / "processes")
    monkeypatch.setattr(processes, "LOGS", tmp_path / "logs")
    return tmp_path


def test_a_process_is_found_by_its_record_and_ended() -> None:
    started = processes.start("sleeper", ["sleep", "60"])

    assert processes.find("sleeper") == started
    started.end()
    assert processes.find("sleeper") is None


def test_a_process_that_only_has_the_same_number_is_left_alone() -> None:
    started = processes.start("sleeper", ["sleep", "60"])

    replace(started, started="another-boot:1").end()

    assert started.alive
    started.end()


def test_the_child_of_a_wrapper_is_the_process_that_counts() -> None:
    started = processes.start("wrapped", ["sh", "-c", "sleep 60; true"], child=True)

    parent = int(Path(f"/proc/{started.pid}/stat").read_text().rpartition(")")[2].split()[1])
    command = Path(f"/proc/{parent}/cmdline").read_bytes()
    started.end()

    assert command == b"sh\x00-c\x00sleep 60; true\x00"


def test_a_thing_is_made_once(tmp_path: Path) -> None:
    calls: list[Path] = []

    def make(folder: Path) -> None:
        calls.append(folder)
        (folder / "file").write_text("made")

    first, second = made("thing", "key", make), made("thing", "key", make)

    assert (first, len(calls), (second / "file").read_text()) == (second, 1, "made")


def test_what_fails_half_way_is_not_taken_for_made() -> None:
    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        made("thing", "key", fail)

    whole = made("thing", "key", lambda folder: (folder / "whole").touch())
    assert [path.name for path in whole.iterdir()] == ["whole"]


def test_slots_share_nothing() -> None:
    one, two = Slot(0), Slot(1)

    for name in ("link", "host", "node", "pods", "cgroup"):
        assert getattr(one, name) != getattr(two, name)
    assert not {one.port(offset) for offset in range(10)} & {two.port(offset) for offset in range(10)}


@root
def test_a_layer_says_what_it_removes(tmp_path: Path) -> None:
    layer = tmp_path / "layer"
    (layer / "kept").mkdir(parents=True)
    (layer / "kept" / "file").write_text("text")
    os.mknod(layer / "gone", stat.S_IFCHR, 0)
    file = io.BytesIO()

    pack(layer, file)

    file.seek(0)
    with tarfile.open(fileobj=file) as tar:
        assert tar.getnames() == [".wh.gone", "kept", "kept/file"]


def test_a_layout_is_a_tar_whose_names_are_the_digests_of_its_blobs(tmp_path: Path) -> None:
    file = io.BytesIO()
    layout = Layout(tmp_path, file, {})

    blob = layout.put(lambda into: into.write(b"some bytes"))
    again = layout.put(lambda into: into.write(b"some bytes"))
    layout.close()

    file.seek(0)
    with tarfile.open(fileobj=file) as tar:
        names = tar.getnames()
        content = tar.extractfile(f"blobs/{blob.digest.replace(':', '/')}")
        assert content is not None
        assert content.read() == b"some bytes"
    assert (names.count(f"blobs/{blob.digest.replace(':', '/')}"), again) == (1, blob)
    assert {"oci-layout", "index.json"} < set(names)
