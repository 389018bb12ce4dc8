"""Generate, transform, compute, print: four tasks in a row."""

from headwater import task, workflow


@task
def gen_data():
    return {"raw_data": 42}


@task
def transform(raw_data):
    return {"transformed_data": raw_data * 2}


@task
def compute(transformed_data):
    return {"result": transformed_data + 1}


@task
def print_data(result):
    print(f"the result is {result}")
    return {"printed": result}


@workflow
def reduction():
    gen_data() | transform() | compute() | print_data()


if __name__ == "__main__":
    print(reduction.run().outputs)
