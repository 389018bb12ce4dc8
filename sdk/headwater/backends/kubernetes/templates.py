"""WorkflowTemplates of a cluster: which there are, what they take, and runs of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headwater.backends.kubernetes.api import GROUP, VERSION, Cluster, Json
from headwater.backends.kubernetes.errors import ClusterForbidden
from headwater.backends.kubernetes.submission import prepare_spec, submit
from headwater.document.problems import wrong_type
from headwater.errors import UsageError

EVERYWHERE = f"/apis/{GROUP}/{VERSION}/workflowtemplates"


def all_templates(cluster: Cluster) -> list[Json]:
    """The templates of all namespaces; those of the own one where no more may be listed."""
    try:
        found = cluster.list(EVERYWHERE)
    except ClusterForbidden:
        found = cluster.list(cluster.own("workflowtemplates"))
    return sorted(found, key=lambda each: (each["metadata"]["namespace"], each["metadata"]["name"]))


def inputs_of_template(template: Json) -> dict[str, Json]:
    """What a template takes, as its first block declares it.

    >>> inputs_of_template({"spec": {"blocks": [{"name": "main", "inputs": {"n": {"type": "int"}}}]}})
    {'n': {'type': 'int'}}
    """
    spec = template["spec"]
    blocks = {block["name"]: block for block in spec.get("blocks") or ()}
    entry = blocks.get(spec.get("entrypoint") or next(iter(blocks), ""), {})
    return dict(entry.get("inputs") or {})


def submit_template(
    cluster: Cluster, template: Json, arguments: Mapping[str, Any], annotations: Mapping[str, str]
) -> Json:
    """Create a run of a template with these arguments; the Workflow.

    Raises:
        UsageError: an argument is unknown, missing, or of the wrong type.
        ClusterError: the cluster refuses it.
    """
    declared = inputs_of_template(template)
    problems = [*_problems(declared, arguments)]
    name = template["metadata"]["name"]
    if problems:
        raise UsageError(f"{name} cannot be run: {'; '.join(problems)}", fix=f"It takes: {_takes(declared)}.")
    named = {key: template["spec"][key] for key in ("version",) if template["spec"].get(key) is not None}
    spec = {"template": {"name": name, **named}}
    return submit(cluster, prepare_spec(name, spec, arguments, annotations=annotations))


def _problems(declared: Mapping[str, Json], given: Mapping[str, Any]) -> list[str]:
    unknown = [f"it has no input {name!r}" for name in given if name not in declared]
    missing = [
        f"the input {name!r} is missing"
        for name, written in declared.items()
        if name not in given and written.get("required", "default" not in written and "pickle" not in written)
    ]
    wrong = [
        f"the input {name!r} {problem}"
        for name, value in given.items()
        if name in declared and (problem := wrong_type(declared[name].get("type"), value))
    ]
    return [*unknown, *missing, *wrong]


def _takes(declared: Mapping[str, Json]) -> str:
    parts = [
        f"{name} ({written['type']})" if written.get("type") else name for name, written in declared.items()
    ]
    return ", ".join(parts) or "nothing"
