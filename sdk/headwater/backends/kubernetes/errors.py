"""What can go wrong between this machine and a cluster; each says what to do about it."""

from __future__ import annotations

from headwater.errors import HeadwaterError, UsageError


class ClusterError(HeadwaterError):
    """A cluster refused something, or answered in a way that cannot be used."""

    code = "HW050"


class ClusterUnreachable(ClusterError):
    """Nothing answers at the address of the cluster."""

    code = "HW051"


class ClusterForbidden(ClusterError):
    """The cluster knows who asks, and does not allow it; the message names the verb and the resource."""

    code = "HW052"


class ClusterNotFound(ClusterError):
    """There is no such object in the cluster."""

    code = "HW053"


class ClusterConflict(ClusterError):
    """An object of that name is there already, or somebody has changed it meanwhile."""

    code = "HW054"


class KubeconfigError(UsageError):
    """The kubeconfig is missing or broken, or has no such context."""

    code = "HW055"


class BundleError(UsageError):
    """The project's code cannot travel to the cluster."""

    code = "HW056"
