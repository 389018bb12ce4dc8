"""The Python of the Workflows that are tested on pods: it travels to them in a ConfigMap."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

STORE = Path("/headwater/store")


def make(size: int) -> dict[str, Any]:
    return {"numbers": list(range(size))}


def double(number: int) -> dict[str, Any]:
    return {"number": 2 * number}


def add(numbers: list[Any]) -> dict[str, Any]:
    return {"total": sum(number for number in numbers if isinstance(number, int))}


def scale(number: int, factor: int) -> dict[str, Any]:
    return {"number": number * factor}


def label(number: int, letter: str) -> dict[str, Any]:
    return {"text": f"{letter}{number}"}


def invert(number: int) -> dict[str, Any]:
    return {"inverted": 1 / number}


def kinds(inverted: list[Any]) -> dict[str, Any]:
    """What the next task gets for items that failed and were tolerated."""
    return {"kinds": [type(each).__name__ for each in inverted]}


def where(number: int) -> dict[str, Any]:
    """Which pod it runs in."""
    return {"pod": os.uname().nodename}


def grow(value: int) -> dict[str, Any]:
    return {"value": 2 * value}


def is_large(value: int) -> bool:
    return value >= 20


def is_even(number: int) -> bool:
    return number % 2 == 0


def refuse(number: int = 0) -> None:
    raise ValueError(f"no: {number}")


def tell(error: Any) -> dict[str, Any]:
    return {"told": str(error)}


def big(size: int) -> dict[str, Any]:
    return {"data": bytes(size)}


def measure(data: bytes) -> dict[str, Any]:
    return {"size": len(data)}


def now(number: int) -> dict[str, Any]:
    return {"now": time.time_ns()}


def count_and_kill_the_pod(name: str) -> dict[str, Any]:
    """Counts its attempts in the store; the first kills its pod's worker."""
    attempts = count(name)["count"]
    if attempts == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"attempts": attempts}


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def wait_if_first(number: int) -> dict[str, Any]:
    """Item 1 waits at its first attempt."""
    return {"attempts": count_and_wait("item-1")["attempts"] if number else 1}


def count_and_wait(name: str) -> dict[str, Any]:
    """Counts its attempts in the store; the first does not come to an end."""
    attempts = count(name)["count"]
    if attempts == 1:
        print("begins to wait")
        time.sleep(3600)
    return {"attempts": attempts}


def count(name: str) -> dict[str, Any]:
    """How often it was called with this name, in whichever pod."""
    with (STORE / f"count-{name}").open("a+") as file:
        file.write("x")
        file.flush()
        return {"count": file.tell()}


def fail_at_first(name: str, failures: int) -> dict[str, Any]:
    """Fails so many times before it succeeds."""
    calls = count(name)["count"]
    if calls <= failures:
        raise RuntimeError(f"call {calls} fails")
    return {"count": calls}


def fail_at_first_if_odd(number: int) -> dict[str, Any]:
    if number % 2:
        fail_at_first(f"odd-{number}", 1)
    return {"number": number}


def show(value: Any) -> None:
    print(value)


def eat(megabytes: int) -> dict[str, Any]:
    """Takes memory, and keeps it for a while."""
    taken = bytearray(megabytes << 20)
    taken[::4096] = b"x" * len(taken[::4096])
    return {"taken": len(taken) >> 20}


def read(path: str) -> dict[str, Any]:
    return {"text": Path(path).read_text()}
