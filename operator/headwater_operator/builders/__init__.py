"""From steps of a run to the objects of Kubernetes that carry them out: pure functions, no API calls."""

from headwater_operator.builders.artifacts import artifact_outputs
from headwater_operator.builders.configs import claim_object, value_config_map
from headwater_operator.builders.inputs import BuildSettings, MapStep, RunContext, Store, UnitStep
from headwater_operator.builders.maps import chunks, map_objects, pods_of
from headwater_operator.builders.names import job_name, pod_name, run_label
from headwater_operator.builders.units import unit_objects

__all__ = [
    "BuildSettings",
    "MapStep",
    "RunContext",
    "Store",
    "UnitStep",
    "artifact_outputs",
    "chunks",
    "claim_object",
    "job_name",
    "map_objects",
    "pod_name",
    "pods_of",
    "run_label",
    "unit_objects",
    "value_config_map",
]
