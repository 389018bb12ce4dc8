"""How much one run may take: who runs many in one process has each ended before it stops the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headwater.engine.events import Failure, Stopped
from headwater.engine.graph import ErrorClass
from headwater.engine.handlers import HANDLERS

if TYPE_CHECKING:
    from headwater.engine.engine import Engine

STEPS_PER_NODE = 4
"""Steps in which nothing is given to a backend, for each of the nodes that a run may have at once."""


def keep(engine: Engine, steps: int, most_nodes: int) -> None:
    """End a run that has more nodes than it may, or that has taken so many steps in which nothing can run."""
    if len(engine.states) > most_nodes:
        end(
            engine,
            f"the run has more than {most_nodes:,} nodes at once. Give its maps `parallelism`, or write "
            "`placement: unit` in the blocks that they call.",
        )
    elif steps > STEPS_PER_NODE * most_nodes:
        end(engine, "the run goes on and on although nothing of it runs. Does one of its loops do nothing?")


def end(engine: Engine, why: str) -> None:
    """The run fails; whatever runs of it is cancelled."""
    if engine.stopping is None or not engine.stopping.kill:
        engine.error = Failure("TooLarge", why, ErrorClass.INVALID)
        engine.failures.append((engine.now, engine.error))
        HANDLERS[Stopped](engine, Stopped(engine.now, kill=True, reason=why))
