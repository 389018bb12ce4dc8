"""One step in one pod: a task, a block, a container, or a question about a node."""

from __future__ import annotations

from headwater_operator.builders.bridge import bridge_contents, goes_to_slurm
from headwater_operator.builders.container import container_contents
from headwater_operator.builders.inputs import BuildSettings, RunContext, UnitStep
from headwater_operator.builders.names import ChildKind, metadata, pod_name
from headwater_operator.builders.pods import Object, pod_template, queue_label
from headwater_operator.builders.python import python_contents


def unit_objects(context: RunContext, settings: BuildSettings, step: UnitStep) -> tuple[Object, ...]:
    """The objects of a step, to be created in this order; the pod is the last.

    Raises:
        DocumentError: the node cannot be a pod as it is written, or its inputs do not fit; the message says
            which field or input, and what to do.

    >>> from headwater_operator.builders.inputs import Store
    >>> context = RunContext("reduce", "default", "u1", {
    ...     "blocks": [{"name": "main", "nodes": [{"name": "gen", "task": "m:gen"}]}]})
    >>> settings = BuildSettings("headwater-runtime:1", Store.parse("none"))
    >>> pod, = unit_objects(context, settings, UnitStep("gen", 1, "main", "gen", "task"))
    >>> pod["spec"]["containers"][0]["command"]
    ['python', '-m', 'headwater.runtime']
    """
    kind: ChildKind = "unit"
    if step.does == "container":
        contents = container_contents(context, settings, step, None)
    elif goes_to_slurm(context, step):
        contents, kind = bridge_contents(context, settings, step), "bridge"
    else:
        contents = python_contents(context, settings, step)
    template = pod_template(context, settings, step, contents, kind)
    head = metadata(context, pod_name(context, step.path, step.attempt, step.stage, step.lineage), kind)
    queue = {} if kind == "bridge" else queue_label(context, step)
    head["labels"] = {**template["metadata"]["labels"], **queue}
    head["annotations"] = template["metadata"]["annotations"]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": head, "spec": template["spec"]}
    return (*contents.configs, pod)
