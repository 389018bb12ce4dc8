"""From steps of a run to the objects of Kubernetes that carry them out: pure functions, no API calls."""

from headwater_operator.builders.artifacts import artifact_outputs
from headwater_operator.builders.bridge import (
    CANCEL,
    cancel_name,
    cancel_pod,
    cluster_of,
    named_clusters,
    slurm_job,
)
from headwater_operator.builders.configs import claim_object, value_config_map
from headwater_operator.builders.inputs import BuildSettings, MapStep, RunContext, Store, UnitStep
from headwater_operator.builders.maps import chunks, map_objects, pods_of
from headwater_operator.builders.names import job_name, pod_name, run_label
from headwater_operator.builders.units import unit_objects

__all__ = [
    "CANCEL",
    "BuildSettings",
    "MapStep",
    "RunContext",
    "Store",
    "UnitStep",
    "artifact_outputs",
    "cancel_name",
    "cancel_pod",
    "chunks",
    "claim_object",
    "cluster_of",
    "job_name",
    "map_objects",
    "named_clusters",
    "pod_name",
    "pods_of",
    "run_label",
    "slurm_job",
    "unit_objects",
    "value_config_map",
]
