"""Newton's method: the outputs of a pass are the inputs of the next, until they are good enough."""

from headwater import IterativeWorkflow, task, workflow


@task
def gen_data(number: float = 2.0) -> {"number": float}:
    return number


@task
def improve(number: float, guess: float) -> {"guess": float, "error": float}:
    better = (guess + number / guess) / 2
    return {"guess": better, "error": abs(better * better - number)}


@IterativeWorkflow.as_workflow(
    max_iterations=50, break_func=lambda guess, error: error < 1e-12, initial_value={"guess": 1.0}
)
def root():
    improve()


@task
def print_data(guess: float) -> {"root": float}:
    print(f"the root is {guess:.12f}")
    return guess


@workflow
def reduction():
    gen_data() | root() | print_data()


if __name__ == "__main__":
    reduction.run()
