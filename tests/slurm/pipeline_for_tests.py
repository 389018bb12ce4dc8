"""A pipeline that tests start in processes of their own: what ran leaves a file, an `x` for each time.

What has come to its end leaves one in a folder beside.
"""

from __future__ import annotations

import time
from pathlib import Path

from headwater import MapWorkflow, task, workflow


@task
def numbers(scratch: str, seconds: float) -> {"indices": list, "scratch": str, "seconds": float}:
    return {"indices": [0, 1, 2, 3], "scratch": scratch, "seconds": seconds}


@task
def leaves_a_trace(index: int, scratch: str, seconds: float) -> {"index": int}:
    with (Path(scratch) / str(index)).open("a") as file:
        file.write("x")
    time.sleep(seconds)
    ended = Path(f"{scratch}-ended")
    ended.mkdir(exist_ok=True)
    (ended / str(index)).touch()
    return index


@MapWorkflow.as_workflow(map_on={"indices": "index"})
def traces():
    leaves_a_trace()


@workflow
def pipeline():
    numbers() | traces()
