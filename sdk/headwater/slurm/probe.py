"""Whether a Slurm cluster can be used: `python -m headwater.slurm.probe`, in a pod that asks it once and tells."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from headwater.errors import HeadwaterError
from headwater.slurm.bridge import ORDER, SECRET
from headwater.slurm.cluster import Cluster
from headwater.slurm.errors import SlurmError

REPORT = "/dev/termination-log"


def probe(spec: Mapping[str, Any], secret: str = "") -> dict[str, Any]:
    """What `status` of a SlurmCluster is to say: `phase` and, where it answers, `version` and `partitions`.

    >>> probe({"transport": "rest", "endpoint": "http://127.0.0.1:9"})["phase"]
    'Unreachable'
    >>> probe({"transport": "pigeon"})["message"]
    "the SlurmCluster: unknown transport 'pigeon'. One of: local, ssh, rest."
    """
    try:
        cluster = Cluster.parse({**spec, **({"secretRef": secret} if secret else {})}, "the SlurmCluster")
        with closing(cluster.open()) as transport:
            site = transport.site()
    except SlurmError as error:
        return {"phase": "Unreachable", "message": str(error)}
    except HeadwaterError as error:
        return {"phase": "Invalid", "message": str(error)}
    return {"phase": "Ready", "version": site.version, "partitions": sorted(site.partitions)}


def main() -> int:
    """Probe what the environment names, and leave the answer where Kubernetes takes it from."""
    secret = os.environ.get("HEADWATER_SLURM_SECRET", SECRET)
    found = probe(json.loads(os.environ[ORDER])["cluster"], secret if Path(secret).is_dir() else "")
    text = json.dumps(found)
    print(text, flush=True)
    Path(os.environ.get("HEADWATER_TERMINATION_LOG", REPORT)).write_text(text[:4000])
    return 0


if __name__ == "__main__":
    sys.exit(main())
