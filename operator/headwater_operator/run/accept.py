"""Whether a Workflow can run at all: its document, its template, the run that it resumes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from headwater.document.expansion import expand
from headwater.document.linting import problems_of
from headwater.document.names import resource_problem
from headwater.errors import DocumentError, UsageError

from headwater_operator.builders import BuildSettings, named_clusters
from headwater_operator.kube.api import ApiError
from headwater_operator.run.cluster import GROUP, Cluster
from headwater_operator.run.load import known_of, new_run, restored_run
from headwater_operator.run.memory import Run
from headwater_operator.run.views import WorkflowView, workflow_view

RESUMES = "headwater.dev/resumes"
RETRY_FROM = "headwater.dev/retry-from"
MOST_PROBLEMS = 5
_HEAD = {"apiVersion": "headwater.dev/v1alpha1", "kind": "Workflow"}


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The run of a Workflow that can run."""

    run: Run


async def accept(cluster: Cluster, view: WorkflowView, settings: BuildSettings) -> Acceptance | str:
    """The run of a Workflow that has not started, or what is wrong with it and how to mend it."""
    try:
        spec = await _without_templates(cluster, view)
        if isinstance(spec, str):
            return spec
        problems = _problems(view, spec, settings)
        if problems:
            return problems
        slurm = {name: await _slurm_cluster(cluster, view.namespace, name) for name in named_clusters(spec)}
        return Acceptance(new_run(view, spec, known=await _known(cluster, view), slurm=slurm))
    except (DocumentError, UsageError) as error:
        return str(error)
    except RecursionError:
        return "spec: something in it is nested too deep. Write it flatter."


def _problems(view: WorkflowView, spec: Mapping[str, Any], settings: BuildSettings) -> str:
    document = {**_HEAD, "metadata": {"name": view.name}, "spec": spec}
    problems = problems_of(document, allow_host=settings.allow_host)
    shown = "; ".join(str(problem) for problem in problems[:MOST_PROBLEMS])
    more = f"; and {len(problems) - MOST_PROBLEMS} more" if len(problems) > MOST_PROBLEMS else ""
    return shown + more


async def _without_templates(cluster: Cluster, view: WorkflowView) -> Mapping[str, Any] | str:
    """The spec with its templates put in place: read one after the other, as they turn up."""
    known: dict[tuple[str, int | None], dict[str, Any]] = {}
    while True:
        try:
            expanded = expand({**_HEAD, "spec": view.spec}, lambda name, version: known[name, version])
            found: Mapping[str, Any] = expanded["spec"]
            return view.spec if not known else found
        except KeyError as missing:
            name, version = missing.args[0]
        except (AttributeError, TypeError, StopIteration):
            return view.spec  # too broken to look for templates in it: what is wrong is told below
        read = await _template(cluster, view.namespace, name, version)
        if isinstance(read, str):
            return read
        known[name, version] = read


async def _template(cluster: Cluster, namespace: str, name: str, version: int | None) -> dict[str, Any] | str:
    try:
        found = await cluster.api.get(f"{GROUP}/namespaces/{namespace}/workflowtemplates/{name}")
    except ApiError as error:
        if error.status != 404:
            raise
        return (
            f"template {name!r}: there is no WorkflowTemplate of that name in namespace {namespace!r}. "
            "Register it first, or check the name."
        )
    has = found["spec"].get("version")
    if version is not None and has != version:
        return (
            f"template {name!r}: it has version {has}, not {version}. "
            "Leave the version out, or register that one."
        )
    return found


async def _slurm_cluster(cluster: Cluster, namespace: str, name: str) -> Mapping[str, Any]:
    """The spec of a SlurmCluster, which holds for the whole run.

    Raises:
        DocumentError: there is none of that name.
    """
    try:
        found = await cluster.api.get(f"{GROUP}/namespaces/{namespace}/slurmclusters/{name}")
    except ApiError as error:
        if error.status != 404:
            raise
        raise DocumentError(
            f"slurm: there is no SlurmCluster {name!r} in namespace {namespace!r}",
            fix="Create it and submit again, or name one of `kubectl get slurmclusters`.",
        ) from error
    return dict(found["spec"])


async def _known(cluster: Cluster, view: WorkflowView) -> Mapping[str, Any]:
    """What had ended in the run that this one resumes."""
    earlier = view.annotations.get(RESUMES)
    if not earlier:
        return {}
    if found := resource_problem(earlier):  # it becomes part of an address
        raise DocumentError(
            f"the annotation {RESUMES} must be the name of a run of this namespace: {found}",
            fix="Take the name from `kubectl get wf`.",
        )
    try:
        before = await cluster.api.get(f"{GROUP}/namespaces/{view.namespace}/workflows/{earlier}")
    except ApiError as error:
        if error.status != 404:
            raise
        raise DocumentError(
            f"the run {earlier!r} that is to be resumed is not there any more",
            fix="Submit the workflow anew.",
        ) from error
    earlier_view = workflow_view(before)
    if not earlier_view.status.get("engine"):
        return {}
    return known_of(restored_run(earlier_view), view.annotations.get(RETRY_FROM))
