"""How much training data does a digit classifier need? 120 trainings on real handwriting, and a plot.

The data are the 1,797 handwritten digits that ship with scikit-learn. Each item of the map trains a
classifier on a random sample and tests it on digits that it has not seen.
"""

from pathlib import Path

from headwater import MapWorkflow, task, workflow

SIZES = (25, 50, 100, 200, 400, 800)
REPEATS = 20


@task
def load_digits() -> {"images": object, "labels": object}:
    from sklearn.datasets import load_digits as load

    data = load()
    return {"images": data.data / 16.0, "labels": data.target}


@task
def plan_trainings() -> {"trainings": list}:
    return [{"size": size, "seed": seed} for size in SIZES for seed in range(REPEATS)]


@task
def train(
    training: dict, images: object, labels: object
) -> {"size": int, "accuracy": float, "confusion": object}:
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    order = np.random.default_rng(training["seed"]).permutation(len(labels))
    chosen, unseen = order[: training["size"]], order[-500:]
    model = LogisticRegression(C=0.5, max_iter=300).fit(images[chosen], labels[chosen])
    predicted = model.predict(images[unseen])
    confusion = np.zeros((10, 10), dtype=int)
    np.add.at(confusion, (labels[unseen], predicted), 1)
    return {
        "size": training["size"],
        "accuracy": float((predicted == labels[unseen]).mean()),
        "confusion": confusion,
    }


@task
def summarise(size: list, accuracy: list) -> {"curve": dict}:
    import numpy as np

    sizes, accuracies = np.array(size), np.array(accuracy)
    return {
        "curve": {
            int(n): [float(q) for q in np.percentile(accuracies[sizes == n], [5, 50, 95])]
            for n in sorted(set(size))
        }
    }


@task
def draw(curve: dict, size: list, accuracy: list, confusion: list) -> {"plot": str}:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import numpy as np

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.6), width_ratios=(1.35, 1))
    sizes = list(curve)
    low, middle, high = zip(*curve.values(), strict=True)
    jitter = np.random.default_rng(0).normal(0, 0.025, len(size))
    left.scatter(np.array(size) * np.exp(jitter), accuracy, s=9, color="#7a8ba3", alpha=0.55, lw=0)
    left.fill_between(sizes, low, high, color="#1f6feb", alpha=0.16, lw=0, label="5th to 95th percentile")
    left.plot(sizes, middle, color="#1f6feb", lw=2.2, marker="o", ms=5, label="median")
    left.set(
        xscale="log",
        xticks=sizes,
        xlabel="training digits",
        ylabel="share of unseen digits read right",
        title=f"{len(size)} trainings",
    )
    left.set_xticklabels([str(n) for n in sizes])
    left.minorticks_off()
    left.legend(frameon=False, loc="lower right")
    left.grid(alpha=0.25)

    wrong = sum(c for c, n in zip(confusion, size, strict=True) if n == max(sizes)).astype(float)
    np.fill_diagonal(wrong, 0)
    shown = right.imshow(wrong, cmap="Blues")
    right.set(
        xticks=range(10),
        yticks=range(10),
        xlabel="read as",
        ylabel="digit",
        title=f"what is still misread after {max(sizes)}",
    )
    figure.colorbar(shown, ax=right, shrink=0.8, label="times")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    path = Path("digits.png").resolve()
    figure.savefig(path, dpi=130)
    return str(path)


@MapWorkflow.as_workflow(map_on={"trainings": "training"}, raise_exceptions=True)
def trainings(data):
    one = train()
    data | one


@workflow
def digits():
    data = load_digits()
    every = trainings(data)
    plan_trainings() | every
    summary = summarise()
    picture = draw()
    every | [summary, picture]
    summary | picture


if __name__ == "__main__":
    result = digits.run(backend="parallel")
    print(result.outputs["plot"])
