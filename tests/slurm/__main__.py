"""`python -m tests.slurm up | down | status`."""

from __future__ import annotations

import os
import sys
import time

from tests.slurm import cluster, daemons
from tests.slurm.places import ENV, STATE, SlurmTestError, slot
from tests.slurm.settings import environment


def main(words: list[str]) -> int:
    """Do what is asked; the exit code says whether it could be done."""
    command = words[0] if len(words) == 1 else ""
    try:
        if command == "up":
            began = time.monotonic()
            cluster.up()
            print(f"Slurm is up ({time.monotonic() - began:.1f} s): . {ENV}")
        elif command == "down":
            cluster.down()
            print("Slurm is down")
        elif command == "status":
            if STATE.exists():
                os.environ.update(environment(slot()))
            for daemon in daemons.every():
                print(f"{daemon.name:16} pid {daemon.pid}")
            complete = STATE.exists() and cluster.is_complete(slot())
            print("complete" if complete else "not complete: make slurm")
            return 0 if complete else 1
        else:
            print(__doc__, file=sys.stderr)
            return 2
    except SlurmTestError as error:
        print(f"slurm: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
