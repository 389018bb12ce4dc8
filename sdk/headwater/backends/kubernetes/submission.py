"""Put a run into a cluster: its code, its document, its name."""

from __future__ import annotations

import argparse
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from headwater.backends.kubernetes.api import GROUP, VERSION, Cluster, Json
from headwater.backends.kubernetes.bundle import Bundle, bundle_for
from headwater.backends.kubernetes.codes import code_section, ensure_config_map
from headwater.backends.kubernetes.errors import ClusterConflict, ClusterNotFound, ClusterUnreachable
from headwater.backends.kubernetes.manifest import (
    exact,
    manifest,
    object_name,
    pickled,
    run_name,
    spec_of,
    with_arguments,
)
from headwater.blocks.compile import Compiled
from headwater.configuration import config, warn_of_slips
from headwater.document.linting import problems_of
from headwater.document.names import image_problem
from headwater.errors import DocumentError, UsageError
from headwater.records.process import login_name
from headwater.runtime.code import unpickled
from headwater.runtime.pod.surroundings import CONTEXT

SUBMISSION = "headwater.dev/submission"
USER = "headwater.dev/user"
OVERWRITE_CACHE = "headwater.dev/overwrite-cache"
ARGUMENTS = "headwater.dev/command-arguments"
"""The annotation in which a pipeline keeps its command's arguments, passwords and the like masked."""

ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Submission:
    """A run that can be created: the name of its workflow, its spec, and the code that goes along."""

    workflow: str
    spec: Mapping[str, Any]
    bundle: Bundle | None = None
    image: str | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)


def prepare(
    compiled: Compiled,
    inputs: Mapping[str, object],
    *,
    image: str | None = None,
    store: str | None = None,
) -> Submission:
    """All that a run of a compiled workflow needs; nothing reaches the cluster yet.

    Raises:
        UsageError: an input cannot travel, or the code is too large.
    """
    return prepare_spec(
        compiled.name, spec_of(compiled), inputs, image=image, store=store, annotations=compiled.annotations
    )


def prepare_spec(
    workflow: str,
    spec: dict[str, Any],
    inputs: Mapping[str, object],
    *,
    image: str | None = None,
    store: str | None = None,
    annotations: Mapping[str, str] | None = None,
) -> Submission:
    """The same for the spec of a document. One that says itself where its code is brings none along.

    Raises:
        UsageError: the image's name cannot be one.
        DocumentError: the operator would refuse it.
    """
    warn_of_slips()
    spec = exact(with_arguments(_with_context(spec, annotations or {}), inputs))
    code = dict(spec.get("code") or {})
    bundle = None
    if not code.keys() & {"configMap", "url"}:
        bundle = bundle_for(spec)
    if bundle is not None:
        spec["code"] = {**code, **code_section(bundle, store)}
    chosen = image or (None if code.get("image") else config.get("image"))
    if chosen and (problem := image_problem(chosen)):
        raise UsageError(problem, fix="Correct --image, or `image:` in the config.")
    _refuse_wrong(workflow, spec)
    return Submission(workflow, spec, bundle, str(chosen) if chosen else None, dict(annotations or {}))


def _refuse_wrong(workflow: str, spec: Mapping[str, Any]) -> None:
    """Refuse what the operator would; whether it lets pods reach their machine is its own affair."""
    resource = {"apiVersion": f"{GROUP}/{VERSION}", "kind": "Workflow", "spec": spec}
    problems = problems_of(resource, allow_host=True)
    if problems:
        listed = "\n".join(f"  {each}" for each in problems)
        raise DocumentError(f"{workflow!r} cannot run in a cluster\n{listed}", problems=tuple(problems))


def _with_context(spec: dict[str, Any], annotations: Mapping[str, str]) -> dict[str, Any]:
    """The arguments of a pipeline's command go along, for `context.args` in its tasks."""
    arguments = annotations.get(ARGUMENTS)
    if arguments is None:
        return spec
    args = argparse.Namespace(**unpickled(arguments))  # type: ignore[arg-type]  # a dict, by name
    carried = {"args": pickled(args, "an argument of the command")}
    return {**spec, "parameters": {**(spec.get("parameters") or {}), CONTEXT: carried}}


def submit(cluster: Cluster, submission: Submission, name: str | None = None) -> Json:
    """Create the Workflow, then what its pods wait for; the object as the server has it.

    A request whose answer got lost is repeated; the run is not created twice.

    Raises:
        UsageError: there is a run of that name already.
        ClusterError: the cluster refuses it.
    """
    token = uuid.uuid4().hex
    created = _created(cluster, submission, name, token)
    if submission.bundle is not None and submission.bundle.fits_config_map:
        ensure_config_map(cluster, submission.bundle, created)
    return created


def _created(cluster: Cluster, submission: Submission, name: str | None, token: str) -> Json:
    if name is not None and object_name(name) != name:
        raise UsageError(
            f"{name!r} cannot be the name of a run in a cluster",
            fix=f"Lower-case letters, digits and '-', at most 52: --name {object_name(name)}.",
        )
    chosen = name or run_name(submission.workflow)
    annotations = {USER: login_name(), **submission.annotations, SUBMISSION: token}
    for attempt in range(ATTEMPTS):
        body = manifest(
            chosen,
            dict(submission.spec),
            workflow=submission.workflow,
            image=submission.image,
            annotations=annotations,
        )
        try:
            return cluster.create(cluster.own("workflows"), body)
        except (ClusterConflict, ClusterUnreachable) as error:
            if isinstance(error, ClusterUnreachable) and attempt == ATTEMPTS - 1:
                raise
            found = _find(cluster, chosen)
            if found is not None:
                if (found["metadata"].get("annotations") or {}).get(SUBMISSION) == token:
                    return found
                if name is not None:
                    raise UsageError(
                        f"there is a run {name!r} in namespace {cluster.namespace!r} already",
                        fix=f"Give another --name, or remove it: flowctl delete {name}.",
                    ) from None
                chosen = run_name(submission.workflow)
    raise UsageError(f"no free name for a run of {submission.workflow!r} was found", fix="Give it a --name.")


def _find(cluster: Cluster, name: str) -> Json | None:
    try:
        return cluster.get(cluster.own("workflows", name))
    except ClusterNotFound:
        return None
