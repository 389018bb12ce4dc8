"""One of two branches runs; the merge passes on what came of it."""

from headwater import IfThenElse, MergeTask, task, workflow


@task
def gen_data(raw_data: int = 7) -> {"raw_data": int}:
    return raw_data


@task
def halve(raw_data: int) -> {"result": int}:
    return raw_data // 2


@task
def triple_and_one(raw_data: int) -> {"result": int}:
    return 3 * raw_data + 1


@task
def print_data(result: int) -> {"printed": int}:
    print(f"the result is {result}")
    return result


@workflow
def reduction():
    if_even, then, otherwise = IfThenElse(lambda raw_data: raw_data % 2 == 0)
    merge = MergeTask()
    gen_data() | if_even
    then | halve() | merge
    otherwise | triple_and_one() | merge
    merge | print_data()


if __name__ == "__main__":
    reduction.run()
