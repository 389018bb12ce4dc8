"""The same with types: they are checked before anything runs, and again when values arrive."""

from headwater import Parameter, task, workflow


@task
def gen_data(start: int = 42) -> {"raw_data": int}:
    return start


@task
def transform(raw_data: int) -> {"transformed_data": int}:
    return raw_data * 2


@task
def compute(transformed_data: int, multiplier: Parameter(int)) -> {"result": int}:
    return transformed_data * multiplier


@task
def print_data(result: int) -> None:
    print(f"the result is {result}")


@workflow
def reduction():
    result = gen_data() | transform() | compute()
    result | print_data()


if __name__ == "__main__":
    reduction.run()
