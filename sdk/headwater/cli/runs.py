"""From what a person calls a run to where it is: recorded on this machine, or a Workflow in a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headwater.cli.globals import GLOBALS
from headwater.configuration import config, database_url
from headwater.errors import HeadwaterError, UsageError
from headwater.records import queries
from headwater.records.model import Run

if TYPE_CHECKING:
    from headwater.backends.kubernetes.api import Cluster, Json

Place = tuple[str | None, str | None, str | None]
"""--kubeconfig, --context and --namespace as they were given."""

NOWHERE: Place = (None, None, None)
KUBERNETES = "kubernetes"


@dataclass(frozen=True)
class Remote:
    """A run in a cluster; `local` is this machine's record of it, where there is one."""

    cluster: Cluster
    name: str
    local: Run | None = None

    def workflow(self) -> Json:
        """The object as it is now."""
        from headwater.backends.kubernetes.control import get_run

        return get_run(self.cluster, self.name)


def cluster_at(place: Place, namespace: str = "") -> Cluster:
    """The cluster that the options name; a `namespace` that stands before a run's name counts most."""
    from headwater.backends.kubernetes import login
    from headwater.backends.kubernetes.api import Cluster

    kubeconfig, context, given = (each or "" for each in place)
    _remember(place)
    return Cluster(login.Place(kubeconfig, context, namespace or given))


def _remember(place: Place) -> None:
    """Commands that are suggested name the same cluster."""
    names = ("--kubeconfig", "--context", "--namespace")
    GLOBALS.place = "".join(f" {name} {value}" for name, value in zip(names, place, strict=True) if value)


def locate(run: str, place: Place) -> Run | Remote:
    """The run that is meant. With a place it is one of that cluster, else this machine's records come first.

    Raises:
        UsageError: there is no such run.
    """
    if any(place):
        return in_cluster(run, place)
    try:
        found = queries.get_run(database_url(), run)
    except UsageError as error:
        return _elsewhere(run, error)
    return remote_of(found) or found


def _elsewhere(run: str, error: UsageError) -> Remote:
    """A run that this machine does not know, if the cluster of the kubeconfig does."""
    from headwater.backends.kubernetes.errors import ClusterError, KubeconfigError

    try:
        found = in_cluster(run, NOWHERE)
        found.workflow()
    except KubeconfigError:
        raise error from None
    except UsageError as there:
        raise UsageError(f"{error.message}, and {there.message}", fix=there.fix) from None
    except ClusterError as there:
        said = f"{error.message}; the cluster cannot be asked: {there.message}"
        raise UsageError(said, fix=error.fix) from None
    return found


def in_cluster(run: str, place: Place) -> Remote:
    """A run by its name in the cluster, as NAME, NAMESPACE/NAME or `last`."""
    namespace, _, name = run.rpartition("/")
    cluster = cluster_at(place, namespace)
    if name == "last":
        from headwater.backends.kubernetes.control import list_runs

        runs = list_runs(cluster)
        if not runs:
            raise UsageError(
                f"there is no run in namespace {cluster.namespace!r}", fix="Make one: flowctl submit TARGET."
            )
        name = runs[0]["metadata"]["name"]
    return Remote(cluster, name)


def remote_of(run: Run) -> Remote | None:
    """Where a recorded run is, if it is in a cluster."""
    if run.backend != KUBERNETES:
        return None
    from headwater.backends.kubernetes.recording import place_of

    place, name = place_of(run)
    return Remote(cluster_at((None, place.context or None, place.namespace)), name, run)


def remote(run: str, place: Place) -> Remote:
    """A run that has to be in a cluster; for commands that only work there.

    Raises:
        UsageError: it is a run of this machine.
    """
    if run == "last":
        return in_cluster(run, place)
    found = locate(run, place)
    if isinstance(found, Remote):
        return found
    raise UsageError(
        f"{found.run_id} is a run of this machine ({found.backend})", fix=f"flowctl show {found.run_id}"
    )


def lists_cluster(place: Place) -> bool:
    """Whether `list` is about the cluster: because of its options, or because runs go there by default."""
    if any(place):
        return True
    return (GLOBALS.backend or config.get("backend")) == KUBERNETES


def each(runs: Sequence[str], do: object) -> list[object]:
    """Do something for each run; what is wrong with one is said at the end, after the others.

    Raises:
        UsageError: with every message, when it did not work for all.
    """
    assert callable(do)
    if len(runs) == 1:
        return [do(runs[0])]
    done, wrong = [], []
    for run in runs:
        try:
            done.append(do(run))
        except HeadwaterError as error:
            wrong.append(str(error))
    if wrong:
        raise UsageError("\n  ".join(wrong))
    return done
