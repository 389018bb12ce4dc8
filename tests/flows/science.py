"""The sample of the composition's tests: a producer, a consumer, a report."""

from __future__ import annotations

from headwater import load_file, save_db_result, save_file, task, workflow


@task
def make(x: int = 2) -> {"value": int}:
    if x < 0:
        raise ValueError("x is negative")
    return x * 10


@task
def stats(value: int) -> {"low": int, "high": int}:
    return {"low": value - 1, "high": value + 1}


@task
def where(folder: str) -> {"folder": str}:
    return folder


@task
def write(value: int, folder: str) -> {"record": dict}:
    return save_file({"v": value}, f"{folder}/out.json")


@task
def save(value: int) -> {"reference": dict}:
    return save_db_result(table={"rows": [value, value + 5]}, other=1)


@workflow
def producer():
    made = make()
    made | stats()
    [made, where()] | write()
    made | save()


@task
def use(a: int, f: dict, d: int, both: dict, scale: int = 1) -> {"result": int}:
    return (a + load_file(f)["v"] + d + both["high"]) * scale


@workflow
def consumer():
    use()


@task
def report(r: int, extra: int) -> {"text": str}:
    return f"{r} and {extra}"


@workflow
def reporting():
    report()
