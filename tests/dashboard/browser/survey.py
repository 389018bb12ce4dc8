"""The pipelines whose runs the page shows."""

from __future__ import annotations

import time
from pathlib import Path

from headwater import MapWorkflow, task, workflow


@task
def read_catalogue(objects: int = 240) -> {"positions": list}:
    print(f"reading {objects} positions")
    return {"positions": [at * 1.5 for at in range(objects)]}


@task
def measure_flux(position: float) -> {"flux": float}:
    if position % 54 == 21:
        raise ValueError(f"no star within <b>2 arcsec</b> of {position}")
    print(f"flux at {position}")
    return {"flux": 100.0 - position / 10}


@MapWorkflow.as_workflow(map_on={"positions": "position"})
def measure():
    measure_flux()


@task
def fit(flux: list) -> {"slope": float, "used": int}:
    found = [each for each in flux if isinstance(each, float)]
    print(f"fitting {len(found)} of {len(flux)}")
    return {"slope": (found[-1] - found[0]) / len(found), "used": len(found)}


@task
def report(slope: float, used: int) -> {"text": str}:
    return {"text": f"slope {slope:.3f} of {used} stars"}


@workflow
def survey():
    read_catalogue() | measure() | fit() | report()


@task
def load_flat_field() -> {"flat": list}:
    print("<script>window.cracked = true</script> \x1b[31mloading\x1b[0m")
    return {"flat": [1.0, 0.0]}


@task
def divide(flat: list) -> {"frames": list}:
    return {"frames": [1 / each for each in flat]}


@task
def publish(frames: list) -> {"count": int}:
    return {"count": len(frames)}


@workflow
def calibrate():
    load_flat_field() | divide() | publish()


@task
def guide(lines: int = 20_000) -> {"drift": float}:
    for at in range(lines):
        lost = " star lost" if at % 4_000 == 1_500 else ""
        print(f"frame {at}: the guide star is at {at % 97 / 10:.1f} arcsec{lost}")
    return {"drift": 0.1}


@workflow
def guiding():
    guide()


@task
def observe(folder: str) -> {"frames": int}:
    print("waiting for a clear sky", flush=True)
    while not (Path(folder) / "clear").exists():
        time.sleep(0.05)
    print("the sky is clear", flush=True)
    return {"frames": 3}


@task
def archive(frames: int) -> {"stored": int}:
    return {"stored": frames}


@workflow
def night():
    observe() | archive()


def count_stars():
    return {"stars": 7}


@task
def plot(size: int = 160) -> {"image": bytes, "table": object}:
    import numpy

    return {"image": _png(size), "table": numpy.arange(4000.0).reshape(1000, 4)}


def _png(size: int) -> bytes:
    """A gradient, drawn by hand."""
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(
        b"\x00" + bytes((x * y * 7 + c * 90) % 256 for x in range(size) for c in range(3))
        for y in range(size)
    )
    head = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


@workflow
def figures():
    plot()
