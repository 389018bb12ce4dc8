"""Transform and compute run once for each element; on all cores with `--backend parallel`."""

from headwater import MapWorkflow, task, workflow


@task
def gen_data(count: int = 8) -> {"raw_data_array": list[int]}:
    return list(range(count))


@task
def transform(raw_data: int) -> {"transformed_data": int}:
    return raw_data * 2


@task
def compute(transformed_data: int) -> {"computation_result": int}:
    return transformed_data + 1


@MapWorkflow.as_workflow(map_on={"raw_data_array": "raw_data"})
def process_data():
    transform() | compute()


@task
def print_data(computation_result: list) -> {"total": int}:
    print(f"results: {computation_result}")
    return sum(computation_result)


@workflow
def reduction():
    gen_data() | process_data() | print_data()


if __name__ == "__main__":
    print(reduction.run(backend="parallel").outputs)
