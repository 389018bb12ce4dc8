"""The Montage workflow of astronomy, about 500 tasks that do nothing, with the shape of real runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness import Case, Limit, Measure, Peer, timed
from headwater import Task, Workflow

DATA = Path(__file__).parent.parent / "data" / "montage-500.json"
Parents = dict[str, list[str]]


def generated() -> Parents:
    """The parents of each task, parents first, from wfcommons."""
    import random

    import networkx
    import numpy as np
    from wfcommons import MontageRecipe, WorkflowGenerator

    random.seed(0)
    np.random.seed(0)
    made = WorkflowGenerator(MontageRecipe.from_num_tasks(500)).build_workflow()
    order = list(networkx.lexicographical_topological_sort(made))
    return {_name(task): sorted(map(_name, made.predecessors(task))) for task in order}


def _name(task: str) -> str:
    kind, number = task.split("_")
    return f"{kind.lower()}_{int(number)}"


def shape() -> Parents:
    """From wfcommons if it is there, else as it was written down."""
    try:
        return generated()
    except ImportError:
        found: Parents = json.loads(DATA.read_text())
        return found


class Node(Task):
    """A task that takes a number from each parent and gives 1."""

    def __init__(self, label: str, parents: list[str]) -> None:
        self.name, self.parents = label, parents
        super().__init__()

    def setup_targets(self) -> None:
        """One input for each parent; the output has the task's own name."""
        for parent in self.parents:
            self.add_input(parent, int)
        self.add_output(self.name, int)

    def run(self, **numbers: int) -> dict[str, int]:
        """Do nothing."""
        return {self.name: 1}


def nothing(*numbers: int) -> int:
    """The same for peers."""
    return 1


def ours(track: bool) -> Measure:
    """Headwater's `default` backend."""
    nodes: dict[str, Node] = {}
    with Workflow(name="montage") as montage:
        for label, parents in shape().items():
            nodes[label] = Node(label, parents)
            if parents:
                [nodes[parent] for parent in parents] | nodes[label]
    ends = sum(not node.downstreams for node in nodes.values())
    return timed(lambda _: sum(montage.run(track=track).outputs.values()), expect=lambda _: ends)


def dask_sync(**options: Any) -> Measure:
    """Dask's synchronous scheduler."""
    import dask

    tasks = shape()
    call, calls = dask.delayed(nothing), {}
    for label, parents in tasks.items():
        calls[label] = call(*[calls[parent] for parent in parents])
    inner = {parent for parents in tasks.values() for parent in parents}
    ends = [calls[label] for label in tasks if label not in inner]
    return timed(lambda _: sum(dask.compute(*ends, scheduler="sync", **options)), expect=lambda _: len(ends))


PEERS = (
    Peer("dask sync", dask_sync, Limit("ratio", 1.0)),
    Peer("dask sync, graph not optimised", lambda: dask_sync(optimize_graph=False), Limit("ratio", 1.0)),
)
CASES = [
    Case("Montage of 500, untracked", lambda: ours(False), PEERS),
    Case("Montage of 500, tracked", lambda: ours(True), [Peer(peer.name, peer.make) for peer in PEERS]),
]

if __name__ == "__main__":
    DATA.write_text(json.dumps(generated(), separators=(",", ":")).replace("],", "],\n") + "\n")
