"""The artifact store: content under its digest, never half of it."""

from __future__ import annotations

import errno
import os
import pickle
import resource
import subprocess
import sys
import threading
from hashlib import sha256
from pathlib import Path

import pytest
from headwater.errors import StoreError
from headwater.values import files
from headwater.values.store import ArtifactStore


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "artifacts")


def files_of(store):
    return sorted(path for path in Path(store.url).rglob("*") if path.is_file())


def test_content_is_stored_under_its_digest(store):
    reference = store.put([b"he", bytearray(b"l"), memoryview(b"lo")])
    assert reference == "sha256:" + sha256(b"hello").hexdigest()
    assert store.put(b"hello") == reference
    assert store.read(reference) == b"hello"
    assert store.path(reference).read_bytes() == b"hello"
    assert (store.exists(reference), store.size(reference)) == (True, 5)
    assert files_of(store) == [store.path(reference)]


def test_many_and_empty_buffers_are_written_whole(store):
    buffers = [b"", *[bytes([number % 256]) * (number % 5) for number in range(3000)], b""]
    assert store.read(store.put(buffers)) == b"".join(buffers)
    assert store.read(store.put([])) == b""


def test_a_write_that_takes_only_part_goes_on(store, monkeypatch):
    real = os.writev
    monkeypatch.setattr(os, "writev", lambda descriptor, views: real(descriptor, [views[0][:3]]))
    assert store.read(store.put([b"abcdefgh", b"ijk"])) == b"abcdefghijk"


def test_deleting_is_final_and_forgiving(store):
    reference = store.put(b"x")
    store.delete(reference)
    store.delete(reference)
    assert not store.exists(reference)
    with pytest.raises(StoreError, match="cannot read artifact"):
        store.open(reference)
    with pytest.raises(StoreError, match="No such file"):
        store.size(reference)


def test_a_short_file_in_its_place_is_written_again(store):
    reference = store.put(b"hello")
    store.path(reference).write_bytes(b"he")
    assert store.put(b"hello") == reference
    assert store.read(reference) == b"hello"


@pytest.mark.parametrize(
    "name", ["", "sha256:xyz", "md5:" + "0" * 64, "sha256:" + "0" * 63 + "/", "../../etc"]
)
def test_names_that_are_none_are_refused(store, name):
    with pytest.raises(StoreError, match="is no artifact"):
        store.read(name)


def test_the_store_travels_and_shows_itself(store):
    reference = store.put(b"x")
    again = pickle.loads(pickle.dumps(store))
    assert again.read(reference) == b"x"
    assert repr(again) == f"ArtifactStore({store.url!r})"
    assert ArtifactStore(f"file://{store.url}").is_local


@pytest.mark.parametrize(
    ("number", "fix"),
    [
        (errno.ENOSPC, "Free space"),
        (errno.EROFS, "can be written"),
        (errno.EDQUOT, "quota"),
        (errno.EIO, "Check the disk"),
    ],
)
def test_a_disk_that_refuses_is_named_with_a_fix_and_nothing_is_left(store, monkeypatch, number, fix):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(files, "_write_all", refuse)
    with pytest.raises(StoreError) as caught:
        store.put(b"hello")
    assert os.strerror(number) in str(caught.value)
    assert fix in str(caught.value)
    assert store.url in str(caught.value)
    assert files_of(store) == []


def test_a_file_limit_leaves_nothing_behind(tmp_path):
    code = f"""
import resource, signal, sys
from headwater.errors import StoreError
from headwater.values.store import ArtifactStore
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, {resource.RLIM_INFINITY}))
try:
    ArtifactStore({str(tmp_path)!r}).put(bytes(1_000_000))
except StoreError as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "File too large. Raise the limit" in run.stdout
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_file_where_a_folder_should_be_is_named(tmp_path):
    (tmp_path / "artifacts").write_text("in the way")
    with pytest.raises(StoreError, match="Remove the file that stands where a folder is needed"):
        ArtifactStore(tmp_path / "artifacts").put(b"x")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_named(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(StoreError, match="Make the folder writable"):
            ArtifactStore(tmp_path / "artifacts").put(b"x")
    finally:
        tmp_path.chmod(0o700)


def test_an_interrupt_in_the_middle_leaves_nothing(store, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        store.put(b"hello")
    assert files_of(store) == []


def test_many_threads_write_the_same_and_others(store):
    barrier = threading.Barrier(8)
    failures = []

    def work(number):
        try:
            barrier.wait()
            for each in range(20):
                content = str((number % 2, each)).encode() * 1000
                assert store.read(store.put(content)) == content
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(files_of(store)) == 40


def test_a_remote_store_behaves_the_same():
    store = ArtifactStore("memory://headwater-tests/artifacts")
    reference = store.put([b"hel", b"lo"])
    assert (store.read(reference), store.size(reference), store.path(reference)) == (b"hello", 5, None)
    assert not store.is_local
    with store.open(reference) as file:
        assert file.read() == b"hello"
    store.delete(reference)
    store.delete(reference)
    assert not store.exists(reference)
    with pytest.raises(StoreError, match="cannot read artifact memory://headwater-tests"):
        store.read(reference)


def test_a_remote_store_of_files_renames_into_place(tmp_path):
    store = ArtifactStore(f"local://{tmp_path}/artifacts")
    reference = store.put(b"hello")
    assert store.read(reference) == b"hello"
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [reference[9:]]


def test_an_unknown_kind_of_store_is_named():
    with pytest.raises(StoreError, match=r"gopher://x cannot be opened: .*gopher"):
        ArtifactStore("gopher://x").put(b"x")
