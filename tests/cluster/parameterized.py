"""A task that reads a parameter; it travels to pods beside `tasks.py`."""

from __future__ import annotations

from headwater import Parameter, task


@task
def multiply(number: int, factor: Parameter(int)) -> {"number": int}:  # type: ignore[valid-type]  # a target
    return number * factor
