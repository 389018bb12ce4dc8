"""Values that a pod prints for a laptop."""

import json
import subprocess
import sys

import pytest
from headwater.document.unit import ItemFiles, items_file
from headwater.errors import StoreError, TaskFailed
from headwater.runtime.pod.failures import described
from headwater.runtime.pod.fetch import END, parse
from headwater.runtime.pod.outputs import encoded
from headwater.runtime.pod.values import Values


class Local:
    """Of a class that no pod can import."""

    def __init__(self, x):
        self.x = x

    def __eq__(self, other):
        return self.x == other.x

    __hash__ = None


@pytest.fixture
def values(tmp_path):
    return Values(str(tmp_path / "store"))


def printed(values, **wanted):
    env = {"HEADWATER_FETCH": json.dumps({"store": values.url, "values": wanted})}
    return subprocess.run(
        [sys.executable, "-m", "headwater.runtime", "fetch"], env=env, capture_output=True, text=True
    )


def test_values_of_all_kinds_arrive(values):
    entries = {0: {"outputs": {"y": encoded("y", bytes(9000), values)}}, 1: {"outputs": None},
               2: {"failure": described(ValueError("two"), "m[2]")}}  # fmt: skip
    content = json.dumps({str(index): entry for index, entry in entries.items()}).encode()
    values.store.write_file(items_file("u1", "m", 1, 0), [content])
    files = ItemFiles("u1", "m", 4, ((1, "0-3", 4),), "y").to_encoded()
    large = [Local(i) for i in range(2000)]
    done = printed(
        values, a={"json": 1}, b=encoded("b", large, values), c={"list": [{"range": 2}]}, d=files,
        f={"dict": {"k": encoded("k", bytes(5000), values)}},
        g={"item": [files, 0]},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    found = parse("a line of the log\n" + done.stdout)
    assert found["a"] == 1
    assert found["b"] == large
    assert found["c"] == [range(2)]
    assert found["d"][:2] == [bytes(9000), None]
    assert [type(each) for each in found["d"][2:]] != [TaskFailed, TaskFailed]
    assert str(found["d"][2]) == "two"
    assert found["f"] == {"k": bytes(5000)}
    assert found["g"] == bytes(9000)


def test_a_log_that_is_cut_off_is_not_taken_for_values(values):
    out = printed(values, a={"json": 1}).stdout
    for text in ("", out.partition(END)[0], out.replace("gA", "gB", 1)):
        with pytest.raises(StoreError, match="no whole values"):
            parse(text)


def test_what_cannot_be_read_is_said(values):
    done = printed(values, a={"ref": "sha256:" + "0" * 64, "format": "bytes"})
    assert done.returncode == 1
    assert "the values cannot be fetched: cannot read artifact" in done.stderr
