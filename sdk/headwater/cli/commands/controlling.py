"""stop, cancel, approve: what tells a run of another process what to do."""

from __future__ import annotations

import time

from headwater.backends.control import send
from headwater.cli.printing import print_json
from headwater.configuration import database_url, setup_logging
from headwater.errors import UsageError
from headwater.records import queries

RECORDS_LAG_SECONDS = 2.0  # records are written in batches: a node may wait a moment before they say so


def tell(run_id: str, action: str, *, node: str | None = None, granted: bool = True, json: bool) -> None:
    """Leave a message for a run that goes on."""
    setup_logging()
    url = database_url()
    run = queries.get_run(url, run_id)
    if run.ended:
        raise UsageError(f"run {run.run_id} has ended: {run.phase}", fix="There is nothing to do.")
    if node is not None:
        node = _waiting_node(url, run.run_id, node)
    send(run.run_id, action, node=node, granted=granted)
    if json:
        print_json({"run": run.run_id, "action": action, "node": node, "granted": granted})
        return
    said = {"stop": "told to stop", "cancel": "told to end at once", "approve": f"{node} approved"}[action]
    print(f"{run.run_id}: {said if granted else f'{node} rejected'}")


def _waiting_node(url: str, run_id: str, node: str) -> str:
    wanted = node.replace("_", "-").removeprefix("main/")
    until = time.monotonic() + RECORDS_LAG_SECONDS
    while True:
        waiting = [path for path, each in queries.nodes(url, run_id).items() if each.phase == "Suspended"]
        for path in waiting:
            if path.replace("_", "-") == wanted:
                return path
        if waiting or time.monotonic() > until:
            listed = ", ".join(waiting) or "none"
            raise UsageError(f"{node!r} does not wait for approval", fix=f"Waiting: {listed}.")
        time.sleep(0.1)
