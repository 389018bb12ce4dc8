"""How far a run is: the nodes that hold no others, and the items of maps."""

from __future__ import annotations

from collections.abc import Iterable


class Progress:
    """Counts what has ended of what is known to come.

    >>> progress = Progress()
    >>> progress.planned(["gen", "process"])
    >>> progress.node("gen", ended=True)
    >>> progress.items("process", done=40, total=100)
    >>> progress.counts()
    (41, 101)
    """

    def __init__(self) -> None:
        self._leaves: dict[str, bool] = {}
        self._holders: set[str] = set()
        self._maps: dict[str, tuple[int, int]] = {}

    def planned(self, paths: Iterable[str]) -> None:
        """These nodes are to come."""
        for path in paths:
            self._leaves.setdefault(path, False)

    def node(self, path: str, *, ended: bool) -> None:
        """A node has begun or ended. What is inside an item of a map counts with the item."""
        above = path.rpartition("/")[0].partition("[")[0]
        while above:
            if above in self._maps:
                return
            self._holders.add(above)
            self._leaves.pop(above, None)
            above = above.rpartition("/")[0].partition("[")[0]
        if path in self._maps:
            if ended:
                total = self._maps[path][1]
                self._maps[path] = (total, total)
        elif path not in self._holders:
            self._leaves[path] = ended

    def items(self, path: str, *, done: int, total: int) -> None:
        """So many items of a map have ended."""
        self._leaves.pop(path, None)
        self._maps[path] = (done, total)

    def counts(self) -> tuple[int, int]:
        """How much has ended, of how much."""
        done = sum(self._leaves.values()) + sum(done for done, _ in self._maps.values())
        return done, len(self._leaves) + sum(total for _, total in self._maps.values())
