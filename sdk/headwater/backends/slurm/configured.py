"""The cluster that the config names."""

from __future__ import annotations

import sys
from dataclasses import replace

from headwater.configuration import config, state_dir
from headwater.errors import ConfigError
from headwater.slurm.cluster import Cluster


def cluster() -> Cluster:
    """The `slurm` section of the config; without one, the cluster whose commands are on this host.

    Raises:
        ConfigError: something in the section is wrong.
    """
    section = config.get("slurm") or {}
    if not isinstance(section, dict) and not hasattr(section, "items"):
        raise ConfigError("`slurm` in the config is not a mapping", fix="Write `slurm: {workdir: ...}`.")
    found = Cluster.parse(dict(section))
    return replace(
        found,
        workdir=found.workdir or str(state_dir() / "slurm"),
        python=found.python or sys.executable,
    )
