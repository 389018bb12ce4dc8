"""What can go wrong between us and Slurm: it is away, it refuses, or it does not let us in."""

from __future__ import annotations

from headwater.errors import HeadwaterError


class SlurmError(HeadwaterError):
    """Slurm could not do what it was asked for."""

    code = "HW070"


class SlurmAway(SlurmError):
    """Slurm, or the way to it, does not answer now. Whether the last request was carried out is not known."""

    code = "HW071"


class SlurmRefused(SlurmError):
    """Slurm will not take the job as it is: asking again does not help."""

    code = "HW072"


class NotAllowed(SlurmAway):
    """The token or key is not accepted (any more). Jobs go on; with new credentials so do we."""

    code = "HW073"
