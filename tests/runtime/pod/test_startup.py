"""What a pod loads before it is at the user's function: nothing that is heavy, and nothing that it does not need."""

import pytest

from .conftest import entries

WORK = """
    import sys
    from headwater import task

    @task
    def loaded() -> {"modules": list}:
        return sorted(sys.modules)

    @task
    def item(x: int) -> {"modules": list}:
        return sorted(sys.modules)
    """

# Each of these costs more than a hundredth of a second.
HEAVY = {
    "aiohttp", "alembic", "asyncio", "cloudpickle", "concurrent.futures", "fsspec", "kopf", "kubernetes",
    "multiprocessing",
    "numpy", "pandas", "platformdirs", "psutil", "pyarrow", "pydantic", "rich", "sqlalchemy", "ssl", "subprocess",
    "tempfile", "typeguard", "typer", "unittest", "urllib.request", "yaml", "zipfile",
    "headwater.backends", "headwater.blocks.workflow", "headwater.configuration", "headwater.document.models",
    "headwater.pipeline", "headwater.records", "headwater.runtime.caching", "headwater.values.cache",
    "headwater.values.codec", "headwater.values.store",
}  # fmt: skip
ENGINE = {
    "headwater.engine.graph",
    "headwater.engine.engine",
    "headwater.document.graph",
    "headwater.runtime.inline",
}


@pytest.fixture
def loaded(pods):
    """Runs a unit; the modules that were there when it was at the user's function."""
    pods.write(WORK)
    sub = {
        "name": "sub",
        "nodes": [{"name": "a", "task": "work:loaded", "inputs": {}, "outputs": {"modules": {}}}],
    }
    mapped = {"name": "m", "map": {"task": "work:item", "over": {"x": {"range": 1}}}}
    task = {"name": "t", "task": "work:loaded"}
    blocks = [{"name": "main", "nodes": [task, mapped, {"name": "b", "call": {"block": "sub"}}]}, sub]

    def run(does, node, **given):
        ended = pods.run(does, blocks, node, **given)
        assert ended.code == 0, ended.message
        outputs = ended.report.outputs or entries(pods)[0]["outputs"]
        return set(pods.values.decode(outputs["modules"]))

    return run


def test_a_task_needs_neither_heavy_modules_nor_the_engine(loaded):
    assert not loaded("task", "t") & (HEAVY | ENGINE | {"ctypes", "pathlib", "hashlib"})


def test_a_unit_needs_no_heavy_modules(loaded):
    assert not loaded("block", "b") & HEAVY


def test_a_share_of_a_map_needs_neither_heavy_modules_nor_the_state_machine(loaded):
    found = loaded("items", "m", over={"x": {"range": 1}}, items="0", per_pod=1)
    assert not found & (HEAVY | {"headwater.engine.engine", "headwater.runtime.inline"})
