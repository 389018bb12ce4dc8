"""Routes about the WorkflowTemplates of the cluster: which there are, and runs of them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from headwater.backends.kubernetes.api import Cluster
from headwater.backends.kubernetes.login import Place
from headwater.errors import HeadwaterError
from pydantic import BaseModel, Field

from headwater_dashboard import models
from headwater_dashboard.access import Access
from headwater_dashboard.problems import RequestError
from headwater_dashboard.routes import PROBLEMS, AppOptions, person_of

router = APIRouter(prefix="/templates", responses=PROBLEMS)

USER = "headwater.dev/user"
Name = Annotated[str, Path(pattern=r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$")]


class Arguments(BaseModel):
    """What a run of a template is given, by name."""

    arguments: dict[str, Any] = Field(default_factory=dict, max_length=256)


@router.get("")
def list_templates(request: Request) -> models.Templates:
    """The templates that one may run; `note` says why there are none to be had."""
    from headwater.backends.kubernetes.templates import all_templates, inputs_of_template

    access: Access | None = request.app.state.access
    try:
        found = all_templates(Cluster())
    except HeadwaterError as error:
        return models.Templates(items=[], note=f"{error.message}. {error.fix}".strip())
    if access is not None:
        namespaces = dict.fromkeys(each["metadata"]["namespace"] for each in found)
        may = set(access.visible(person_of(request), namespaces, verb="create"))
        found = [each for each in found if each["metadata"]["namespace"] in may]
    items = [
        {
            **{key: each["metadata"][key] for key in ("namespace", "name")},
            **{key: each["spec"].get(key) for key in ("version", "project", "description")},
            "inputs": inputs_of_template(each),
        }
        for each in found
    ]
    return models.Templates.model_validate({"items": items, "note": ""})


@router.post("/{namespace}/{name}")
def submit(
    request: Request, options: AppOptions, namespace: Name, name: Name, given: Arguments
) -> models.Submitted:
    """Run a template. The header X-Headwater-CSRF has the `csrf` of /me."""
    from headwater.backends.kubernetes.templates import submit_template

    if options.read_only:
        raise RequestError(403, "this dashboard is for looking only", fix="Start it without --read-only.")
    access: Access | None = request.app.state.access
    person = person_of(request)
    if access is not None:
        access.require(person, "create", namespace)
    cluster = Cluster(Place(namespace=namespace))
    template = cluster.get(cluster.own("workflowtemplates", name))
    created = submit_template(cluster, template, given.arguments, {USER: person.name})
    metadata = created["metadata"]
    return models.Submitted(run_id=metadata["uid"], namespace=metadata["namespace"], name=metadata["name"])
