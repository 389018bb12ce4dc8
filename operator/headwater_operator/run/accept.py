"""Whether a Workflow can run at all: its document, its template, the run that it resumes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from headwater.document.linting import problems_of
from headwater.errors import DocumentError

from headwater_operator.builders import BuildSettings
from headwater_operator.kube.api import ApiError
from headwater_operator.run.cluster import GROUP, Cluster
from headwater_operator.run.load import known_of, new_run, restored_run, spec_with_template
from headwater_operator.run.memory import Run
from headwater_operator.run.views import WorkflowView, workflow_view

RESUMES = "headwater.dev/resumes"
RETRY_FROM = "headwater.dev/retry-from"
MOST_PROBLEMS = 5


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The run of a Workflow that can run."""

    run: Run


async def accept(cluster: Cluster, view: WorkflowView, settings: BuildSettings) -> Acceptance | str:
    """The run of a Workflow that has not started, or what is wrong with it and how to mend it."""
    template: Mapping[str, Any] | None = None
    named = view.spec.get("template")
    if named:
        found = await _template(cluster, view.namespace, named)
        if isinstance(found, str):
            return found
        template = found
    spec = spec_with_template(view.spec, template)
    problems = problems_of(
        {
            "apiVersion": "headwater.dev/v1alpha1",
            "kind": "Workflow",
            "metadata": {"name": view.name},
            "spec": spec,
        },
        allow_host=settings.allow_host,
    )
    if problems:
        shown = "; ".join(str(problem) for problem in problems[:MOST_PROBLEMS])
        more = f"; and {len(problems) - MOST_PROBLEMS} more" if len(problems) > MOST_PROBLEMS else ""
        return shown + more
    try:
        known = await _known(cluster, view)
        return Acceptance(new_run(view, spec, template=template, known=known))
    except DocumentError as error:
        return str(error)


async def _template(cluster: Cluster, namespace: str, named: Mapping[str, Any]) -> Mapping[str, Any] | str:
    name, version = named["name"], named.get("version")
    try:
        found = await cluster.api.get(f"{GROUP}/namespaces/{namespace}/workflowtemplates/{name}")
    except ApiError as error:
        if error.status != 404:
            raise
        return (
            f"spec.template.name: there is no WorkflowTemplate {name!r} in namespace {namespace!r}. "
            "Register it first, or check the name."
        )
    spec: Mapping[str, Any] = found["spec"]
    if version is not None and spec.get("version") != version:
        return (
            f"spec.template.version: WorkflowTemplate {name!r} has version {spec.get('version')}, "
            f"not {version}. Leave the version out, or register that one."
        )
    return spec


async def _known(cluster: Cluster, view: WorkflowView) -> Mapping[str, Any]:
    """What had ended in the run that this one resumes."""
    earlier = view.annotations.get(RESUMES)
    if not earlier:
        return {}
    try:
        found = await cluster.api.get(f"{GROUP}/namespaces/{view.namespace}/workflows/{earlier}")
    except ApiError as error:
        if error.status != 404:
            raise
        raise DocumentError(
            f"the run {earlier!r} that is to be resumed is not there any more",
            fix="Submit the workflow anew.",
        ) from error
    before = workflow_view(found)
    if not before.status.get("engine"):
        return {}
    return known_of(restored_run(before), view.annotations.get(RETRY_FROM))
