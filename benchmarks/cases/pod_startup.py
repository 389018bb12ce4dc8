"""What a pod costs before it is at the user's function: milliseconds of CPU, of each kind of unit."""

import sys
import tempfile
import zipfile
from hashlib import sha256
from pathlib import Path

from harness import Case, Limit, Measure, Peer, printed
from headwater.document.unit import ENVIRONMENT, UnitSpec, write_unit

SPENT = """
from resource import RUSAGE_SELF, getrusage
def spent():
    used = getrusage(RUSAGE_SELF)
    print((used.ru_utime + used.ru_stime) * 1000)
"""
WORK = f"""
from headwater import task
{SPENT}
@task
def one() -> {{"x": int}}:
    spent()
    return 1

@task
def item(x: int) -> {{"y": int}}:
    spent()
    return x
"""
NODES = [
    {"name": "t", "task": "work:one"},
    {"name": "m", "map": {"task": "work:item", "over": {"x": {"range": 1}}}},
    {"name": "b", "call": {"block": "sub"}},
]
SUB = [{"name": "one", "task": "work:one", "inputs": {}, "outputs": {"x": {}}}]
BLOCKS = [{"name": "main", "nodes": NODES}, {"name": "sub", "nodes": SUB}]


def pod(does: str, node: str, *, bundled: bool = False, **given: object) -> Measure:
    """CPU of a pod when it is at the user's function."""
    folder = Path(tempfile.mkdtemp())  # in the topic's own folder, which is removed at the end
    document: dict[str, object] = {"blocks": BLOCKS}
    variables = {"HEADWATER_TERMINATION_LOG": str(folder / "termination-log"), "TMPDIR": str(folder)}
    if bundled:
        with zipfile.ZipFile(folder / "bundle.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("work.py", WORK)
            for number in range(50):
                archive.writestr(f"package/module_{number}.py", f"NUMBER = {number}\n" * 100)
        digest = f"sha256:{sha256((folder / 'bundle.zip').read_bytes()).hexdigest()}"
        document["code"] = {"configMap": "code", "digest": digest}
        variables["HEADWATER_CODE"] = str(folder / "bundle.zip")
    else:
        (folder / "work.py").write_text(WORK)
        variables["PYTHONPATH"] = str(folder)
    spec = UnitSpec(
        "u1", "bench", node, 1, does, document, node=node, **given  # type: ignore[arg-type]
    )  # fmt: skip
    return printed([sys.executable, "-m", "headwater.runtime"], {**variables, ENVIRONMENT: write_unit(spec)})


def bare() -> Measure:
    """Python that does nothing but look how much it has used."""
    return printed([sys.executable, "-c", SPENT + "spent()"])


def case(name: str, *unit: str, **given: object) -> Case:
    """A case with the one limit that there is for pods."""
    return Case(name, lambda: pod(*unit, **given), [Peer("bare python", bare)], Limit("value", 100))


CASES = [
    case("CPU before a task", "task", "t"),
    case("CPU before a task, bundle of 51 files", "task", "t", bundled=True),
    case("CPU before an item", "items", "m", over={"x": {"range": 1}}, items="0", per_pod=1),
    case("CPU before the first task of a unit", "block", "b"),
]
