"""Headwater's resources on the cluster: tests run in any order, and some need them before there is an operator."""

from __future__ import annotations

from headwater.document.crd import custom_resource_definitions

from tests.cluster.api import Api, Json

PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def install(api: Api) -> None:
    """Apply the definitions of this checkout; returns when they are served."""
    for definition in custom_resource_definitions():
        name = definition["metadata"]["name"]
        generation = api.apply(f"{PATH}/{name}", definition)["metadata"]["generation"]
        api.wait(f"{PATH}/{name}", lambda found, least=generation: is_served(found, least))


def is_served(definition: Json, generation: int) -> bool:
    """Whether the server takes this definition, as it was at this generation or later, for its own."""
    conditions = {
        each["type"]: each["status"] for each in definition.get("status", {}).get("conditions") or ()
    }
    named = (
        conditions.get("Established") == "True" and conditions.get("NonStructuralSchema", "False") == "False"
    )
    return named and definition["metadata"]["generation"] >= generation
