"""Costly results are kept: a second run with the same inputs, parameters and code computes nothing."""

from headwater import MapWorkflow, task, workflow


@task
def gen_data(count: int = 5) -> {"numbers": list[int]}:
    return list(range(1, count + 1))


@task
def factorise(number: int) -> {"factors": list[int]}:
    print(f"factorising {number}")
    factors, divisor = [], 2
    while number > 1:
        while number % divisor == 0:
            factors.append(divisor)
            number //= divisor
        divisor += 1
    return factors


@MapWorkflow.as_workflow(map_on={"numbers": "number"}, cache=True)
def factorise_each():
    factorise()


@task
def print_data(factors: list) -> {"most": int}:
    return max(len(each) for each in factors)


@workflow
def reduction():
    gen_data() | factorise_each() | print_data()


if __name__ == "__main__":
    print(reduction.run().outputs)
